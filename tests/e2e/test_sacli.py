"""Access Server's words, typed as its manual has them, in a shell, where the
program is called `sacli`."""

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
        """Types a line in the folder of the node, as root does."""
        return run(["bash", "-c", f"./{line}"], cwd=self.world.dir, env=ENVIRONMENT)

    def added(self, line):
        """Types a line that has to make a link, and returns its URL."""
        done = self.type(line)
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, ADDED)
        return re.search(ADDED, done.stdout)[1]

    def uses(self, url):
        """Uses a link until it gives no profile, and returns how often it did."""
        profiles = 0
        while self.world.curl(url)[0] == 200:
            profiles += 1
        self.assertEqual(self.world.curl(url)[0], 410)
        return profiles

    def test_the_plain_words_make_a_link_for_one_use(self):
        self.assertEqual(self.uses(self.added("sacli --user alice AddProfileToken")), 1)

    def test_the_transcripts_give_what_they_say(self):
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
        """Returns how long a link lives, in minutes."""
        said = json.loads(self.world.did("inspect", url, "--format", "json"))
        issued_at, expires_at = (
            datetime.datetime.fromisoformat(said[name]) for name in ("issued_at", "expires_at")
        )
        return (expires_at - issued_at) / datetime.timedelta(minutes=1)

    def test_autologin_needs_the_permission(self):
        line = "sacli --user bob --profile_type autologin AddProfileToken"
        self.assert_failed(self.type(line), "need autologin")
        self.world.did("user", "allow-autologin", "bob")
        url = self.added(line)
        status, profile = self.world.curl(url)
        self.assertEqual(status, 200)
        self.assertNotIn(b"\nauth-user-pass", profile)

    def test_the_list_has_what_the_manual_says_and_valid_tokens_only(self):
        """The token, its type, its usages, its expiry and its user."""
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

    def test_a_token_is_deleted_by_its_id_itself_or_its_url(self):
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

    def test_an_unknown_user_and_bad_numbers_are_clear_errors(self):
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

    def test_missing_words_are_asked_for(self):
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

    def test_a_node_without_a_key_to_ask_it_is_not_called_out_of_reach(self):
        for key in (self.world.dir / "keys/signing").glob("admin-*"):
            key.rename(self.world.dir / key.name)
        done = self.type("sacli --user alice AddProfileToken")
        self.assertEqual(done.returncode, 0, done)
        self.assertNotIn("No node is reachable", done.stderr)
        self.assertIn("jeton key new --purpose admin", done.stderr)

    def test_a_verb_that_is_not_spoken_names_the_command_to_use(self):
        self.assert_failed(self.type("sacli ConfigQuery"), "ConfigQuery")

    def test_help_speaks_of_sacli_only_once(self):
        text = self.type("sacli --help").stdout
        self.assertNotIn("sacli sacli", text)
        self.assertIn("ListProfileTokens", text)
