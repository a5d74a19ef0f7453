"""Who is refused learns why, if the token is true; and if it is not, nothing
that tells one failure from another."""

import time
from datetime import UTC, datetime

import forge
from jeton import REST, Case, World, must, wait_until

NOT_FOUND = "AUTH ERROR: token not found"


def shown(moment):
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refusals(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()
        cls.key = cls.world.key("profile")

    def forge(self, **claims):
        return forge.token(self.key, **claims)

    def refuse(self, token, status, text):
        """Both forms are refused alike, and `HEAD` tells the same status."""
        for target in (f"{REST}?token={token}", f"{REST}/{token}"):
            self.assert_refused(self.world.get(target), status, text)
            self.assertEqual(self.world.get(target, method="HEAD").status, status)

    def test_a_token_from_a_second_writer_is_as_good_as_ours(self):
        self.assert_profile(self.world.download(self.forge()), "alice")

    def test_expired(self):
        issued_at = int(time.time()) - 100
        token = self.forge(issued_at=issued_at, lifetime=40)
        self.refuse(token, 410, f"expired at {shown(issued_at + 40)}")

    def test_used_up(self):
        token = self.forge()
        self.assert_profile(self.world.download(token))
        self.refuse(token, 410, "used up")

    def test_not_valid_yet(self):
        issued_at = int(time.time()) + 600
        self.refuse(self.forge(issued_at=issued_at), 403, shown(issued_at - 60))

    def test_a_minters_clock_may_be_a_minute_ahead(self):
        token = self.forge(issued_at=int(time.time()) + 55)
        self.assert_profile(self.world.download(token))

    def test_issued_before_this_ledger(self):
        born = int((self.world.dir / "ledger").stat().st_ctime)
        self.refuse(self.forge(issued_at=born - 600), 410, "issued before")

    def test_outside_the_tokens_network(self):
        token = self.world.mint(network="192.0.2.0/24").token
        self.refuse(token, 403, "network")
        self.assert_profile(self.world.download(self.world.mint(network="127.0.0.0/8").token))

    def test_a_forwarded_address_is_believed_from_listed_proxies_only(self):
        token = self.world.mint(network="192.0.2.0/24").token
        claims = ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "X-Real-IP: 192.0.2.7"]
        answer = self.world.get(f"{REST}?token={token}", headers=claims)
        self.assert_refused(answer, 403, "network")

    def test_no_profile(self):
        token = self.world.mint("mallory").token
        self.refuse(token, 404, "profile not available, ask your administrator")

    def test_a_limit_that_contradicts_the_counted_one(self):
        nonce = b"\7" * 16
        self.assert_profile(self.world.download(self.forge(nonce=nonce, uses=1)))
        answer = self.world.download(self.forge(nonce=nonce, uses=2))
        self.assertEqual(answer.status, 410, answer)


class FirstLayer(Case):
    """Before the signature holds, every failure is the same answer."""

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()
        cls.key = cls.world.key("profile")
        cls.token = cls.world.mint(uses=2).token
        cls.nonsense = cls.world.download("nonsense").comparable

    def assert_same(self, name, token):
        for form in (f"{REST}?token={token}", f"{REST}/{token}"):
            with self.subTest(name, form=form[: len(REST) + 1]):
                self.assertEqual(self.world.get(form).comparable, self.nonsense)

    def test_the_one_answer(self):
        answer = self.world.download("nonsense")
        self.assert_refused(answer, 404, NOT_FOUND)
        self.assertIsNone(answer.header("WWW-Authenticate"))

    def test_failures_before_the_signature_look_alike(self):
        foreign = self.world.dir / "foreign.pem"
        must(["openssl", "genpkey", "-algorithm", "ed25519", "-out", foreign])
        good = forge.decode(self.token)
        cases = {
            "not base64": "!" * 40,
            "too long": "A" * 513,
            "far too long": "A" * 20_000,
            "one character": "A",
            "version 0": forge.encode(b"\0" + good[1:]),
            "version 2": forge.encode(b"\2" + good[1:]),
            "signed version 2": forge.token(self.key, version=2),
            "foreign key": forge.token(foreign),
            "foreign key, our id": self.dressed(foreign),
            "signature of another token": self.dressed(self.key),
            "no signature": forge.encode(good[:-64] + bytes(64)),
            "admin token by the admin key": forge.token(
                self.world.key("admin"), purpose=forge.ADMIN, variant=2
            ),
            "profile token by the admin key": forge.token(self.world.key("admin")),
            "admin token by the profile key": forge.token(
                self.key, purpose=forge.ADMIN, variant=2
            ),
        }
        for name, token in cases.items():
            self.assert_same(name, token)

    def dressed(self, key):
        """Our claims and key id with a signature by `key` over other claims."""
        other = forge.decode(forge.token(key))
        return forge.encode(forge.decode(self.token)[:-64] + other[-64:])

    def test_any_changed_character_is_the_same_failure(self):
        for position in range(0, len(self.token), 3):
            self.assert_same(position, forge.change_character(self.token, position))
        self.assert_same("last", forge.change_character(self.token, len(self.token) - 1))

    def test_any_flipped_bit_is_the_same_failure(self):
        for bit in range(0, len(forge.decode(self.token)) * 8, 29):
            self.assert_same(bit, forge.flip_bit(self.token, bit))

    def test_any_cut_is_the_same_failure(self):
        for length in range(1, len(self.token), 11):
            self.assert_same(length, self.token[:length])
            self.assert_same(-length, self.token[length:])

    def test_nothing_of_this_cost_a_use(self):
        answer = self.world.get(f"{REST}?token={self.token}", method="HEAD")
        self.assertEqual(answer.header("Jeton-Uses-Left"), "2")


def refused(answer):
    return None if answer.is_profile else answer


class TooMany(Case):
    def test_who_asks_too_often_is_told_when_to_come_back(self):
        with World() as world:
            world.change("rate_burst = 1000000", "rate_burst = 3")
            world.change("rate_per_second = 1000000", "rate_per_second = 1")
            world.serve()
            target = f"{REST}?token={world.mint(uses=999).token}"
            for _ in range(3):
                last = world.get(target, method="HEAD")
            self.assertEqual(last.header("Jeton-Uses-Left"), "999")
            # One more each second is good: on a slow machine some are.
            answer = wait_until("a refusal", lambda: refused(world.get(target)))
            self.assert_refused(answer, 429, "too many requests")
            self.assertGreater(int(answer.header("Retry-After")), 0)
            self.assertEqual(world.get("/readyz").status, 200)


class BehindAProxy(Case):
    """Who asks is the right-most address that no listed proxy wrote of another."""

    CASES = [
        # (X-Forwarded-For, whether a token for 192.0.2.0/24 is good)
        (["192.0.2.7"], True),
        (["198.51.100.1, 192.0.2.7"], True),
        (["192.0.2.7, 127.0.0.1"], True),
        (["198.51.100.1", "192.0.2.7"], True),
        (["192.0.2.7, 198.51.100.1"], False),
        (["192.0.2.7", "198.51.100.1"], False),
    ]

    def test_the_last_address_that_no_proxy_has_is_the_client(self):
        with World() as world:
            world.behind_a_proxy().serve()
            token = world.mint(network="192.0.2.0/24", uses=99).token
            for addresses, good in self.CASES:
                with self.subTest(addresses):
                    headers = [f"X-Forwarded-For: {address}" for address in addresses]
                    answer = world.get(f"{REST}?token={token}", headers=headers)
                    self.assertEqual(answer.status, 200 if good else 403)


class Elsewhere(Case):
    def test_unknown_routes_are_404_and_never_401(self):
        with World() as world:
            world.serve()
            token = world.mint().token
            for target in ("/", f"/{token}", f"/rest/{token}", f"/rest/GetUserlogin?token={token}"):
                with self.subTest(target[:20]):
                    self.assertEqual(world.get(target).status, 404)
            self.assert_profile(world.download(token))

    def test_garbage_from_a_client_is_no_error_of_the_node(self):
        with World() as world:
            world.serve()
            for garbage in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", b"GET \0\r\n\r\n"):
                self.assertIn(world.send(garbage).status, (400, None))
            self.assertNotIn("ERROR", world.log.read_text())
