"""Sessions: a session grants no more than its token, ends with it, and cannot be used
from another site."""

import re
import time

import forge
from jeton import Case, World, wait_until
from operators import COOKIE, Operator, admin_token

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class Sessions(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()

    def assert_signed_out(self, session):
        """Asserts that neither the API nor a page accepts this session."""
        self.assertEqual(session.api("GET", "session").status, 401)
        reply = session.request("GET", "/users")
        self.assert_sent_to_sign_in(reply)

    def assert_sent_to_sign_in(self, reply):
        self.assertEqual((reply.status, reply.body), (303, b""), reply)
        self.assertRegex(reply.header("Location"), r"\A/(sign-in)?(\?|\Z)")

    def test_the_cookie_is_secure_and_contains_no_token(self):
        operator = Operator(self.world)
        reply = operator.sign_in()
        self.assertEqual(reply.status, 303, reply)
        value, *attributes = reply.header("Set-Cookie").split("; ")
        self.assertTrue(value.startswith(f"{COOKIE}="), value)
        self.assertGreaterEqual(len(value.partition("=")[2]), 43, "256 bits")
        self.assertNotIn(operator.token[:20], value)
        self.assertLessEqual({"Secure", "HttpOnly", "SameSite=Strict", "Path=/"}, set(attributes))
        self.assertFalse(any(word.startswith("Domain") for word in attributes))
        self.assertNotEqual(operator.sign_in().header("Set-Cookie"), reply.header("Set-Cookie"))

    def test_a_session_reports_its_user_and_role(self):
        session = Operator(self.world, "viewer", "vera").session()
        info = session.must("GET", "session")
        self.assertEqual((info["user"], info["role"], info["can_mint"]), ("vera", "viewer", True))
        self.assertEqual(session.request("GET", "/").header("Location"), "/users#top")
        location = Operator(self.world, "viewer").sign_in().header("Location")
        start, _, fragment = location.partition("#")
        self.assertTrue(fragment, "it replaces the fragment that has the token")
        self.assertEqual(session.request("GET", start).header("Location"), "/users#top")
        self.assertEqual(session.request("GET", "/users").status, 200)

    def test_sign_in_accepts_the_whole_link(self):
        operator = Operator(self.world)
        link = f" http://{operator.host}/sign-in#{operator.token}\r\n"
        self.assertEqual(operator.sign_in(link).status, 303)

    def test_sign_in_refuses_everything_but_a_valid_admin_token(self):
        world, now = self.world, int(time.time())
        operator = Operator(world)
        for name, text in {
            "nothing": "",
            "nonsense": "nonsense",
            "a profile token": world.mint().token,
            "a profile token by the admin key": forge.token(world.key("admin")),
            "an expired token": admin_token(world, issued_at=now - 90, lifetime=30),
            "a flipped token": forge.flip_bit(operator.token, 300),
        }.items():
            with self.subTest(name):
                form = Operator(world, token=text or "x").sign_in(text or " ")
                self.assertIn(form.status, (400, 401, 403), form)
                self.assertIsNone(form.header("Set-Cookie"))
                self.assertIn("<form", form.text, "the form is shown again")
                if len(text) > 20:
                    self.assertNotIn(text, form.text, "the input is not shown again")

    def test_pages_need_a_session(self):
        for path in ("/", "/users", "/tokens", "/activity", "/nodes"):
            reply = Operator.anonymous(self.world).request("GET", path)
            self.assert_sent_to_sign_in(reply)

    def test_sign_out_ends_the_session_at_the_node(self):
        session, other = Operator(self.world).session(), Operator(self.world).session()
        reply = session.request("POST", "/sign-out", headers=SAME_ORIGIN)
        self.assertEqual(reply.status, 303, reply)
        self.assertRegex(reply.header("Set-Cookie"), rf"{COOKIE}=;.*(Max-Age=0|Expires=Thu, 01)")
        self.assert_signed_out(session)
        self.assertEqual(other.request("GET", "/users").status, 200)

    def test_a_restart_ends_all_sessions(self):
        session = Operator(self.world).session()
        self.world.node.kill()
        self.world.serve()
        self.assert_signed_out(session)

    def test_revoking_an_admin_token_ends_its_session_at_once(self):
        token = admin_token(self.world)
        operator, other = Operator(self.world, token=token), Operator(self.world)
        session = operator.session()
        self.assertEqual(session.api("GET", "tokens").status, 200)
        nonce = forge.encode(forge.decode(token)[7:23])
        other.must("POST", "revocations", {"token": nonce})
        self.assert_signed_out(session)
        self.assertEqual(operator.api("GET", "session").status, 401)
        self.assertEqual(operator.sign_in().status, 401)
        self.assertEqual(other.api("GET", "session").status, 200)

    def test_revoking_a_user_does_not_revoke_an_admin_token_of_that_name(self):
        lea = Operator(self.world, "admin", "lea")
        session = lea.session()
        Operator(self.world, "operator").must("POST", "revocations", {"user": "lea"})
        self.assertEqual(session.api("GET", "session").status, 200)
        self.assertEqual(lea.api("GET", "tokens").status, 200)

    def test_a_session_ends_with_its_token(self):
        # On a slow machine, retry with a token that lasts longer.
        for seconds in (3, 10, 30, 90):
            expiry = int(time.time()) + seconds
            token = admin_token(self.world, issued_at=expiry - 1_000, lifetime=1_000)
            operator = Operator(self.world, token=token)
            reply = operator.sign_in()
            session = operator.with_cookie_of(reply) if reply.status == 303 else None
            if session and session.api("GET", "session").status == 200:
                break
            self.assertGreaterEqual(time.time(), expiry, reply)
        else:
            self.fail("a session with a lifetime of 90 s ended at once")
        wait_until("its end", lambda: session.api("GET", "session").status == 401)
        self.assertGreaterEqual(time.time(), expiry)
        self.assert_signed_out(session)

    def test_admin_links_sign_in_with_their_role(self):
        for role in ("viewer", "operator", "admin"):
            words = ["admin-link", "--expires", "10m", "--role", role, "--user", "olga"]
            line = self.world.must(*words).strip().splitlines()[-1]
            match = re.search(r"http://127\.0\.0\.1:(\d+)/sign-in#([\w-]+)$", line)
            self.assertTrue(match, line)
            self.assertEqual(int(match[1]), self.world.admin_port)
            session = Operator(self.world, token=match[2]).session()
            info = session.must("GET", "session")
            self.assertEqual((info["user"], info["role"]), ("olga", role))


class OtherSites(Case):
    """Requests that a page of another site can make a signed-in browser send."""

    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.operator = Operator(cls.world)
        cls.session = cls.operator.session()

    def cross_site_headers(self):
        """Yields the headers of requests that a browser sends for pages of other sites."""
        host = self.operator.host
        port = self.world.admin_port
        yield {"Sec-Fetch-Site": "cross-site"}
        yield {"Sec-Fetch-Site": "same-site"}
        yield {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"}
        yield {"Sec-Fetch-Site": "same-site", "Origin": f"http://{host}"}
        yield {"Sec-Fetch-Site": "nonsense"}
        yield {"Origin": "https://evil.test"}
        yield {"Origin": "null"}
        yield {"Origin": f"http://127.0.0.1:{port + 1}"}
        yield {"Origin": f"http://sub.127.0.0.1:{port}"}
        yield {"Origin": f"http://{host}.evil.test"}
        yield {"Origin": f"http://evil.test#{host}"}
        yield {}

    def test_refuses_changes_from_another_site(self):
        requests = [
            ("POST", "/api/v1/tokens", {"user": "alice"}),
            ("POST", "/api/v1/revocations", {"user": "alice"}),
            ("PUT", "/api/v1/users/alice/autologin", {"allowed": True}),
            ("POST", "/sign-out", None),
        ]
        # The API's events, because the audit log is written with a delay.
        before = self.operator.events(event="operation")
        for headers in self.cross_site_headers():
            for method, path, body in requests:
                with self.subTest(f"{method} {path}", headers=headers):
                    reply = self.session.request(method, path, body, headers=headers)
                    self.assertEqual(reply.status, 403, reply)
        self.assertEqual(self.session.api("GET", "session").status, 200, "still signed in")
        users = {user["user"]: user for user in self.session.must("GET", "users")["users"]}
        self.assertFalse(users["alice"]["autologin"])
        self.assertEqual(self.operator.events(event="operation"), before)

    def test_accepts_changes_from_the_nodes_own_pages(self):
        host = self.operator.host
        for headers in [
            {"Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": f"http://{host}"},
            {"Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"},
        ]:
            with self.subTest(headers=headers):
                reply = self.session.api("POST", "tokens", {"user": "alice"}, headers=headers)
                self.assertEqual(reply.status, 201, reply)

    def test_bearer_tokens_are_exempt_from_the_origin_check(self):
        for headers in self.cross_site_headers():
            reply = self.operator.api("POST", "tokens", {"user": "alice"}, headers=headers)
            self.assertEqual(reply.status, 201, reply)

    def test_refuses_sign_in_from_another_site(self):
        for headers in self.cross_site_headers():
            if headers:
                with self.subTest(headers=headers):
                    reply = self.operator.sign_in(**headers)
                    self.assertEqual(reply.status, 403, reply)
                    self.assertIsNone(reply.header("Set-Cookie"))

    def test_get_requests_change_nothing(self):
        for path in ("/sign-out", "/api/v1/revocations", "/api/v1/users/alice/autologin"):
            reply = self.session.request("GET", path)
            self.assertIn(reply.status, (404, 405), reply)
        self.assertEqual(self.session.api("GET", "session").status, 200)

    def test_every_page_has_strict_security_headers(self):
        for path in ("/users", "/tokens", "/activity", "/nodes", "/sign-in"):
            with self.subTest(path):
                reply = self.session.request("GET", path)
                policy = reply.header("Content-Security-Policy")
                self.assertIn("default-src 'none'", policy)
                self.assertIn("frame-ancestors 'none'", policy)
                self.assertNotIn("unsafe", policy)
                self.assertNotRegex(reply.text, r"<script(?![^>]*\ssrc=)[^>]*>", "no inline script")
                self.assertNotRegex(reply.text, r"<[^>]+\s(style|on\w+)=", "no inline style")
                self.assertEqual(reply.header("X-Content-Type-Options"), "nosniff")
                self.assertIn(reply.header("Referrer-Policy"), ("no-referrer", "same-origin"))
                self.assertEqual(reply.header("Cache-Control"), "no-store")
