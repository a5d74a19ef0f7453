"""Links for many people at once: from a table to a table, or to a sheet of paper
with a code for each."""

import csv
import io
import json
import time

import codes
from jeton import REST, Case, World
from operators import Operator

PEOPLE = """\
user,profile_type,expires,uses
alice,user-locked,2h,3
bob,server-locked,1d,
alice,,,unlimited
"""


class Bulk(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()

    def file(self, text, name="users.csv"):
        path = self.world.dir / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def bulk(self, text, *options):
        return self.world.jeton("mint", "--csv", self.file(text), *options, timeout=600)

    def minted(self, text, *options):
        """Mints what has to succeed, and returns the rows of the table."""
        done = self.bulk(text, "--format", "csv", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def test_each_row_is_a_link_as_it_says_and_else_as_usual(self):
        rows = self.minted(PEOPLE)
        self.assertEqual([row["user"] for row in rows], ["alice", "bob", "alice"])
        kinds = [row["profile_type"] for row in rows]
        self.assertEqual(kinds, ["user-locked", "server-locked", "user-locked"])
        uses = [self.inspect(row)["uses"] for row in rows]
        self.assertEqual(uses, [3, 1, None])
        self.assertEqual(len({row["id"] for row in rows}), 3)
        for row in rows:
            self.assertEqual(self.world.curl(row["download_url"])[0], 200)

    def inspect(self, row):
        return json.loads(self.world.did("inspect", row["share_url"], "--format", "json"))

    def test_the_user_is_enough_and_columns_have_any_order(self):
        self.assertEqual(len(self.minted("user\nalice\nbob\n")), 2)
        (row,) = self.minted("uses,user\n7,alice\n")
        self.assertEqual(self.inspect(row)["uses"], 7)

    def test_files_as_spreadsheets_write_them(self):
        for name, text in {
            "a byte order mark": b"\xef\xbb\xbfuser,uses\nalice,2\n",
            "Windows line ends": b"user,uses\r\nalice,2\r\n",
            "quotes": b'"user","uses"\n"alice","2"\n',
            "no last line end": b"user,uses\nalice,2",
            "semicolons": b"user;uses\r\nalice;2\r\n",
            "tabs": b"user\tuses\nalice\t2\n",
            "names in capitals": b"User,USES\nalice,2\n",
        }.items():
            with self.subTest(name):
                (row,) = self.minted(text)
                self.assertEqual(self.inspect(row)["uses"], 2)

    def test_json_has_what_the_table_has(self):
        done = self.bulk(PEOPLE, "--format", "json")
        said = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["user"] for row in said], ["alice", "bob", "alice"])
        self.assertEqual(said[0].keys(), self.minted(PEOPLE)[0].keys())

    def test_a_bad_row_names_line_and_column_and_nothing_is_minted(self):
        good = "user,profile_type,expires,uses\nalice,user-locked,1h,1\n"
        for row, column in [
            ("a/b,,,", "user"),
            (",,,", "user"),
            ("bob,other,,", "profile_type"),
            ("bob,,yesterday,", "expires"),
            ("bob,,0h,", "expires"),
            ("bob,,,0", "uses"),
            ("bob,,,many", "uses"),
        ]:
            with self.subTest(row):
                done = self.bulk(f"{good}{row}\nalice,,,\n")
                self.assert_failed(done, "line 3", column)
                self.assertEqual(done.stdout, "")
        done = self.bulk(good + "bob,,\n")
        self.assert_failed(done, "line 3")
        self.assertEqual(done.stdout, "")

    def test_a_bad_heading_is_named(self):
        for text, word in [
            ("name,uses\nalice,1\n", "user"),
            ("user,colour\nalice,red\n", "colour"),
            ("user,user\nalice,bob\n", "user"),
            ("", "user"),
        ]:
            with self.subTest(text):
                done = self.bulk(text)
                self.assert_failed(done, word)
                self.assertEqual(done.stdout, "")

    def test_many_bad_cells_are_told_at_once(self):
        done = self.bulk("user,uses\n" + "alice,0\n" * 7)
        self.assert_failed(done, "line 2", "line 6", "and 2 more")
        self.assertEqual(done.stdout, "")

    def test_no_word_of_a_table_commands_the_terminal(self):
        self.assertNotIn("\x1b", self.bulk("user,\x1b[31mred\nalice,1\n").stderr)

    def test_what_a_table_lacks_is_told_as_what_it_is(self):
        self.assertIn("CSV UTF-8", self.bulk(b"user\nj\xfcrgen\n").stderr)
        self.assert_failed(self.bulk('user\nalice\n"bob\n'), "line 3 has an opening quote")
        done = self.world.jeton("mint", "--csv", "none.csv")
        self.assert_failed(done, "none.csv")
        self.assertNotIn("column", done.stderr)

    def test_autologin_needs_the_permission_in_a_table_too(self):
        done = self.bulk("user,profile_type\nalice,\nbob,autologin\n")
        self.assert_failed(done, "line 3", "need autologin")
        self.assertEqual(done.stdout, "")
        vouched = self.minted("user,profile_type\nbob,autologin\n", "--allow-autologin")
        self.assertEqual(len(vouched), 1)

    def test_one_word_revokes_the_lot(self):
        rows, others = self.minted(PEOPLE), self.minted("user\nbob\n")
        (batch,) = {row["batch"] for row in rows}
        self.assertEqual(self.world.curl(rows[0]["download_url"])[0], 200)
        self.world.did("revoke", "--batch", batch)
        for row in rows:
            status, body = self.world.curl(row["download_url"])
            self.assertEqual(status, 410)
            self.assertIn(b"revoked", body)
        self.assertEqual(self.world.curl(others[0]["download_url"])[0], 200)

    def test_100_000_rows_are_minted_in_seconds(self):
        count = 100_000
        text = "user\n" + "".join(f"user{number}@example.test\n" for number in range(count))
        begun = time.monotonic()
        rows = self.minted(text)
        print(f"        {count} rows in {time.monotonic() - begun:.1f} s")
        self.assertEqual(len({row["id"] for row in rows}), count)
        self.assertEqual(rows[-1]["user"], f"user{count - 1}@example.test")
        self.assertEqual(len({row["batch"] for row in rows}), 1)

    def test_a_sheet_has_a_code_for_each_that_a_phone_can_read(self):
        sheet = self.world.dir / "sheet.html"
        rows = self.minted(PEOPLE, "--sheet", sheet)
        self.assertEqual(sheet.stat().st_mode & 0o077, 0, "the links are for nobody else")
        text = sheet.read_text()
        self.assertNotIn("<script", text)
        tokens = [row["download_url"].partition("token=")[2] for row in rows]
        scanned = {f"openvpn://import-profile/{self.world.url}{REST}/{token}" for token in tokens}
        self.assertEqual(set(codes.read_file(sheet)), scanned)
        for row in rows:
            self.assertIn(row["user"], text)
        self.assert_failed(self.bulk(PEOPLE, "--sheet", sheet), sheet)
        self.assertEqual(sheet.read_text(), text, "a sheet is not written over")

    def test_a_table_is_for_pipes_and_progress_for_eyes(self):
        done = self.bulk(PEOPLE, "--format", "csv")
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[0].split(",")[:1], ["id"])


class Recorded(Case):
    def test_a_table_can_be_recorded_at_the_node(self):
        with World() as world:
            world.serve()
            path = world.dir / "users.csv"
            path.write_text("user\nalice\nbob\n")
            done = world.did("mint", "--csv", path, "--format", "csv", "--record")
            ids = {row["id"] for row in csv.DictReader(io.StringIO(done))}
            self.assertEqual(set(Operator(world).listed()), ids)

    def test_the_node_is_asked_who_there_is_and_who_may(self):
        with World() as world:
            world.serve()
            path = world.dir / "users.csv"
            path.write_text("user,profile_type\nalice,\nmallory,\nbob,autologin\n")
            done = world.jeton("mint", "--csv", path, "--record")
            words = ["line 3, column `user`: unknown user mallory"]
            words += ["line 4, column `profile_type`: need autologin"]
            self.assert_failed(done, *words)
            self.assertEqual(done.stdout, "")
            self.assertEqual(Operator(world).listed(state="all"), {})
            world.did("user", "allow-autologin", "bob")
            world.did("mint", "--user", "bob", "--profile-type", "autologin", "--record")
            self.assertEqual(len(Operator(world).listed()), 1)
