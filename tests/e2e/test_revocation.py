"""Revoked tokens are refused from the next request on, also after a crash."""

import forge
from jeton import Case, World, must

REVOKED = "revoked"


class Revocation(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.node = self.world.serve()

    def mint_used(self, user="alice", **options):
        """Mints a token and uses it once, so that it is cached everywhere."""
        minted = self.world.mint(user, uses=9, **options)
        self.assert_profile(self.world.download(minted.token))
        return minted

    def assert_revoked(self, *tokens):
        for minted in tokens:
            self.assert_refused(self.world.download(minted.token), 410, REVOKED)

    def restart(self):
        self.node.kill()
        self.node = self.world.serve()

    def test_revokes_a_token_by_id_text_or_link(self):
        names = {
            "id": lambda minted: minted.id,
            "token": lambda minted: minted.token,
            "import link": lambda minted: minted.import_url,
            "download link": lambda minted: minted.download_url,
            "share link": lambda minted: minted.share_url,
        }
        revoked, other = [], self.mint_used()
        for name, name_of in names.items():
            with self.subTest(name):
                minted = self.mint_used()
                self.world.must("revoke", name_of(minted))
                self.assert_revoked(minted)
                revoked.append(minted)
        minted = self.mint_used()
        self.world.must("revoke", "-", input=minted.share_url + "\n")
        revoked.append(minted)
        self.restart()
        self.assert_revoked(*revoked)
        self.assert_profile(self.world.download(other.token))

    def test_revokes_an_unused_token(self):
        minted = self.world.mint(uses="unlimited")
        self.world.must("revoke", minted.id)
        self.assert_revoked(minted)
        self.restart()
        self.assert_revoked(minted)

    def test_revokes_a_batch(self):
        batch = self.world.mint_each(["alice", "bob"], uses=9)
        other = self.mint_used()
        self.assert_profile(self.world.download(batch[0].token))
        self.world.must("revoke", "--batch", batch[0].batch)
        self.assert_revoked(*batch)
        self.restart()
        self.assert_revoked(*batch)
        self.assert_profile(self.world.download(other.token))

    def test_revokes_a_users_tokens_issued_until_now(self):
        old, other = self.mint_used("alice"), self.mint_used("bob")
        self.world.must("revoke", "--user", "alice")
        new = self.world.mint("alice", uses=9)
        self.assert_revoked(old)
        self.assert_profile(self.world.download(new.token), "alice")
        self.restart()
        self.assert_revoked(old)
        self.assert_profile(self.world.download(new.token), "alice")
        self.assert_profile(self.world.download(other.token), "bob")

    def test_revokes_all_tokens_of_a_key(self):
        old = self.mint_used()
        self.world.must("revoke", "--key", old.key_id)
        self.assert_revoked(old, self.world.mint())
        self.restart()
        self.assert_revoked(old, self.world.mint())

    def test_revoking_an_unknown_token_fails_and_changes_nothing(self):
        minted = self.mint_used()
        forged = minted.token[:-3] + ("AAA" if minted.token[-3:] != "AAA" else "BBB")
        for nonsense in ("nonsense", forged, "https://localhost/t/" + forged):
            self.assert_failed(self.world.jeton("revoke", nonsense))
        self.assert_profile(self.world.download(minted.token))

    def test_a_revoked_token_is_not_listed(self):
        minted = self.mint_used()
        self.assertIn(minted.id, self.world.listed())
        self.world.must("revoke", minted.id)
        self.assertNotIn(minted.id, self.world.listed())

    def test_granting_and_denying_autologin_survive_a_crash(self):
        minted = self.world.mint(profile_type="autologin", uses=9)
        self.world.must("user", "allow-autologin", "alice")
        self.restart()
        self.assert_profile(self.world.download(minted.token))
        self.world.must("user", "deny-autologin", "alice")
        self.assertEqual(self.world.download(minted.token).status, 403)
        self.restart()
        self.assertEqual(self.world.download(minted.token).status, 403)

    def test_the_admin_door_accepts_only_admin_tokens(self):
        profile = forge.token(self.world.key("profile"), purpose=forge.ADMIN, variant=2)
        for token in ("nonsense", self.world.mint().token, profile):
            with self.subTest(token[:10]):
                status = must(self.api_request(token))
                self.assertIn(status, ("401", "403"))
        admin = forge.token(self.world.key("admin"), purpose=forge.ADMIN, variant=2, uses=None)
        self.assertEqual(must(self.api_request(admin)), "200")

    def api_request(self, token):
        """Returns a curl command that prints the status of an API request."""
        url = f"http://127.0.0.1:{self.world.admin_port}/api/v1/tokens"
        header = f"Authorization: Bearer {token}"
        return ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", header, url]
