"""The command line: Access Server's words, results that programs can read, and
exit codes that scripts can trust."""

import csv
import io
import json

import forge
from jeton import LINK, Case, World, jeton


class Mint(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())

    def did(self, *arguments):
        return self.world.did("mint", "--user", "alice", *arguments)

    def test_formats_carry_one_token_each(self):
        url = self.did("--format", "url")
        self.assertRegex(url, rf"\Aopenvpn://import-profile/{LINK}\n\Z")
        minted = json.loads(self.did("--format", "json"))
        self.assertRegex(minted["download_url"], rf"\A{LINK}\Z")
        self.assertTrue(minted["share_url"].endswith(f"/t/{minted['token']}"))
        (row,) = csv.DictReader(io.StringIO(self.did("--format", "csv")))
        self.assertEqual(row.keys(), minted.keys())
        text = self.did()
        for link in ("openvpn://import-profile/https://", "/t/", "/rest/GetProfileViaToken?token="):
            self.assertIn(link, text)

    def test_the_defaults_are_one_use_one_hour_user_locked(self):
        link = self.did("--format", "url")
        said = json.loads(self.world.did("inspect", "-", "--format", "json", input=link))
        self.assertEqual((said["uses"], said["profile_type"]), (1, "user-locked"))
        self.assertTrue(said["valid_now"])
        self.assertEqual(said["signature"], "holds")

    def test_all_tokens_of_a_run_are_one_batch(self):
        minted = self.world.mint_each(["alice", "bob"])
        self.assertEqual(minted[0].batch, minted[1].batch)
        self.assertNotEqual(minted[0].batch, self.world.mint().batch)

    def test_autologin_needs_a_word(self):
        arguments = ["mint", "--user", "alice", "--profile-type", "autologin"]
        self.assert_failed(self.world.jeton(*arguments), "need autologin")
        self.world.did(*arguments, "--allow-autologin")

    def test_a_permission_file_from_the_node_is_enough_offline(self):
        with World() as world:
            world.serve()
            world.did("user", "allow-autologin", "alice")
            users = world.dir / "users.toml"
            users.write_text(world.did("user", "list", "--format", "toml"))
            world.node.kill()
            minting = ["--profile-type", "autologin", "--users", users]
            world.did("mint", "--user", "alice", *minting)
            self.assert_failed(world.jeton("mint", "--user", "bob", *minting), "need autologin")

    def test_a_qr_code_is_for_eyes_and_not_for_pipes(self):
        done = self.world.jeton("mint", "--user", "alice", "--format", "url", "--qr")
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertGreater(len(done.stderr.splitlines()), 10)

    def test_minting_needs_neither_a_node_nor_a_ledger(self):
        key = self.world.key("profile")
        arguments = ["mint", "--user", "alice", "--key", key, "--public-url", self.world.url]
        done = jeton(*arguments, "--format", "url", cwd="/")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, LINK)


class Codes(Case):
    def test_exit_codes_are_0_done_1_failed_2_usage(self):
        with World() as world:
            cases = [
                (0, ["--help"]),
                (0, ["--version"]),
                (0, ["mint", "--help"]),
                (0, ["config", "example"]),
                (1, ["list", "--config", world.config]),
                (1, ["mint", "--user", "alice", "--config", world.dir / "gone.toml"]),
                (1, ["inspect", "nonsense"]),
                (1, ["healthcheck", "--config", world.config]),
                (2, []),
                (2, ["nonsense"]),
                (2, ["mint"]),
                (2, ["mint", "--user", "alice", "--uses", "0"]),
                (2, ["mint", "--user", "a/b"]),
                (2, ["mint", "--user", "alice", "--profile-type", "other"]),
                (2, ["revoke"]),
                (2, ["key", "retire", "nonsense"]),
            ]
            for code, arguments in cases:
                with self.subTest(" ".join(map(str, arguments))):
                    done = jeton(*arguments, cwd=world.dir / "keys")
                    self.assertEqual(done.returncode, code, done)
                    if code == 1:
                        self.assert_failed(done)

    def test_a_passed_moment_is_a_failure(self):
        with World() as world:
            done = world.jeton("mint", "--user", "alice", "--expires", "2020-01-01T00:00Z")
            self.assert_failed(done, "in the past")

    def test_healthcheck_says_by_its_code_whether_the_node_is_ready(self):
        with World() as world:
            self.assert_failed(world.jeton("healthcheck"), "/readyz")
            node = world.serve()
            self.assertEqual(world.jeton("healthcheck").returncode, 0)
            said = json.loads(world.did("healthcheck", "--format", "json"))
            self.assertEqual((said["ready"], said["status"]), (True, 200))
            node.kill()
            self.assert_failed(world.jeton("healthcheck"), "/readyz")


class Inspect(Case):
    def test_stdin_file_and_damage(self):
        with World() as world:
            minted = world.mint("bob", uses=7)
            for link in (minted.token, minted.import_url, minted.download_url, minted.share_url):
                text = world.did("inspect", "-", input=f"{link}\n")
                for word in ("bob", minted.id, minted.batch, minted.key_id, "holds"):
                    self.assertIn(word, text)
            damaged = forge.flip_bit(minted.token, 8 * 90)
            done = world.jeton("inspect", "-", input=f"{damaged}\n")
            self.assert_failed(done)
            self.assertIn("DOES NOT HOLD", done.stdout)

    def test_the_node_says_what_a_click_would_do_and_spends_nothing(self):
        with World() as world:
            world.serve()
            minted = world.mint(uses=2)
            for _ in range(3):
                said = json.loads(
                    world.did("inspect", "-", "--node", "--format", "json", input=minted.token)
                )
                self.assertEqual(said["node"]["would"], "deliver")
                self.assertEqual(said["node"]["uses_left"], 2)


class Documents(Case):
    def test_completions_and_manual_are_there(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("mint", jeton("completions", shell).stdout)
        self.assertIn(".TH", jeton("man").stdout)

    def test_the_example_configuration_has_every_section(self):
        example = jeton("config", "example").stdout
        for section in ("public", "admin", "keys", "profiles", "ledger", "limits", "log"):
            self.assertIn(f"[{section}]", example)
