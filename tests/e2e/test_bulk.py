"""Links for many users at once, from a table to a table or to a printable sheet with a
QR code for each."""

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
        """Mints from a table, which must succeed, and returns the rows of the result."""
        done = self.bulk(text, "--format", "csv", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def test_each_row_sets_the_properties_of_its_link(self):
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
        return json.loads(self.world.must("inspect", row["share_url"], "--format", "json"))

    def test_only_the_user_is_required_and_columns_may_have_any_order(self):
        self.assertEqual(len(self.minted("user\nalice\nbob\n")), 2)
        (row,) = self.minted("uses,user\n7,alice\n")
        self.assertEqual(self.inspect(row)["uses"], 7)

    def test_reads_tables_as_spreadsheets_write_them(self):
        for name, text in {
            "a byte order mark": b"\xef\xbb\xbfuser,uses\nalice,2\n",
            "Windows line endings": b"user,uses\r\nalice,2\r\n",
            "quotes": b'"user","uses"\n"alice","2"\n',
            "no final line ending": b"user,uses\nalice,2",
            "semicolons": b"user;uses\r\nalice;2\r\n",
            "tabs": b"user\tuses\nalice\t2\n",
            "upper-case column names": b"User,USES\nalice,2\n",
        }.items():
            with self.subTest(name):
                (row,) = self.minted(text)
                self.assertEqual(self.inspect(row)["uses"], 2)

    def test_json_has_the_same_fields_as_the_table(self):
        done = self.bulk(PEOPLE, "--format", "json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([row["user"] for row in rows], ["alice", "bob", "alice"])
        self.assertEqual(rows[0].keys(), self.minted(PEOPLE)[0].keys())

    def test_a_bad_row_is_named_by_line_and_column_and_nothing_is_minted(self):
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

    def test_reports_several_bad_cells_at_once(self):
        done = self.bulk("user,uses\n" + "alice,0\n" * 7)
        self.assert_failed(done, "line 2", "line 6", "and 2 more")
        self.assertEqual(done.stdout, "")

    def test_a_table_cannot_send_control_characters_to_the_terminal(self):
        self.assertNotIn("\x1b", self.bulk("user,\x1b[31mred\nalice,1\n").stderr)

    def test_a_bad_file_is_not_reported_as_a_bad_cell(self):
        self.assertIn("CSV UTF-8", self.bulk(b"user\nj\xfcrgen\n").stderr)
        self.assert_failed(self.bulk('user\nalice\n"bob\n'), "line 3 has an opening quote")
        done = self.world.jeton("mint", "--csv", "none.csv")
        self.assert_failed(done, "none.csv")
        self.assertNotIn("column", done.stderr)

    def test_autologin_in_a_table_needs_the_permission(self):
        done = self.bulk("user,profile_type\nalice,\nbob,autologin\n")
        self.assert_failed(done, "line 3", "need autologin")
        self.assertEqual(done.stdout, "")
        rows = self.minted("user,profile_type\nbob,autologin\n", "--allow-autologin")
        self.assertEqual(len(rows), 1)

    def test_one_command_revokes_the_whole_batch(self):
        rows, others = self.minted(PEOPLE), self.minted("user\nbob\n")
        (batch,) = {row["batch"] for row in rows}
        self.assertEqual(self.world.curl(rows[0]["download_url"])[0], 200)
        self.world.must("revoke", "--batch", batch)
        for row in rows:
            status, body = self.world.curl(row["download_url"])
            self.assertEqual(status, 410)
            self.assertIn(b"revoked", body)
        self.assertEqual(self.world.curl(others[0]["download_url"])[0], 200)

    def test_100_000_rows_are_minted_in_seconds(self):
        count = 100_000
        text = "user\n" + "".join(f"user{number}@example.test\n" for number in range(count))
        started = time.monotonic()
        rows = self.minted(text)
        print(f"        {count} rows in {time.monotonic() - started:.1f} s")
        self.assertEqual(len({row["id"] for row in rows}), count)
        self.assertEqual(rows[-1]["user"], f"user{count - 1}@example.test")
        self.assertEqual(len({row["batch"] for row in rows}), 1)

    def test_a_sheet_has_a_readable_qr_code_for_each_link(self):
        sheet = self.world.dir / "sheet.html"
        rows = self.minted(PEOPLE, "--sheet", sheet)
        self.assertEqual(sheet.stat().st_mode & 0o077, 0, "other users cannot read the links")
        text = sheet.read_text()
        self.assertNotIn("<script", text)
        tokens = [row["download_url"].partition("token=")[2] for row in rows]
        scanned = {f"openvpn://import-profile/{self.world.url}{REST}/{token}" for token in tokens}
        self.assertEqual(set(codes.read_file(sheet)), scanned)
        for row in rows:
            self.assertIn(row["user"], text)
        self.assert_failed(self.bulk(PEOPLE, "--sheet", sheet), sheet)
        self.assertEqual(sheet.read_text(), text, "an existing sheet is not overwritten")

    def test_a_piped_table_has_no_terminal_sequences(self):
        done = self.bulk(PEOPLE, "--format", "csv")
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[0].split(",")[:1], ["id"])


class Recorded(Case):
    def test_a_table_can_be_recorded_at_the_node(self):
        with World() as world:
            world.serve()
            path = world.dir / "users.csv"
            path.write_text("user\nalice\nbob\n")
            done = world.must("mint", "--csv", path, "--format", "csv", "--record")
            ids = {row["id"] for row in csv.DictReader(io.StringIO(done))}
            self.assertEqual(set(Operator(world).listed()), ids)

    def test_recording_checks_users_and_permissions_at_the_node(self):
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
            world.must("user", "allow-autologin", "bob")
            world.must("mint", "--user", "bob", "--profile-type", "autologin", "--record")
            self.assertEqual(len(Operator(world).listed()), 1)
