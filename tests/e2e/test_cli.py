"""The command line: formats that programs can read, and exit codes that scripts can
rely on."""

import csv
import io
import json

import forge
from jeton import LINK, Case, World, jeton


class Mint(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())

    def mint(self, *arguments):
        return self.world.must("mint", "--user", "alice", *arguments)

    def test_formats_carry_one_token_each(self):
        url = self.mint("--format", "url")
        self.assertRegex(url, rf"\Aopenvpn://import-profile/{LINK}\n\Z")
        minted = json.loads(self.mint("--format", "json"))
        self.assertRegex(minted["download_url"], rf"\A{LINK}\Z")
        self.assertTrue(minted["share_url"].endswith(f"/t/{minted['token']}"))
        (row,) = csv.DictReader(io.StringIO(self.mint("--format", "csv")))
        self.assertEqual(row.keys(), minted.keys())
        text = self.mint()
        for link in ("openvpn://import-profile/https://", "/t/", "/rest/GetProfileViaToken?token="):
            self.assertIn(link, text)

    def test_the_defaults_are_one_use_one_hour_user_locked(self):
        link = self.mint("--format", "url")
        inspected = json.loads(self.world.must("inspect", "-", "--format", "json", input=link))
        self.assertEqual((inspected["uses"], inspected["profile_type"]), (1, "user-locked"))
        self.assertTrue(inspected["valid_now"])
        self.assertEqual(inspected["signature"], "holds")

    def test_all_tokens_of_a_run_are_one_batch(self):
        minted = self.world.mint_each(["alice", "bob"])
        self.assertEqual(minted[0].batch, minted[1].batch)
        self.assertNotEqual(minted[0].batch, self.world.mint().batch)

    def test_autologin_needs_confirmation(self):
        arguments = ["mint", "--user", "alice", "--profile-type", "autologin"]
        self.assert_failed(self.world.jeton(*arguments), "need autologin")
        self.world.must(*arguments, "--allow-autologin")

    def test_minting_offline_accepts_a_permission_file_of_the_node(self):
        with World() as world:
            world.serve()
            world.must("user", "allow-autologin", "alice")
            users = world.dir / "users.toml"
            users.write_text(world.must("user", "list", "--format", "toml"))
            world.node.kill()
            minting = ["--profile-type", "autologin", "--users", users]
            world.must("mint", "--user", "alice", *minting)
            self.assert_failed(world.jeton("mint", "--user", "bob", *minting), "need autologin")

    def test_a_qr_code_goes_to_stderr(self):
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
    def test_exit_codes_are_0_success_1_failure_2_usage(self):
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

    def test_refuses_an_expiry_in_the_past(self):
        with World() as world:
            done = world.jeton("mint", "--user", "alice", "--expires", "2020-01-01T00:00Z")
            self.assert_failed(done, "in the past")

    def test_healthcheck_exit_code_reports_readiness(self):
        with World() as world:
            self.assert_failed(world.jeton("healthcheck"), "/readyz")
            node = world.serve()
            self.assertEqual(world.jeton("healthcheck").returncode, 0)
            reported = json.loads(world.must("healthcheck", "--format", "json"))
            self.assertEqual((reported["ready"], reported["status"]), (True, 200))
            node.kill()
            self.assert_failed(world.jeton("healthcheck"), "/readyz")


class Inspect(Case):
    def test_reads_every_form_from_stdin_and_detects_damage(self):
        with World() as world:
            minted = world.mint("bob", uses=7)
            for link in (minted.token, minted.import_url, minted.download_url, minted.share_url):
                text = world.must("inspect", "-", input=f"{link}\n")
                for word in ("bob", minted.id, minted.batch, minted.key_id, "valid"):
                    self.assertIn(word, text)
            damaged = forge.flip_bit(minted.token, 8 * 90)
            done = world.jeton("inspect", "-", input=f"{damaged}\n")
            self.assert_failed(done)
            self.assertIn("NOT VALID", done.stdout)

    def test_inspect_at_the_node_reports_the_outcome_and_spends_nothing(self):
        with World() as world:
            world.serve()
            minted = world.mint(uses=2)
            for _ in range(3):
                inspected = json.loads(
                    world.must("inspect", "-", "--node", "--format", "json", input=minted.token)
                )
                self.assertEqual(inspected["node"]["would"], "deliver")
                self.assertEqual(inspected["node"]["uses_left"], 2)


class Documents(Case):
    def test_prints_completions_and_a_manual_page(self):
        for shell in ("bash", "zsh", "fish"):
            self.assertIn("mint", jeton("completions", shell).stdout)
        self.assertIn(".TH", jeton("man").stdout)

    def test_the_example_configuration_has_every_section(self):
        example = jeton("config", "example").stdout
        for section in ("public", "admin", "keys", "profiles", "ledger", "limits", "log"):
            self.assertIn(f"[{section}]", example)
