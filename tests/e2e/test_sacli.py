"""Access Server's commands, typed in a shell as its manual shows them, with the program
called as `sacli`."""

import datetime
import json
import re

from jeton import ENVIRONMENT, JETON, LINK, Case, World, run
from operators import Operator

ADDED = rf"\AAdded token, import URL openvpn://import-profile/({LINK})\n\Z"


class Sacli(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.serve()
        (self.world.dir / "sacli").symlink_to(JETON)

    def type(self, line):
        """Runs a command line in the node's directory."""
        return run(["bash", "-c", f"./{line}"], cwd=self.world.dir, env=ENVIRONMENT)

    def added(self, line):
        """Runs a command line that must make a link, and returns the link's URL."""
        done = self.type(line)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, ADDED)
        return re.search(ADDED, done.stdout)[1]

    def uses(self, url):
        """Downloads from a link until it is used up, and returns the number of
        profiles."""
        profiles = 0
        while self.world.curl(url)[0] == 200:
            profiles += 1
        self.assertEqual(self.world.curl(url)[0], 410)
        return profiles

    def test_the_default_is_a_link_for_one_use(self):
        self.assertEqual(self.uses(self.added("sacli --user alice AddProfileToken")), 1)

    def test_the_manuals_examples_set_expiry_and_uses(self):
        options = '--token_expire="1200" --token_usage_count="3"'
        for kind in ("--profile_type", "--token_profile"):
            for line in [
                f"sacli --user alice {kind} user-locked {options} AddProfileToken",
                f"sacli --user=alice {kind}=server-locked {options} AddProfileToken",
                f"sacli AddProfileToken --user alice {kind} user-locked {options}",
            ]:
                with self.subTest(line):
                    url = self.added(line)
                    self.assertEqual(self.lifetime_of(url), 1200)
                    self.assertEqual(self.uses(url), 3)

    def lifetime_of(self, url):
        """Returns the lifetime of a link in minutes."""
        inspected = json.loads(self.world.must("inspect", url, "--format", "json"))
        issued_at, expires_at = (
            datetime.datetime.fromisoformat(inspected[name])
            for name in ("issued_at", "expires_at")
        )
        return (expires_at - issued_at) / datetime.timedelta(minutes=1)

    def test_autologin_needs_the_permission(self):
        line = "sacli --user bob --profile_type autologin AddProfileToken"
        self.assert_failed(self.type(line), "need autologin")
        self.world.must("user", "allow-autologin", "bob")
        url = self.added(line)
        status, profile = self.world.curl(url)
        self.assertEqual(status, 200)
        self.assertNotIn(b"\nauth-user-pass", profile)

    def test_lists_valid_tokens_with_the_documented_columns(self):
        """The columns are the token, its type, its uses, its expiry and its user."""
        urls = [
            self.added("sacli --user alice --token_usage_count=5 AddProfileToken"),
            self.added("sacli --user bob --profile_type server-locked AddProfileToken"),
        ]
        text = self.type("sacli ListProfileTokens").stdout
        for word in ("alice", "bob", "user-locked", "server-locked", "5"):
            self.assertIn(word, text)
        self.assertRegex(text, r"\d{4}-\d\d-\d\d")
        for listed in Operator(self.world).listed().values():
            self.assertIn(listed["id"], text)
        self.world.curl(urls[1])
        text = self.type("sacli ListProfileTokens").stdout
        self.assertIn("alice", text)
        self.assertNotIn("bob", text)

    def test_deletes_a_token_by_id_text_or_url(self):
        operator = Operator(self.world)
        for name in ("id", "token", "url"):
            with self.subTest(name):
                url = self.added("sacli --user alice --token_usage_count 5 AddProfileToken")
                (listed,) = operator.listed().values()
                given = {"id": listed["id"], "token": url.partition("=")[2], "url": url}[name]
                done = self.type(f"sacli --id '{given}' DeleteProfileToken")
                self.assertEqual(done.returncode, 0, done)
                status, body = self.world.curl(url)
                self.assertEqual(status, 410)
                self.assertIn(b"revoked", body)
                self.assertNotIn(listed["id"], self.type("sacli ListProfileTokens").stdout)

    def test_refuses_unknown_users_and_bad_numbers(self):
        for line, *words in [
            ("sacli --user mallory AddProfileToken", "mallory"),
            ("sacli --user carol AddProfileToken", "carol"),
        ]:
            with self.subTest(line):
                self.assert_failed(self.type(line), *words)
        for line, word in [
            ("sacli --user alice --token_expire=0 AddProfileToken", "token_expire"),
            ("sacli --user alice --token_expire=-5 AddProfileToken", "token_expire"),
            ("sacli --user alice --token_expire=soon AddProfileToken", "token_expire"),
            ("sacli --user alice --token_expire=99999999999 AddProfileToken", "token_expire"),
            ("sacli --user alice --token_usage_count=0 AddProfileToken", "token_usage_count"),
            ("sacli --user alice --token_usage_count=-1 AddProfileToken", "token_usage_count"),
            ("sacli --user alice --token_usage_count=1.5 AddProfileToken", "token_usage_count"),
            ("sacli --user alice --profile_type other AddProfileToken", "profile_type"),
        ]:
            with self.subTest(line):
                done = self.type(line)
                self.assertIn(done.returncode, (1, 2), done)
                self.assertEqual(done.stdout, "")
                self.assertIn(word, done.stderr)
        self.assertEqual(Operator(self.world).listed(state="all"), {})

    def test_names_missing_and_contradictory_arguments(self):
        for line, word in [
            ("sacli AddProfileToken", "--user"),
            ("sacli DeleteProfileToken", "--id"),
            ("sacli --user alice", "VERB"),
            ("sacli --id nonsense DeleteProfileToken", "nonsense"),
            ("sacli --user alice --id nonsense AddProfileToken", "--id"),
        ]:
            with self.subTest(line):
                done = self.type(line)
                self.assertIn(done.returncode, (1, 2), done)
                self.assertIn(word, done.stderr)

    def test_a_missing_admin_key_is_not_reported_as_an_unreachable_node(self):
        for key in (self.world.dir / "keys/signing").glob("admin-*"):
            key.rename(self.world.dir / key.name)
        done = self.type("sacli --user alice AddProfileToken")
        self.assertEqual(done.returncode, 0, done)
        self.assertNotIn("No node is reachable", done.stderr)
        self.assertIn("jeton key new --purpose admin", done.stderr)

    def test_refuses_an_unsupported_verb_by_name(self):
        self.assert_failed(self.type("sacli ConfigQuery"), "ConfigQuery")

    def test_help_does_not_repeat_the_program_name(self):
        text = self.type("sacli --help").stdout
        self.assertNotIn("sacli sacli", text)
        self.assertIn("ListProfileTokens", text)
