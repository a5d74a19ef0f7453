"""`jeton demo` needs nothing but the program: its links work, and its profiles connect
to the server that it describes."""

import re
import signal
import subprocess
import tempfile
from pathlib import Path

import vpn
from jeton import ENVIRONMENT, JETON, TIMEOUT_S, Case, run, wait_until

CURL = r"(?m)^\s*\$?\s*(curl .*)$"
TOKEN = "[A-Za-z0-9_-]{80,}"


class Demo(Case):
    def setUp(self):
        self.dir = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="jeton-e2e-")))
        self.tmp = self.dir / "tmp"
        self.tmp.mkdir()
        self.output = self.dir / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [JETON, "demo", "--qr"],
                cwd=self.dir,
                env={**ENVIRONMENT, "TMPDIR": str(self.tmp)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.addCleanup(self.end)
        wait_until("the curl line", lambda: re.search(CURL, self.text()))

    def text(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.output.read_text())

    def end(self):
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    def curl(self):
        """Runs the curl line that the demo prints. Returns the finished command and the
        text of the downloaded file, or of standard output if there is no file."""
        line = re.search(CURL, self.text())[1]
        done = run(["bash", "-c", line], cwd=self.dir, env={**ENVIRONMENT, "HOME": str(self.dir)})
        files = sorted(self.dir.glob("*.ovpn"))
        return done, files[0].read_text() if files else done.stdout

    def test_prints_three_links_and_a_qr_code(self):
        text = self.text()
        for pattern in [
            rf"openvpn://import-profile/https://\S+/rest/GetProfileViaToken\?token={TOKEN}",
            rf"(?<!import-profile/)https://\S+/rest/GetProfileViaToken\?token={TOKEN}",
            rf"https://\S+/t/{TOKEN}",
            "[\u2580\u2584\u2588]{5}",
        ]:
            self.assertRegex(text, pattern)

    def test_the_curl_line_works_once_and_the_profile_connects(self):
        first, profile = self.curl()
        self.assertEqual(first.returncode, 0, first)
        self.assertIn("<cert>", profile)
        for file in self.dir.glob("*.ovpn"):
            file.unlink()
        second, body = self.curl()
        self.assertIn("used up", second.stdout + second.stderr + body)
        self.connect(profile)

    def connect(self, profile):
        vpn.require_tunnel()
        (conf,) = self.tmp.rglob("server.conf")
        file = self.dir / "demo.ovpn"
        file.write_text(profile)
        options = []
        if "\nauth-user-pass" in profile:
            # The demo's server checks no password, so any is accepted.
            password = self.dir / "password"
            password.write_text("alice\nany\n")
            password.chmod(0o600)
            options = ["--auth-user-pass", password]
        vpn.with_server(self, conf.parent, "server", vpn.connects(file, *options))

    def test_an_interrupt_stops_the_demo_and_leaves_no_files(self):
        self.assertNotEqual(list(self.tmp.iterdir()), [])
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(TIMEOUT_S), 0)
        self.assertEqual(list(self.tmp.iterdir()), [])
