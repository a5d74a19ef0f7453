"""The permissions of each role at the admin door, with a token and with a session.
Admin tokens and profile tokens each work only at their own door."""

import time

import forge
from jeton import Case, World
from operators import ROLES, Operator, admin_token


class Roles(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World().with_signing_key())
        cls.world.serve()
        cls.token = cls.world.mint(uses=9)

    def requests(self):
        """Returns requests that can be repeated, each with the lowest role that may send
        it and the status of success."""
        offline = self.world.mint("bob")
        return [
            ("viewer", 200, "GET", "session", None),
            ("viewer", 200, "GET", "tokens", None),
            ("viewer", 200, "GET", "users", None),
            ("viewer", 200, "GET", "status", None),
            ("viewer", 200, "GET", "activity", None),
            ("viewer", 200, "POST", "inspect", {"token": self.token.token}),
            ("operator", 201, "POST", "tokens", {"user": "alice"}),
            ("operator", 200, "POST", "records", {"token": offline.token}),
            ("operator", 200, "POST", "revocations", {"token": offline.id}),
            ("operator", 200, "POST", "revocations", {"batch": offline.batch}),
            ("operator", 200, "POST", "revocations", {"user": "nobody"}),
            ("admin", 200, "PUT", "users/bob/autologin", {"allowed": True}),
            ("admin", 200, "PUT", "users/bob/autologin", {"allowed": False}),
            ("admin", 200, "POST", "revocations", {"key": "01020304"}),
        ]

    def test_each_role_may_send_its_own_and_lower_requests(self):
        for role, rank in ROLES.items():
            bearer = Operator(self.world, role)
            for needed, status, *request in self.requests():
                with self.subTest(role=role, request=request[:2], body=request[2]):
                    reply = bearer.api(*request)
                    if rank >= ROLES[needed]:
                        self.assertEqual(reply.status, status, reply)
                    else:
                        self.assertEqual((reply.status, reply.error), (403, "role"))

    def test_a_session_has_the_permissions_of_its_token(self):
        same_origin = {"Sec-Fetch-Site": "same-origin"}
        for role, rank in ROLES.items():
            session = Operator(self.world, role).session()
            for needed, status, *request in self.requests():
                with self.subTest(role=role, request=request[:2], body=request[2]):
                    reply = session.api(*request, headers=same_origin)
                    self.assertEqual(reply.status, status if rank >= ROLES[needed] else 403, reply)

    def test_refuses_requests_without_a_valid_admin_token(self):
        world, now = self.world, int(time.time())
        profile_key = world.key("profile")
        clients = {
            "no token": Operator.anonymous(world),
            "nonsense": Operator(world, token="nonsense"),
            "a profile token": Operator(world, token=self.token.token),
            "an admin token by the profile key": Operator(
                world, token=forge.token(profile_key, purpose=forge.ADMIN, variant=2)
            ),
            "a profile token by the admin key": Operator(
                world, token=forge.token(world.key("admin"))
            ),
            "an expired token": Operator(
                world, token=admin_token(world, issued_at=now - 100, lifetime=50)
            ),
            "a future token": Operator(world, token=admin_token(world, issued_at=now + 86_400)),
            "a token with a flipped bit": Operator(
                world, token=forge.flip_bit(admin_token(world), 300)
            ),
        }
        for name, client in clients.items():
            for _, _, *request in self.requests():
                with self.subTest(name, request=request[:2]):
                    reply = client.api(*request)
                    self.assertEqual(reply.status, 401, reply)
                    self.assertEqual(set(reply.json["error"]), {"code", "message", "hint"})

    def test_an_admin_token_gives_no_profile(self):
        for role in ROLES:
            token = admin_token(self.world, role, "alice", uses=1)
            self.assert_refused(self.world.download(token), 404, "token not found")
            self.assertEqual(self.world.get(f"/t/{token}").status, 404)
            self.assertEqual(self.world.get(f"/t/{token}", method="POST").status, 404)
            inspected = Operator(self.world).api("POST", "inspect", {"token": token})
            self.assertNotEqual(inspected.json.get("would"), "deliver", inspected)
            recorded = Operator(self.world).api("POST", "records", {"token": token})
            self.assertIn(recorded.status, (400, 404), recorded)

    def test_refuses_to_revoke_the_key_of_the_request(self):
        key_id = forge.key_id(self.world.key("admin")).hex()
        reply = Operator(self.world).api("POST", "revocations", {"key": key_id})
        self.assertEqual((reply.status, reply.error), (409, "own_key"))

    def test_all_errors_have_the_same_form(self):
        send = Operator(self.world).request
        for status, method, path, body in [
            (404, "GET", "/api/v1/nothing", None),
            (404, "GET", "/nothing", None),
            (405, "DELETE", "/api/v1/tokens", None),
            (405, "GET", "/api/v1/inspect", None),
            (400, "GET", "/api/v1/tokens?limit=0", None),
            (400, "GET", "/api/v1/tokens?limit=1001", None),
            (400, "GET", "/api/v1/tokens?limit=x", None),
            (400, "GET", "/api/v1/tokens?state=dead", None),
            (400, "GET", "/api/v1/tokens?profile_type=other", None),
            (400, "GET", "/api/v1/tokens?user=alice&user=bob", None),
            (400, "GET", "/api/v1/tokens?usr=alice", None),
            (400, "GET", "/api/v1/tokens?after=nonsense", None),
            (400, "GET", "/api/v1/activity?limit=0", None),
            (400, "GET", "/api/v1/activity?event=other", None),
            (400, "POST", "/api/v1/tokens", {}),
            (400, "POST", "/api/v1/tokens", {"user": "a/b"}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "uses": 0}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "uses": -1}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "uses": 1.5}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "uses": 1 << 32}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "uses": "many"}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "lifetime": 0}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "lifetime": 400 * 86_400}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "note": "n" * 201}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "note": "a\nb"}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "network": "nowhere"}),
            (400, "POST", "/api/v1/tokens", {"user": "alice", "kind": "autologin"}),
            (400, "POST", "/api/v1/tokens", "{"),
            (404, "POST", "/api/v1/records", {"token": "nonsense"}),
            (400, "POST", "/api/v1/revocations", {}),
            (400, "POST", "/api/v1/revocations", {"user": "alice", "batch": "01020304"}),
            (400, "POST", "/api/v1/revocations", {"token": "nonsense"}),
            (400, "PUT", "/api/v1/users/alice/autologin", {"allowed": 1}),
        ]:
            with self.subTest(f"{method} {path} {body}"[:120]):
                headers = {"Content-Type": "application/json"} if body else {}
                reply = send(method, path, body, headers=headers)
                self.assertEqual(reply.status, status, reply)
                if path.startswith("/api/"):
                    self.assertEqual(set(reply.json["error"]), {"code", "message", "hint"})
                if status == 405:
                    self.assertTrue(reply.header("Allow"))
