"""A token for N uses gives at most N profiles: under races, after crashes, and on failing
disks."""

import random
import subprocess
import threading
from collections import Counter

from faults import Faults, require_strace, strace_command, was_injected
from jeton import REST, TIMEOUT_S, Case, World, wait_until

USED_UP = "used up"


class Uses(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()

    def used(self, token):
        return self.world.listed()[token.id]["used"]

    def test_64_simultaneous_curls_get_exactly_three_profiles(self):
        token = self.world.mint(uses=3)
        curls = [self.start_curl(number, token.download_url) for number in range(64)]
        statuses, complete = Counter(), 0
        for number, curl in enumerate(curls):
            status = int(curl.communicate(timeout=2 * TIMEOUT_S)[0])
            statuses[status] += 1
            body = (self.world.dir / f"{number}.out").read_bytes()
            complete += status == 200 and body.rstrip().endswith(b"</tls-crypt>")
        self.assertEqual(statuses, {200: 3, 410: 61})
        self.assertEqual(complete, 3)

    def start_curl(self, number, url):
        command = self.world.curl_command(self.world.dir / f"{number}.out")
        return subprocess.Popen([*command, url], stdout=subprocess.PIPE, text=True)

    def test_head_returns_the_uses_left_and_spends_nothing(self):
        token = self.world.mint(uses=2)
        for target in [f"{REST}?token={token.token}", f"{REST}/{token.token}"] * 5:
            answer = self.world.get(target, method="HEAD")
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertEqual(answer.header("Jeton-Uses-Left"), "2")
            self.assertEqual(answer.header("Jeton-Expires"), token.expires_at)
        self.assert_profile(self.world.download(token.token))
        self.assertEqual(self.used(token), 1)
        self.assert_profile(self.world.download(token.token))
        self.assert_refused(self.world.download(token.token), 410, USED_UP)

    def test_a_prefetch_spends_nothing_and_gives_no_profile(self):
        token = self.world.mint()
        for header in [
            "Sec-Purpose: prefetch",
            "Sec-Purpose: prefetch;prerender",
            "Purpose: prefetch",
            "purpose: Prefetch",
        ]:
            with self.subTest(header):
                answer = self.world.get(f"{REST}?token={token.token}", headers=[header])
                self.assertEqual((answer.status, answer.body), (503, b""))
        self.assert_profile(self.world.download(token.token))

    def test_an_unlimited_token_is_not_counted(self):
        token = self.world.mint(uses="unlimited")
        for _ in range(5):
            self.assert_profile(self.world.download(token.token))


class Killed(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.node = self.world.serve()

    def restart(self):
        self.node.kill()
        self.node = self.world.serve()

    def test_kills_between_downloads_leave_three_profiles_in_total(self):
        token = self.world.mint(uses=3).token
        profiles = 0
        for _ in range(5):
            profiles += self.world.download(token).is_profile
            self.restart()
        self.assertEqual(profiles, 3)
        self.assert_refused(self.world.download(token), 410, USED_UP)

    def test_kills_under_load_add_no_use_and_lose_none(self):
        seed = random.randrange(1 << 32)
        uses = 3
        tokens = self.world.mint_each(["alice"] * 40, uses=uses)
        delivered = Counter()
        for burst in range(4):
            with self.subTest(seed=seed, burst=burst):
                self.load_until_killed(random.Random(seed + burst), tokens, delivered)
                self.node = self.world.serve()
                self.assert_counted(tokens, delivered, uses)
        for token in tokens:
            while self.world.download(token.token).is_profile:
                delivered[token.id] += 1
        over = {id: count for id, count in delivered.items() if count > uses}
        self.assertEqual(over, {}, f"seed {seed}")

    def load_until_killed(self, rng, tokens, delivered):
        """Downloads from four threads at once. One of them kills the node after a random
        number of profiles, so the tokens last for all bursts on any machine."""
        lock, killed, limit = threading.Lock(), threading.Event(), rng.randrange(8, 25)
        profiles = 0

        def download_until_killed(rng):
            nonlocal profiles
            while not killed.is_set():
                token = rng.choice(tokens)
                try:
                    answer = self.world.download(token.token)
                except OSError:
                    return
                with lock:
                    delivered[token.id] += answer.is_profile
                    profiles += answer.is_profile
                    if profiles >= limit and not killed.is_set():
                        self.node.kill()
                        killed.set()

        threads = [
            threading.Thread(target=download_until_killed, args=(random.Random(rng.random()),))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(2 * TIMEOUT_S)
        self.assertTrue(killed.is_set(), f"{profiles} of {limit} profiles")

    def assert_counted(self, tokens, delivered, uses):
        """Asserts that the ledger has counted every delivered profile. It lists only
        live tokens, so a used-up one is missing there."""
        listed = self.world.listed()
        for token in tokens:
            used = listed[token.id]["used"] if token.id in listed else None
            if used is None and delivered[token.id]:
                answer = self.world.get(f"{REST}?token={token.token}", method="HEAD")
                self.assertEqual(answer.status, 410, "not listed, but not used up")
                used = uses
            self.assertGreaterEqual(used or 0, delivered[token.id])


class FailingDisk(Case):
    """After the first failed write or sync the node grants nothing, even if the disk
    works again. A restart begins with the acknowledged state."""

    FAULTS = [
        # (system call, injected fault, which calls it affects)
        *(("fdatasync", "error=EIO", k) for k in ("1", "2", "3", "5", "8", "1+", "4+")),
        *(("fdatasync", "error=ENOSPC", k) for k in ("1", "2+")),
        *(("pwrite64", "error=ENOSPC", k) for k in ("1", "2", "3", "5", "8", "1+", "4+")),
        *(("pwrite64", "error=EIO", k) for k in ("1", "2+")),
    ]
    USES = 12

    @classmethod
    def setUpClass(cls):
        require_strace()
        cls.world = cls.enterClassContext(World())
        cls.trace = cls.world.dir / "strace.log"

    def test_grants_nothing_after_the_first_fault_until_a_restart(self):
        for call, fault, when in self.FAULTS:
            with self.subTest(call=call, fault=fault, when=when):
                self.fail_at(call, fault, when)

    def fail_at(self, call, fault, when):
        node = self.world.serve()
        token = self.world.mint(uses=self.USES)
        with Faults(node, f"{call}:{fault}:when={when}", self.trace):
            statuses = [self.world.download(token.token).status for _ in range(self.USES)]
            ready = self.world.get("/readyz").status
            alive = self.world.get("/healthz").status
        node.kill()
        self.assertTrue(was_injected(self.trace), "no fault was injected")
        profiles = statuses.index(503) if 503 in statuses else len(statuses)
        self.assertEqual(statuses, [200] * profiles + [503] * (self.USES - profiles))
        self.assertLess(profiles, self.USES)
        self.assertEqual((ready, alive), (503, 200))
        self.assert_counts_after_restart(token, profiles)

    def assert_counts_after_restart(self, token, profiles):
        """Asserts that delivered profiles are counted. The use that failed may be burnt."""
        node = self.world.serve()
        answer = self.world.get(f"{REST}?token={token.token}", method="HEAD")
        left = int(answer.header("Jeton-Uses-Left"))
        self.assertIn(self.USES - left - profiles, (0, 1))
        self.assert_profile(self.world.download(token.token))
        node.kill()

    def test_a_kill_at_any_write_or_sync_adds_no_use_and_loses_none(self):
        for call in ("fdatasync", "pwrite64"):
            for when in range(1, 7):
                with self.subTest(call=call, when=when):
                    self.die_at(call, when)

    def die_at(self, call, when):
        node = self.world.serve()
        token = self.world.mint(uses=self.USES)
        profiles = 0
        with Faults(node, f"{call}:signal=SIGKILL:when={when}", self.trace):
            while node.process.poll() is None:
                try:
                    profiles += self.world.download(token.token).is_profile
                except OSError:
                    break
        node.kill()
        self.assertLess(profiles, self.USES)
        self.assert_counts_after_restart(token, profiles)

    def test_grants_nothing_after_a_fault_at_startup(self):
        token = self.world.mint(uses=99).token
        for call, fault in (("fdatasync", "error=EIO"), ("pwrite64", "error=ENOSPC")):
            for when in range(1, 5):
                with self.subTest(call=call, when=when):
                    self.start_with(f"{call}:{fault}:when={when}", token)
        node = self.world.serve()
        self.assert_profile(self.world.download(token))
        node.kill()

    def start_with(self, fault, token):
        """Asserts that the node refuses to start, or grants nothing after the fault."""
        self.trace.write_text("")
        # -D makes strace the grandchild, so that the node is our child.
        node = self.world.start(under=[*strace_command(fault, self.trace), "-D"])
        wait_until("the fault", lambda: self.status(token) and was_injected(self.trace))
        statuses = {self.status(token) for _ in range(3)}
        self.assertLessEqual(statuses, {503, "no answer"})
        self.assertIn(node.process.poll(), (None, 1))
        node.kill()

    def status(self, token):
        try:
            return self.world.download(token).status or "no answer"
        except OSError:
            return "no answer"

    def test_a_refusal_after_a_disk_fault_has_a_retry_after_header(self):
        node = self.world.serve()
        token = self.world.mint(uses=9).token
        with Faults(node, "fdatasync:error=EIO:when=1", self.trace):
            self.world.download(token)
            answer = self.world.download(token)
        node.kill()
        self.assert_refused(answer, 503, "try again shortly")
        self.assertTrue(int(answer.header("Retry-After")) > 0)
        self.assertRegex(self.world.log.read_text(), "(?m)^.*ERROR.*$")
