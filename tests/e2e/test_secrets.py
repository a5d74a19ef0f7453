"""No byte of a token, a key or a profile is in a log, at any level; nor where
anybody may look."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import forge
from jeton import REST, Case, World, directory_source, easy_rsa_source, must, require, vpn_directory, wait_until
from operators import Operator

# A run of a secret that is longer than a window and a step is found for sure.
WINDOW, STEP = 16, 8
CANARY = "cAnArY-0123456789-aBcDeFgHiJkLmNoPqRsTuVwXyZ_" * 2


def ways(data):
    """Yields how a program might write bytes: in hex, as numbers, and in base64
    from each of its three alignments."""
    yield data.hex()
    yield data.hex().upper()
    yield ", ".join(map(str, data))
    for skip in range(3):
        text = base64.b64encode(data[skip:]).rstrip(b"=").decode()
        # What the last character says depends on what follows.
        yield text[:-1]
        yield text[:-1].replace("+", "-").replace("/", "_")


def windows(secret):
    """Yields pieces of a secret, which is a text or bytes: whatever is longer
    than a window and a step has one of them in it."""
    for text in ways(secret) if isinstance(secret, bytes) else [secret]:
        for start in range(0, len(text) - WINDOW + 1, STEP):
            yield text[start : start + WINDOW]


def private_half(path):
    """Returns what is secret in a key file. The rest of it, the public half and
    how keys are written, stands in certificates too."""
    text = must(["openssl", "pkey", "-in", path, "-noout", "-text"])
    digits = text.partition("priv:")[2].partition("pub:")[0]
    return bytes.fromhex("".join(digits.split()).replace(":", ""))


class Secrets(Case):
    """Everything of interest is done once for each kind of log; then all that
    was written down is searched."""

    def setUp(self):
        self.world = self.enterContext(World(easy_rsa_source("vpn")).with_signing_key())
        shutil.copytree(vpn_directory(), self.world.dir / "vpn")
        self.secrets = {"the canary": [CANARY]}

    def test_text_log(self):
        self.search("--log-level", "trace", "--log-format", "text")

    def test_json_log(self):
        self.search("--log-level", "trace", "--log-format", "json")
        for line in self.world.log.read_text().splitlines():
            self.assertIn("level", json.loads(line))

    def test_log_of_all_libraries(self):
        self.search("--log-format", "text", environment={"RUST_LOG": "trace"})

    def search(self, *options, environment=None):
        node = self.world.serve(*options, environment=environment)
        self.do_everything(node)
        node.terminate()
        self.assertEqual(node.wait_for_exit(), 0)
        for file in (self.world.log, self.world.audit_file):
            log = file.read_text(errors="replace")
            self.assertIn("used-up", log, "what was done is in the log")
            self.assert_absent(log)

    def assert_absent(self, text):
        self.collect_files()
        for name, secrets in self.secrets.items():
            for secret in secrets:
                for window in windows(secret):
                    at = text.find(window)
                    self.assertEqual(at, -1, f"{name} in: {text[max(0, at - 200) : at]}<here>")
        for line in self.profile:
            self.assertNotIn(line, text)

    def collect_files(self):
        world, pki = self.world, self.world.dir / "vpn" / "pki"
        files = {name: pki / "private" / f"{name}.key" for name in ("alice", "bob", "ca", "server")}
        files |= {purpose: world.key(purpose) for purpose in ("profile", "admin")}
        files["TLS"] = world.dir / "tls" / "key.pem"
        for name, path in files.items():
            self.secrets[f"the {name} key"] = [private_half(path)]
        lines = (world.dir / "vpn" / "tls-crypt.key").read_text().splitlines()
        self.secrets["the tls-crypt key"] = [line for line in lines if line.isalnum()]

    def do_everything(self, node):
        self.assert_public_pages_are_bare()
        self.deliver_and_use_up()
        self.refuse_each_way()
        self.send_strange_requests()
        self.operate()
        self.sign_in_and_out()
        self.reload(node)

    def keep(self, name, token):
        """Remembers a token as something to search for, and its signature in any
        writing; the claims before that are no secret."""
        self.secrets[name] = [token, forge.decode(token)[-64:]]
        return token

    def assert_public_pages_are_bare(self):
        for path in ("/healthz", "/readyz"):
            answer = self.world.get(path)
            self.assertEqual((answer.status, answer.body), (200, b"ok\n"))

    def deliver_and_use_up(self):
        token = self.keep("a good token", self.world.mint().token)
        answer = self.world.download(token)
        self.assert_profile(answer)
        # Certificates begin alike, and the node shows its own to everybody.
        lines = answer.body.decode().splitlines()
        self.profile = [line for line in lines if len(line) >= 60]
        self.assertEqual(self.world.download(token).status, 410)
        self.world.get(f"{REST}?token={token}", method="HEAD")

    def refuse_each_way(self):
        world, key, now = self.world, self.world.key("profile"), int(time.time())
        for name, token in {
            "an expired token": forge.token(key, issued_at=now - 90, lifetime=10),
            "a token of tomorrow": forge.token(key, issued_at=now + 86_400),
            "an old token": forge.token(key, issued_at=now - 3_000),
            "a flipped token": forge.flip_bit(forge.token(key), 300),
            "an admin token": forge.token(world.key("admin"), purpose=forge.ADMIN, variant=2),
            "a token of nobody": world.mint("mallory").token,
            "a token of carol": world.mint("carol").token,
            "an autologin token": world.mint(profile_type="autologin").token,
            "a far token": world.mint(network="192.0.2.0/24").token,
        }.items():
            answer = world.download(self.keep(name, token))
            self.assertIn(answer.status, (403, 404, 410), name)

    def send_strange_requests(self):
        token = self.keep("a token in strange places", self.world.mint().token)
        for target in [
            f"{REST}?token={token}%00",
            f"{REST}?token={token}&token={CANARY}",
            f"{REST}/{token}/{CANARY}",
            f"{REST}?token={CANARY}",
            f"{REST}/{CANARY}?{token}",
            f"/{CANARY}/{token}",
            f"/t/{token}",
            f"{REST}?token={token} {CANARY}",
        ]:
            self.world.get(target)
            self.world.get(target, method="POST", headers=["Content-Length: 0"])
            self.world.get(target, method=CANARY)
        for name in ("Referer", "User-Agent", "Authorization", "Cookie", "X-Forwarded-For", CANARY):
            self.world.get("/", headers=[f"{name}: {CANARY}{token}"])
        self.world.send(b"\x16\x03\x01" + CANARY.encode() + b"\r\n\r\n")

    def operate(self):
        world = self.world
        minted = world.mint(uses=5)
        self.keep("a revoked token", minted.token)
        world.download(minted.token)
        world.must("inspect", minted.token, "--node")
        world.must("list")
        world.must("revoke", minted.download_url)
        self.assertEqual(world.download(minted.token).status, 410)
        world.must("user", "allow-autologin", "alice")
        done = world.jeton("revoke", forge.flip_bit(minted.token, 300))
        self.assert_failed(done)
        self.assertNotIn(minted.token[-40:], done.stderr)

    def sign_in_and_out(self):
        """Does by the web what operators do, and sends secrets to where none
        belong."""
        operator = Operator(self.world)
        self.keep("an admin token", operator.token)
        session = operator.session()
        self.secrets["a session"] = [session.cookie]
        same = {"Sec-Fetch-Site": "same-origin"}
        minted = session.api("POST", "tokens", {"user": "alice"}, headers=same).json
        self.keep("a token minted here", minted["token"])
        offline = self.keep("a recorded token", self.world.mint("bob").token)
        for name in ("records", "inspect", "revocations"):
            session.api("POST", name, {"token": offline}, headers=same)
            operator.api("POST", name, {"token": forge.flip_bit(offline, 300)})
            operator.api("POST", name, {"token": CANARY, CANARY: CANARY})
        strange = [f"tokens?after={CANARY}", f"tokens?{CANARY}={offline}", f"{CANARY}/{offline}"]
        for target in strange:
            operator.api("GET", target)
        operator.api("PUT", f"users/{CANARY}{CANARY}/autologin", {"allowed": CANARY})
        for page in ("users", "tokens", "activity", "nodes", "sign-in", offline, CANARY):
            session.request("GET", f"/{page}?user={CANARY}")
        for text in (offline, CANARY, f"http://{operator.host}/sign-in#{operator.token}"):
            operator.sign_in(text)
        Operator(self.world, cookie=CANARY).api("GET", "tokens")
        Operator(self.world, token=CANARY).api("GET", "tokens")
        operator.request("GET", "/metrics")
        session.request("POST", "/sign-out", headers=same)

    def reload(self, node):
        """Reloads well, and then with a TLS key and a profile that are broken."""
        node.send_sighup()
        key = self.world.dir / "tls" / "key.pem"
        good = key.read_text()
        key.write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
        before = self.world.log.stat().st_size
        node.send_sighup()
        wait_until("word of the bad key", lambda: self.world.log.stat().st_size > before)
        key.write_text(good)
        broken = self.world.dir / "vpn" / "pki" / "private" / "bob.key"
        usual = broken.read_text()
        broken.write_text(usual.replace("PRIVATE KEY-----\n", f"PRIVATE KEY-----\n{CANARY}\n", 1))
        self.world.download(self.keep("a token of bob", self.world.mint("bob").token))
        broken.write_text(usual)


class BrokenProfile(Case):
    """What is wrong with a profile is said without quoting its secrets."""

    def test_a_profile_that_fails_the_lint_is_not_quoted(self):
        with World(directory_source("profiles")) as world:
            root = world.dir / "profiles"
            root.mkdir(mode=0o700)
            key = f"-----BEGIN PRIVATE KEY-----\n{CANARY * 4}\n-----END PRIVATE KEY-----\n"
            for user, text in {
                "alice": f"client\nremote a.test\n<key>\n{key}",
                "bob": f"client\nremote a.test\n<key>\n{key}</key>\n<key>\n{key}</key>\n",
                "carol": f"client\nremote a.test {CANARY * 4}\n",
                "dave": f"setenv GENERIC_CONFIG {CANARY}\n",
            }.items():
                path = root / f"{user}.ovpn"
                path.write_text(text)
                path.chmod(0o600)
            world.serve()
            for user in ("alice", "bob", "carol", "dave"):
                answer = world.download(world.mint(user).token)
                self.assert_refused(answer, 404, "profile not available")
                self.assertNotIn(CANARY[:WINDOW].encode(), answer.body)
            for window in windows(CANARY):
                self.assertNotIn(window, world.log.read_text())


class Process(Case):
    def test_what_everybody_can_see_of_the_process_is_bare(self):
        with World() as world:
            node = world.serve()
            world.download(world.mint().token)
            shown = subprocess.run(["ps", "-o", "args=", "-p", str(node.pid)], capture_output=True)
            self.assertIn(b"serve", shown.stdout)
            self.assertNotIn(b"token", shown.stdout)

    def test_a_crash_leaves_no_core(self):
        """Even if the shell that started it allows cores of any size."""
        allowed = "ulimit -c unlimited 2>/dev/null || ulimit -c hard"
        with World() as world:
            other = subprocess.Popen(["bash", "-c", f"{allowed}; exec sleep 60"], cwd=world.dir)
            wait_until("the other process", lambda: "sleep" in name_of(other))
            require(dumps_core(other), "this system makes no core dumps")
            node = world.serve(limit=f"cd {world.dir}; {allowed}")
            self.assertFalse(dumps_core(node.process))


def name_of(process):
    return Path(f"/proc/{process.pid}/comm").read_text()


def dumps_core(process):
    """Crashes a process and tells whether it left a core."""
    os.kill(process.pid, signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    return os.WCOREDUMP(status)
