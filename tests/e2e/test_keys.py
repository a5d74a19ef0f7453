"""Keys are files that openssl reads and writes and that other users must not read."""

import os

import forge
from jeton import Case, World, must, tree, wait_until


class Keys(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.node = cls.world.serve()

    def test_openssl_reads_the_private_keys_that_init_makes(self):
        for purpose in ("profile", "admin"):
            private, public = self.world.key(purpose), self.world.key(purpose, "trusted")
            text = must(["openssl", "pkey", "-in", private, "-noout", "-text"])
            self.assertIn("ED25519 Private-Key", text)
            half = must(["openssl", "pkey", "-in", private, "-pubout"])
            self.assertEqual(half, public.read_text())
            self.assertEqual(private.stem, f"{purpose}-{forge.key_id(private).hex()}")
            self.assertEqual(private.stat().st_mode & 0o777, 0o600)

    def test_a_key_made_by_openssl_mints(self):
        signing = self.world.dir / "keys" / "signing"
        private = signing / "profile-new.pem"
        must(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private])
        self.addCleanup(private.unlink)
        key_id = forge.key_id(private).hex()
        minted = self.world.mint(key=key_id)
        self.assertEqual(minted.key_id, key_id)
        answer = self.world.download(minted.token)
        self.assert_refused(answer, 404, "token not found")
        public = self.world.dir / "keys" / "trusted" / "profile" / f"{key_id}.pem"
        must(["openssl", "pkey", "-in", private, "-pubout", "-out", public])
        self.node.send_sighup()
        wait_until("the new key", lambda: self.world.download(minted.token).is_profile)

    def test_a_new_key_takes_over_after_a_reload(self):
        key_id = self.world.must("key", "new").strip()
        self.addCleanup(self.world.must, "key", "retire", key_id)
        minted = self.world.mint()
        self.assertEqual(minted.key_id, key_id)
        self.node.send_sighup()
        wait_until("the new key", lambda: self.world.download(minted.token).is_profile)

    def test_an_encrypted_key_mints_only_with_its_passphrase(self):
        secret = self.world.dir / "passphrase"
        secret.write_text("a passphrase of ours\n")
        secret.chmod(0o600)
        made = self.world.must("key", "new", "--encrypt", "--passphrase-file", secret)
        key_id = made.strip()
        self.addCleanup(self.world.must, "key", "retire", key_id, "--passphrase-file", secret)
        private = self.world.dir / "keys" / "signing" / f"profile-{key_id}.pem"
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", private.read_text())
        text = must(["openssl", "pkey", "-in", private, "-passin", f"file:{secret}", "-pubout"])
        self.assertIn("BEGIN PUBLIC KEY", text)
        arguments = ["mint", "--user", "alice", "--key", key_id]
        self.assert_failed(self.world.jeton(*arguments), private.name)
        self.world.must(*arguments, "--passphrase-file", secret)


class Exposed(Case):
    """Files that other users could read or change are refused by name."""

    CASES = [
        # (path, mode, the command that refuses it)
        ("keys/signing/profile-*.pem", 0o644, ["mint", "--user", "alice"]),
        ("keys/signing/profile-*.pem", 0o640, ["mint", "--user", "alice"]),
        ("keys/signing/admin-*.pem", 0o604, ["list"]),
        ("keys/trusted/profile/*.pem", 0o666, ["serve"]),
        ("keys/trusted/profile", 0o777, ["serve"]),
        ("tls/key.pem", 0o644, ["serve"]),
        ("ledger", 0o755, ["serve"]),
    ]

    def test_files_with_unsafe_permissions_are_refused_by_name(self):
        with World() as world:
            for pattern, mode, command in self.CASES:
                (path,) = world.dir.glob(pattern)
                with self.subTest(path.name, mode=oct(mode)):
                    self.assert_refuses(world, path, mode, command)

    def assert_refuses(self, world, path, mode, command):
        original = path.stat().st_mode
        path.chmod(mode)
        before = tree(world.dir)
        try:
            done = world.jeton(*command)
        finally:
            os.chmod(path, original)
        self.assert_failed(done, path.name)
        after = tree(world.dir)
        self.assertEqual(after.keys(), before.keys())
