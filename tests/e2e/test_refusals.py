"""A refusal gives the reason if the token is authentic. Otherwise all failures look the
same."""

import time
from datetime import UTC, datetime

import forge
from jeton import REST, Case, World, must, wait_until

NOT_FOUND = "AUTH ERROR: token not found"


def timestamp(seconds):
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Refusals(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()
        cls.key = cls.world.key("profile")

    def forge(self, **claims):
        return forge.token(self.key, **claims)

    def refuse(self, token, status, text):
        """Asserts that both forms are refused alike and that `HEAD` has the same status."""
        for target in (f"{REST}?token={token}", f"{REST}/{token}"):
            self.assert_refused(self.world.get(target), status, text)
            self.assertEqual(self.world.get(target, method="HEAD").status, status)

    def test_accepts_a_token_of_a_second_implementation(self):
        self.assert_profile(self.world.download(self.forge()), "alice")

    def test_refuses_an_expired_token(self):
        issued_at = int(time.time()) - 100
        token = self.forge(issued_at=issued_at, lifetime=40)
        self.refuse(token, 410, f"expired at {timestamp(issued_at + 40)}")

    def test_refuses_a_used_up_token(self):
        token = self.forge()
        self.assert_profile(self.world.download(token))
        self.refuse(token, 410, "used up")

    def test_refuses_a_token_that_is_not_valid_yet(self):
        issued_at = int(time.time()) + 600
        self.refuse(self.forge(issued_at=issued_at), 403, timestamp(issued_at - 60))

    def test_tolerates_a_minters_clock_that_is_a_minute_ahead(self):
        token = self.forge(issued_at=int(time.time()) + 55)
        self.assert_profile(self.world.download(token))

    def test_refuses_a_token_issued_before_the_ledger(self):
        born = int((self.world.dir / "ledger").stat().st_ctime)
        self.refuse(self.forge(issued_at=born - 600), 410, "issued before")

    def test_refuses_a_client_outside_the_tokens_network(self):
        token = self.world.mint(network="192.0.2.0/24").token
        self.refuse(token, 403, "network")
        self.assert_profile(self.world.download(self.world.mint(network="127.0.0.0/8").token))

    def test_ignores_forwarded_addresses_of_unlisted_proxies(self):
        token = self.world.mint(network="192.0.2.0/24").token
        headers = ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7", "X-Real-IP: 192.0.2.7"]
        answer = self.world.get(f"{REST}?token={token}", headers=headers)
        self.assert_refused(answer, 403, "network")

    def test_refuses_a_user_without_a_profile(self):
        token = self.world.mint("mallory").token
        self.refuse(token, 404, "profile not available, ask your administrator")

    def test_refuses_a_limit_that_differs_from_the_counted_one(self):
        nonce = b"\7" * 16
        self.assert_profile(self.world.download(self.forge(nonce=nonce, uses=1)))
        answer = self.world.download(self.forge(nonce=nonce, uses=2))
        self.assertEqual(answer.status, 410, answer)


class InvalidTokens(Case):
    """Until the signature is verified, every failure gives the same response."""

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

    def test_the_response_is_404_token_not_found(self):
        answer = self.world.download("nonsense")
        self.assert_refused(answer, 404, NOT_FOUND)
        self.assertIsNone(answer.header("WWW-Authenticate"))

    def test_all_failures_before_the_signature_give_the_same_response(self):
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
            "foreign key, our key id": self.with_signature_by(foreign),
            "signature of another token": self.with_signature_by(self.key),
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

    def with_signature_by(self, key):
        """Returns our claims and key id with a signature by `key` over other claims."""
        other = forge.decode(forge.token(key))
        return forge.encode(forge.decode(self.token)[:-64] + other[-64:])

    def test_any_changed_character_gives_the_same_response(self):
        for position in range(0, len(self.token), 3):
            self.assert_same(position, forge.change_character(self.token, position))
        self.assert_same("last", forge.change_character(self.token, len(self.token) - 1))

    def test_any_flipped_bit_gives_the_same_response(self):
        for bit in range(0, len(forge.decode(self.token)) * 8, 29):
            self.assert_same(bit, forge.flip_bit(self.token, bit))

    def test_any_truncation_gives_the_same_response(self):
        for length in range(1, len(self.token), 11):
            self.assert_same(length, self.token[:length])
            self.assert_same(-length, self.token[length:])

    def test_invalid_tokens_spend_no_use(self):
        answer = self.world.get(f"{REST}?token={self.token}", method="HEAD")
        self.assertEqual(answer.header("Jeton-Uses-Left"), "2")


def refused(answer):
    return None if answer.is_profile else answer


class RateLimit(Case):
    def test_excess_requests_get_429_with_retry_after(self):
        with World() as world:
            world.change("rate_burst = 1000000", "rate_burst = 3")
            world.change("rate_per_second = 1000000", "rate_per_second = 1")
            world.serve()
            target = f"{REST}?token={world.mint(uses=999).token}"
            for _ in range(3):
                last = world.get(target, method="HEAD")
            self.assertEqual(last.header("Jeton-Uses-Left"), "999")
            # One request per second is allowed, so on a slow machine some succeed.
            answer = wait_until("a refusal", lambda: refused(world.get(target)))
            self.assert_refused(answer, 429, "too many requests")
            self.assertGreater(int(answer.header("Retry-After")), 0)
            self.assertEqual(world.get("/readyz").status, 200)


class BehindAProxy(Case):
    """The client is the rightmost forwarded address that is not a listed proxy."""

    CASES = [
        # (X-Forwarded-For, whether a token for 192.0.2.0/24 is accepted)
        (["192.0.2.7"], True),
        (["198.51.100.1, 192.0.2.7"], True),
        (["192.0.2.7, 127.0.0.1"], True),
        (["198.51.100.1", "192.0.2.7"], True),
        (["192.0.2.7, 198.51.100.1"], False),
        (["192.0.2.7", "198.51.100.1"], False),
    ]

    def test_the_rightmost_address_that_is_not_a_proxy_is_the_client(self):
        with World() as world:
            world.behind_a_proxy().serve()
            token = world.mint(network="192.0.2.0/24", uses=99).token
            for addresses, is_accepted in self.CASES:
                with self.subTest(addresses):
                    headers = [f"X-Forwarded-For: {address}" for address in addresses]
                    answer = world.get(f"{REST}?token={token}", headers=headers)
                    self.assertEqual(answer.status, 200 if is_accepted else 403)


class UnknownRequests(Case):
    def test_unknown_routes_are_404_and_never_401(self):
        with World() as world:
            world.serve()
            token = world.mint().token
            for target in ("/", f"/{token}", f"/rest/{token}", f"/rest/GetUserlogin?token={token}"):
                with self.subTest(target[:20]):
                    self.assertEqual(world.get(target).status, 404)
            self.assert_profile(world.download(token))

    def test_garbage_from_a_client_is_not_logged_as_an_error(self):
        with World() as world:
            world.serve()
            for garbage in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", b"GET \0\r\n\r\n"):
                self.assertIn(world.send(garbage).status, (400, None))
            self.assertNotIn("ERROR", world.log.read_text())
