"""No part of a token, a key or a profile appears in a log, at any level, or in the
process list, a core dump or an error message."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import forge
from jeton import (
    REST,
    Case,
    World,
    directory_source,
    easy_rsa_source,
    must,
    require,
    vpn_directory,
    wait_until,
)
from operators import Operator

# Any fragment of a secret that is at least WINDOW + STEP long is found.
WINDOW, STEP = 16, 8
CANARY = "cAnArY-0123456789-aBcDeFgHiJkLmNoPqRsTuVwXyZ_" * 2


def encodings(data):
    """Yields the ways in which a program might write bytes: in hex, as decimal numbers,
    and in base64 at each of its three alignments."""
    yield data.hex()
    yield data.hex().upper()
    yield ", ".join(map(str, data))
    for skip in range(3):
        text = base64.b64encode(data[skip:]).rstrip(b"=").decode()
        # The last character depends on the bytes that follow.
        yield text[:-1]
        yield text[:-1].replace("+", "-").replace("/", "_")


def windows(secret):
    """Yields pieces of a secret, which is text or bytes. Every fragment that is at least
    WINDOW + STEP long contains one of them."""
    for text in encodings(secret) if isinstance(secret, bytes) else [secret]:
        for start in range(0, len(text) - WINDOW + 1, STEP):
            yield text[start : start + WINDOW]


def private_half(path):
    """Returns the secret bytes of a key file. The public key and the encoding also occur
    in certificates."""
    text = must(["openssl", "pkey", "-in", path, "-noout", "-text"])
    digits = text.partition("priv:")[2].partition("pub:")[0]
    return bytes.fromhex("".join(digits.split()).replace(":", ""))


class Secrets(Case):
    """Runs every relevant operation once for each kind of log, then searches the logs
    for secrets."""

    def setUp(self):
        self.world = self.enterContext(World(easy_rsa_source("vpn")).with_signing_key())
        shutil.copytree(vpn_directory(), self.world.dir / "vpn")
        self.secrets = {"the canary": [CANARY]}

    def test_the_text_log_has_no_secrets(self):
        self.search("--log-level", "trace", "--log-format", "text")

    def test_the_json_log_has_no_secrets(self):
        self.search("--log-level", "trace", "--log-format", "json")
        for line in self.world.log.read_text().splitlines():
            self.assertIn("level", json.loads(line))

    def test_the_logs_of_all_libraries_have_no_secrets(self):
        self.search("--log-format", "text", environment={"RUST_LOG": "trace"})

    def search(self, *options, environment=None):
        node = self.world.serve(*options, environment=environment)
        self.run_all_operations(node)
        node.terminate()
        self.assertEqual(node.wait_for_exit(), 0)
        for file in (self.world.log, self.world.audit_file):
            log = file.read_text(errors="replace")
            self.assertIn("used-up", log, "the operations are in the log")
            self.assert_absent(log)

    def assert_absent(self, text):
        self.collect_files()
        for name, secrets in self.secrets.items():
            for secret in secrets:
                for window in windows(secret):
                    at = text.find(window)
                    self.assertEqual(at, -1, f"{name} in: {text[max(0, at - 200) : at]}<here>")
        for line in self.profile:
            self.assertNotIn(line, text)

    def collect_files(self):
        world, pki = self.world, self.world.dir / "vpn" / "pki"
        files = {name: pki / "private" / f"{name}.key" for name in ("alice", "bob", "ca", "server")}
        files |= {purpose: world.key(purpose) for purpose in ("profile", "admin")}
        files["TLS"] = world.dir / "tls" / "key.pem"
        for name, path in files.items():
            self.secrets[f"the {name} key"] = [private_half(path)]
        lines = (world.dir / "vpn" / "tls-crypt.key").read_text().splitlines()
        self.secrets["the tls-crypt key"] = [line for line in lines if line.isalnum()]

    def run_all_operations(self, node):
        self.assert_health_pages_reveal_nothing()
        self.deliver_and_use_up()
        self.refuse_for_each_reason()
        self.send_unusual_requests()
        self.run_commands()
        self.use_the_admin_door()
        self.reload(node)

    def keep(self, name, token):
        """Adds a token to the secrets to search for: its text, and its signature in any
        encoding. The claims before the signature are not secret."""
        self.secrets[name] = [token, forge.decode(token)[-64:]]
        return token

    def assert_health_pages_reveal_nothing(self):
        for path in ("/healthz", "/readyz"):
            answer = self.world.get(path)
            self.assertEqual((answer.status, answer.body), (200, b"ok\n"))

    def deliver_and_use_up(self):
        token = self.keep("a good token", self.world.mint().token)
        answer = self.world.download(token)
        self.assert_profile(answer)
        # Shorter lines are left out: certificates begin alike, and the node's own
        # certificate is public.
        lines = answer.body.decode().splitlines()
        self.profile = [line for line in lines if len(line) >= 60]
        self.assertEqual(self.world.download(token).status, 410)
        self.world.get(f"{REST}?token={token}", method="HEAD")

    def refuse_for_each_reason(self):
        world, key, now = self.world, self.world.key("profile"), int(time.time())
        for name, token in {
            "an expired token": forge.token(key, issued_at=now - 90, lifetime=10),
            "a future token": forge.token(key, issued_at=now + 86_400),
            "an old token": forge.token(key, issued_at=now - 3_000),
            "a flipped token": forge.flip_bit(forge.token(key), 300),
            "an admin token": forge.token(world.key("admin"), purpose=forge.ADMIN, variant=2),
            "a token of an unknown user": world.mint("mallory").token,
            "a token of carol": world.mint("carol").token,
            "an autologin token": world.mint(profile_type="autologin").token,
            "a token for another network": world.mint(network="192.0.2.0/24").token,
        }.items():
            answer = world.download(self.keep(name, token))
            self.assertIn(answer.status, (403, 404, 410), name)

    def send_unusual_requests(self):
        token = self.keep("a token in unusual positions", self.world.mint().token)
        for target in [
            f"{REST}?token={token}%00",
            f"{REST}?token={token}&token={CANARY}",
            f"{REST}/{token}/{CANARY}",
            f"{REST}?token={CANARY}",
            f"{REST}/{CANARY}?{token}",
            f"/{CANARY}/{token}",
            f"/t/{token}",
            f"{REST}?token={token} {CANARY}",
        ]:
            self.world.get(target)
            self.world.get(target, method="POST", headers=["Content-Length: 0"])
            self.world.get(target, method=CANARY)
        for name in ("Referer", "User-Agent", "Authorization", "Cookie", "X-Forwarded-For", CANARY):
            self.world.get("/", headers=[f"{name}: {CANARY}{token}"])
        self.world.send(b"\x16\x03\x01" + CANARY.encode() + b"\r\n\r\n")

    def run_commands(self):
        world = self.world
        minted = world.mint(uses=5)
        self.keep("a revoked token", minted.token)
        world.download(minted.token)
        world.must("inspect", minted.token, "--node")
        world.must("list")
        world.must("revoke", minted.download_url)
        self.assertEqual(world.download(minted.token).status, 410)
        world.must("user", "allow-autologin", "alice")
        done = world.jeton("revoke", forge.flip_bit(minted.token, 300))
        self.assert_failed(done)
        self.assertNotIn(minted.token[-40:], done.stderr)

    def use_the_admin_door(self):
        """Signs in, uses the API and the pages, and sends secrets in wrong places."""
        operator = Operator(self.world)
        self.keep("an admin token", operator.token)
        session = operator.session()
        self.secrets["a session"] = [session.cookie]
        same_origin = {"Sec-Fetch-Site": "same-origin"}
        minted = session.api("POST", "tokens", {"user": "alice"}, headers=same_origin).json
        self.keep("a token minted here", minted["token"])
        offline = self.keep("a recorded token", self.world.mint("bob").token)
        for name in ("records", "inspect", "revocations"):
            session.api("POST", name, {"token": offline}, headers=same_origin)
            operator.api("POST", name, {"token": forge.flip_bit(offline, 300)})
            operator.api("POST", name, {"token": CANARY, CANARY: CANARY})
        unusual = [f"tokens?after={CANARY}", f"tokens?{CANARY}={offline}", f"{CANARY}/{offline}"]
        for target in unusual:
            operator.api("GET", target)
        operator.api("PUT", f"users/{CANARY}{CANARY}/autologin", {"allowed": CANARY})
        for page in ("users", "tokens", "activity", "nodes", "sign-in", offline, CANARY):
            session.request("GET", f"/{page}?user={CANARY}")
        for text in (offline, CANARY, f"http://{operator.host}/sign-in#{operator.token}"):
            operator.sign_in(text)
        Operator(self.world, cookie=CANARY).api("GET", "tokens")
        Operator(self.world, token=CANARY).api("GET", "tokens")
        operator.request("GET", "/metrics")
        session.request("POST", "/sign-out", headers=same_origin)

    def reload(self, node):
        """Reloads good files, then a broken TLS key. Downloads a broken profile."""
        node.send_sighup()
        key = self.world.dir / "tls" / "key.pem"
        good = key.read_text()
        key.write_text(f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n")
        before = self.world.log.stat().st_size
        node.send_sighup()
        wait_until("the bad key in the log", lambda: self.world.log.stat().st_size > before)
        key.write_text(good)
        broken = self.world.dir / "vpn" / "pki" / "private" / "bob.key"
        original = broken.read_text()
        line = "PRIVATE KEY-----\n"
        broken.write_text(original.replace(line, f"{line}{CANARY}\n", 1))
        self.world.download(self.keep("a token of bob", self.world.mint("bob").token))
        broken.write_text(original)


class BrokenProfile(Case):
    """Errors about a profile do not quote its secrets."""

    def test_errors_about_a_bad_profile_do_not_quote_it(self):
        with World(directory_source("profiles")) as world:
            root = world.dir / "profiles"
            root.mkdir(mode=0o700)
            key = f"-----BEGIN PRIVATE KEY-----\n{CANARY * 4}\n-----END PRIVATE KEY-----\n"
            for user, text in {
                "alice": f"client\nremote a.test\n<key>\n{key}",
                "bob": f"client\nremote a.test\n<key>\n{key}</key>\n<key>\n{key}</key>\n",
                "carol": f"client\nremote a.test {CANARY * 4}\n",
                "dave": f"setenv GENERIC_CONFIG {CANARY}\n",
            }.items():
                path = root / f"{user}.ovpn"
                path.write_text(text)
                path.chmod(0o600)
            world.serve()
            for user in ("alice", "bob", "carol", "dave"):
                answer = world.download(world.mint(user).token)
                self.assert_refused(answer, 404, "profile not available")
                self.assertNotIn(CANARY[:WINDOW].encode(), answer.body)
            for window in windows(CANARY):
                self.assertNotIn(window, world.log.read_text())


class Process(Case):
    def test_the_process_list_shows_no_token(self):
        with World() as world:
            node = world.serve()
            world.download(world.mint().token)
            listed = subprocess.run(["ps", "-o", "args=", "-p", str(node.pid)], capture_output=True)
            self.assertIn(b"serve", listed.stdout)
            self.assertNotIn(b"token", listed.stdout)

    def test_a_crash_leaves_no_core(self):
        """The shell that starts the node allows core dumps of any size."""
        allowed = "ulimit -c unlimited 2>/dev/null || ulimit -c hard"
        with World() as world:
            other = subprocess.Popen(["bash", "-c", f"{allowed}; exec sleep 60"], cwd=world.dir)
            wait_until("the other process", lambda: "sleep" in name_of(other))
            require(dumps_core(other), "this system writes no core dumps")
            node = world.serve(limit=f"cd {world.dir}; {allowed}")
            self.assertFalse(dumps_core(node.process))


def name_of(process):
    return Path(f"/proc/{process.pid}/comm").read_text()


def dumps_core(process):
    """Aborts a process and returns `True` if it dumped core."""
    os.kill(process.pid, signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    return os.WCOREDUMP(status)
