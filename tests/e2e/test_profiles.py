"""Profiles of a real easy-rsa PKI, downloaded with the real curl, connect with the real
OpenVPN. Users without a right to a profile get none."""

import re
import shutil

import vpn
from jeton import Case, World, easy_rsa_source, must, vpn_directory, wait_until

KINDS = {
    # kind: (line prefixes that must occur, line prefixes that must not)
    "user-locked": (["<cert>", "<key>", "auth-user-pass", "# OVPN_ACCESS_SERVER_USERNAME="], []),
    "autologin": (
        ["<cert>", "<key>", "# OVPN_ACCESS_SERVER_USERNAME=", "# OVPN_ACCESS_SERVER_AUTOLOGIN=1"],
        ["auth-user-pass"],
    ),
    "server-locked": (
        ["auth-user-pass", "setenv CLIENT_CERT 0"],
        ["<cert>", "<key>", "# OVPN_ACCESS_SERVER_USERNAME="],
    ),
}
FATAL_IN_CLIENTS = ["setenv GENERIC_CONFIG", "client-cert-not-required"]


class Profiles(Case):
    @classmethod
    def setUpClass(cls):
        cls.vpn = vpn_directory()
        cls.world = cls.enterClassContext(World())
        cls.world.serve()
        cls.world.must("user", "allow-autologin", "alice")

    def fetch(self, user, kind):
        """Downloads a profile with curl and returns its path."""
        token = self.world.mint(user, profile_type=kind)
        status, body = self.world.curl(token.download_url)
        self.assertEqual(status, 200, body)
        path = self.world.dir / f"{user}-{kind}.ovpn"
        path.write_bytes(body)
        return path

    def test_each_kind_has_its_required_lines_and_no_forbidden_ones(self):
        for kind, (wanted, unwanted) in KINDS.items():
            with self.subTest(kind):
                lines = self.fetch("alice", kind).read_text().splitlines()
                for start in wanted:
                    self.assertTrue(any(line.startswith(start) for line in lines), start)
                for start in unwanted + FATAL_IN_CLIENTS:
                    self.assertFalse(any(line.startswith(start) for line in lines), start)

    def test_a_profile_is_an_attachment_that_must_not_be_stored(self):
        token = self.world.mint().token
        answer = self.world.download(token)
        self.assert_profile(answer, "alice")
        for name, value in [
            ("Content-Type", "application/x-openvpn-profile"),
            (
                "Content-Disposition",
                "attachment; filename=\"alice.ovpn\"; filename*=utf-8''alice.ovpn",
            ),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Encoding", None),
        ]:
            self.assertEqual(answer.header(name), value, name)

    def test_a_profile_is_never_compressed(self):
        token = self.world.mint().token
        accept = ["Accept-Encoding: gzip, br, deflate, zstd"]
        self.assert_profile(self.world.get(f"/rest/GetProfileViaToken/{token}", headers=accept))

    def test_each_profile_has_the_certificate_of_its_user(self):
        for user in ("alice", "bob"):
            text = self.fetch(user, "user-locked").read_text()
            certificate = re.search("<cert>\n(.*)</cert>", text, re.DOTALL)[1]
            subject = must(["openssl", "x509", "-noout", "-subject"], input=certificate)
            self.assertRegex(subject, rf"CN ?= ?{user}\b")

    def test_autologin_connects_with_the_profile_alone(self):
        vpn.require_tunnel()
        profile = self.fetch("alice", "autologin")
        vpn.with_server(self, self.vpn, "certificate", vpn.connects(profile))

    def test_user_locked_connects_with_certificate_and_password(self):
        vpn.require_tunnel()
        profile = self.fetch("alice", "user-locked")
        right, wrong = self.vpn / "alice.password", self.world.dir / "wrong.password"
        wrong.write_text("alice\nwrong-password\n")
        wrong.chmod(0o600)
        connects = vpn.connects(profile, "--auth-user-pass", right)
        fails = vpn.fails(profile, "AUTH_FAILED", "--auth-user-pass", wrong)
        vpn.with_server(self, self.vpn, "both", f"{connects} && {fails}")

    def test_server_locked_connects_with_a_password_alone(self):
        vpn.require_tunnel()
        profile = self.fetch("bob", "server-locked")
        password = ["--auth-user-pass", self.vpn / "bob.password"]
        vpn.with_server(self, self.vpn, "password", vpn.connects(profile, *password))
        # The server does not answer a client that presents no certificate.
        no_answer = "AUTH_FAILED|certificate", "--hand-window", "4"
        fails = vpn.fails(profile, *no_answer, *password)
        vpn.with_server(self, self.vpn, "both", fails)

    def test_a_revoked_user_gets_no_profile(self):
        answer = self.world.download(self.world.mint("carol", uses=2).token)
        self.assert_refused(answer, 404, "profile not available, ask your administrator")

    def test_autologin_permission_is_checked_at_each_download(self):
        token = self.world.mint("bob", profile_type="autologin", uses=5).token
        denied = "NEED_AUTOLOGIN: user lacks autologin privilege"
        self.assert_refused(self.world.download(token), 403, denied)
        self.world.must("user", "allow-autologin", "bob")
        self.assert_profile(self.world.download(token), "bob")
        self.world.must("user", "deny-autologin", "bob")
        self.assert_refused(self.world.download(token), 403, denied)


class RevokedWhileServing(Case):
    def test_a_certificate_revoked_by_easy_rsa_gives_no_profile(self):
        with World(easy_rsa_source("vpn")) as world:
            vpn_copy = world.dir / "vpn"
            shutil.copytree(vpn_directory(), vpn_copy)
            node = world.serve()
            token = world.mint("bob", uses="unlimited").token
            self.assert_profile(world.download(token))
            revoke(vpn_copy, "bob")
            node.send_sighup()
            wait_until("the refusal", lambda: world.download(token).status == 404)


def revoke(directory, user):
    environment = {"EASYRSA_PKI": str(directory / "pki"), "EASYRSA_BATCH": "1", "PATH": "/usr/bin:/bin"}
    must(["/usr/share/easy-rsa/easyrsa", "revoke", user], env=environment)
