"""What the end-to-end tests share.

A `World` is a folder as an operator has it: keys, ledger, certificate and
jeton.toml, made by `jeton init`, with profiles from a real easy-rsa PKI. Its
`serve` starts a `Node`, a real process, which can be killed and started again.
`World.send` speaks to it in bytes that are all ours.

Nothing here sleeps for a fixed time: what must happen is polled for, and has a
deadline.
"""

import atexit
import collections
import functools
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import tomllib
import types
import unittest
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
JETON = os.environ.get("JETON", str(HERE.parents[1] / "target" / "debug" / "jeton"))
REST = "/rest/GetProfileViaToken"
LINK = r"https://localhost:\d+/rest/GetProfileViaToken\?token=[A-Za-z0-9_-]+"
# How long anything is waited for: as long as a machine may take that is slow, busy and
# stands still for seconds. Only what fails takes so long.
PATIENCE_S = 60

# Where a node runs: its address, and what to write before a command there.
Place = collections.namedtuple("Place", "host inside")
LOOPBACK = Place("127.0.0.1", ())

# Nothing of the caller's configuration may reach the program under test.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("JETON") and name not in ("RUST_LOG", "NO_COLOR")
}


def wait_until(what, condition, patience_s=PATIENCE_S):
    """Polls until `condition` gives something true, and returns that."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {patience_s} s in vain for {what}")
        time.sleep(0.01)
    return found


def needs(possible, what):
    """Skips the test if something cannot be had here; on CI that is a failure."""
    if possible:
        return
    if os.environ.get("CI"):
        raise AssertionError(f"on CI nothing is skipped, but {what}")
    raise unittest.SkipTest(what)


# Ports that the system gives to no outgoing connection. None is given out twice:
# a node whose port is still unused, or that is down, has nothing that holds it.
PORTS = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port(kind=socket.SOCK_STREAM):
    """Finds a port that nobody else here has or takes while a node is down."""
    for port in PORTS:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def run(command, **options):
    """Runs a command to its end and returns what became of it."""
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "timeout": 2 * PATIENCE_S, **options}
    if "input" in options:
        del options["stdin"]
    return subprocess.run(command, capture_output=True, text=True, **options)


def must(command, **options):
    """Runs a command that has to succeed and returns what it printed."""
    done = run(command, **options)
    if done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def jeton(*arguments, **options):
    """Runs the program to its end and returns what became of it."""
    return run([JETON, *map(str, arguments)], **options)


@functools.cache
def vpn_folder():
    """Makes one VPN by easy-rsa for the whole run. Tests only read it."""
    folder = Path(tempfile.mkdtemp(prefix="jeton-e2e-vpn-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    port = free_port(socket.SOCK_DGRAM)
    must(["bash", HERE / "pki.sh", folder, str(port)])
    return folder


def tree(folder):
    """Takes down what is in a folder: names, modes and contents."""
    return {
        str(path.relative_to(folder)): (
            oct(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(folder.rglob("*"))
    }


class World:
    """A folder in which everything is that a node needs."""

    alive = []

    def __init__(self, profiles=None, place=LOOPBACK):
        self.place = place
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-"))
        self.has_tls = True
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.config = self.dir / "jeton.toml"
        self.log = self.dir / "serve.log"
        self.node = None
        must([JETON, "init", "--dir", self.dir, "--public-url", self.url])
        self.keys = {
            (purpose, place): path
            for purpose in ("profile", "admin")
            for place, pattern in (("signing", f"{purpose}-*.pem"), ("trusted", f"{purpose}/*.pem"))
            for path in (self.dir / "keys" / place).glob(pattern)
        }
        self.configure(profiles or easy_rsa(vpn_folder()))

    def __enter__(self):
        World.alive.append(self)
        return self

    def __exit__(self, _, error, __):
        if self.node:
            self.node.kill()
        if error:
            error.add_note(self.last_words())
        World.alive.remove(self)
        shutil.rmtree(self.dir, ignore_errors=True)

    def last_words(self):
        """Returns what the node said last, for a test that failed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"last words of {self.log}:", *lines[-15:]])

    def configure(self, profiles):
        """Says where profiles come from, where the doors are, and that these tests
        may ask as often as they like and, on a slow machine, as slowly."""
        text = self.config.read_text()
        public, admin = f"{self.place.host}:{self.port}", f"127.0.0.1:{self.admin_port}"
        for door, address in ("public", public), ("admin", admin):
            line = rf'(?m)^(\[{door}\]\nlisten = )".*"$'
            text, count = re.subn(line, rf'\1"{address}"', text)
            assert count == 1, text
        limits = "[limits]\nrate_burst = 1000000\nrate_per_second = 1000000\n"
        limits += "head_time_s = 30\nhandshake_time_s = 30\n"
        self.config.write_text(f"{text}\n{profiles}\n{limits}")

    def behind_a_proxy(self):
        """Has the node speak plain HTTP, and believe a proxy on this machine."""
        self.change("tls_cert =", 'plain_http = true\ntrusted_proxies = ["127.0.0.1"]\n#')
        self.change("tls_key =", "#tls_key =")
        self.has_tls = False
        return self

    def mints_itself(self):
        """Gives the node a signing key, which is the operator's decision."""
        key = self.key("profile").relative_to(self.dir)
        self.change("[admin]\n", f'[admin]\nsigning_key = "{key}"\n')
        return self

    @property
    def audit_file(self):
        return self.dir / tomllib.loads(self.config.read_text())["log"]["audit"]

    @property
    def audit(self):
        """The events of the audit log. The last line may still be on its way."""
        file = self.audit_file
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def change(self, old, new):
        """Replaces a text in jeton.toml, which must be there."""
        text = self.config.read_text()
        assert old in text, (old, text)
        self.config.write_text(text.replace(old, new, 1))

    def jeton(self, *arguments, **options):
        """Runs a command of jeton and returns what became of it."""
        command, *rest = arguments
        words = [JETON, command, "--config", self.config, *rest]
        return run([*self.place.inside, *map(str, words)], **options)

    def did(self, *arguments, **options):
        """Runs a command of jeton that has to succeed and returns its result."""
        done = self.jeton(*arguments, **options)
        if done.returncode:
            raise AssertionError(f"jeton {arguments} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def mint(self, user="alice", **options):
        """Mints one token; `uses=3` is `--uses 3`. The result has the fields of
        `--format json`."""
        return self.mint_each([user], **options)[0]

    def mint_each(self, users, **options):
        """Mints one token for each user, in one batch."""
        arguments = [word for user in users for word in ("--user", user)]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        if options.get("profile_type") == "autologin":
            arguments.append("--allow-autologin")
        lines = self.did("mint", "--format", "json", *arguments).splitlines()
        return [types.SimpleNamespace(**json.loads(line)) for line in lines]

    def listed(self):
        """Returns the ledger's live tokens by their ids."""
        return {token["id"]: token for token in json.loads(self.did("list", "--format", "json"))}

    def key(self, purpose, place="signing"):
        """Returns the file of the key that `init` made."""
        return self.keys[purpose, place]

    def serve(self, *options, **more):
        """Starts the node and waits until it is ready; the options of `Node`."""
        node = self.start(*options, **more)
        node.wait_until_ready()
        return node

    def start(self, *options, **more):
        """Starts the node, ready or not."""
        self.node = Node(self, *options, **more)
        return self.node

    def is_ready(self):
        """Whether the node says that it can deliver now."""
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def connect(self, receive_buffer=None):
        """Opens a TLS connection that trusts the node's own certificate only. A
        small buffer makes a slow reader, in bytes."""
        context = ssl.create_default_context(cafile=self.dir / "tls" / "cert.pem")
        plain = socket.socket()
        try:
            plain.settimeout(PATIENCE_S)
            if receive_buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.connect((self.place.host, self.port))
            if not self.has_tls:
                return plain
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def send(self, request):
        """Sends these bytes and returns the first answer, if there was one."""
        with self.connect() as connection:
            connection.sendall(request)
            return Answer.read(connection, request[:5] == b"HEAD ")

    def get(self, target, method="GET", headers=()):
        """Sends a plain request."""
        return self.send(request(target, method, headers))

    def download(self, token):
        """Redeems a token the plain way."""
        return self.get(f"{REST}?token={token}")

    def curl(self, url, *options):
        """Asks by the real curl; returns the status and the body."""
        out = self.dir / "curl.out"
        out.unlink(missing_ok=True)
        status = must([*self.curl_command(out), *options, url])
        return int(status), out.read_bytes() if out.exists() else b""

    def curl_command(self, out):
        """Returns a curl that writes the body to `out` and prints the status."""
        certificate = self.dir / "tls" / "cert.pem"
        limits = f"--max-time {PATIENCE_S} --cacert {certificate}"
        return f"curl -sS {limits} -o {out} -w %{{http_code}}".split()


def easy_rsa(folder):
    """Writes the configuration of profiles from a folder that pki.sh made."""
    return (
        f'[profiles]\nsource = "easy-rsa"\npki = "{folder}/pki"\n'
        f'template = "{folder}/client-template.txt"\ntls_crypt = "{folder}/tls-crypt.key"\n'
    )


def directory(folder):
    """Writes the configuration of profiles that lie ready in a folder."""
    return f'[profiles]\nsource = "directory"\nroot = "{folder}"\n'


def request(target, method="GET", headers=()):
    """Writes a request whose connection ends with it."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


class Node:
    """A running `jeton serve`. All that it says goes to the world's log."""

    def __init__(self, world, *options, environment=None, limit="true", under=()):
        """Starts it from a shell that first sets a `limit`, with variables
        added to the `environment`, `under` another program."""
        self.world = world
        self.begun = time.monotonic()
        options = options or ("--log-level", "trace")
        shell = ["bash", "-c", f'{limit}; exec "$0" "$@"']
        with world.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*shell, *world.place.inside, *under, JETON, "serve", "--config", world.config, *options],
                env={**ENVIRONMENT, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self):
        return self.process.pid

    def wait_until_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the node ended with {self.process.returncode}")
            return self.world.is_ready()

        wait_until("the node to be ready", ready)

    def kill(self):
        """Takes the process away between two instructions."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    @contextmanager
    def paused(self):
        """Holds the process up: nothing on its disk changes."""
        self.pause()
        try:
            yield
        finally:
            self.go_on()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.terminate()

    def ended(self):
        """Waits for the end and returns the exit code."""
        return self.process.wait(PATIENCE_S)


class Answer:
    """The answer to one request. A status of None is a connection that was
    closed without any."""

    def __init__(self, status=None, head=b"", body=b"", whole=False):
        self.status, self.head, self.body, self.whole = status, head, body, whole

    @classmethod
    def read(cls, connection, is_head=False):
        reader = http.client.HTTPResponse(connection, method="HEAD" if is_head else None)
        try:
            reader.begin()
            body = reader.read()
            whole = True
        except http.client.IncompleteRead as cut:
            body, whole = cut.partial, False
        except (http.client.HTTPException, ConnectionError, ssl.SSLError):
            return cls()
        head = "".join(f"{name.lower()}: {value}\n" for name, value in reader.getheaders())
        return cls(reader.status, head, body, whole)

    def header(self, name):
        found = re.search(rf"(?m)^{name.lower()}: (.*)$", self.head)
        return found and found[1]

    @property
    def is_profile(self):
        """Whether a whole profile came."""
        return self.status == 200 and self.whole and b"\nremote " in self.body

    @property
    def shown(self):
        """Everything that an onlooker can compare, bar the clock. The order of
        the headers is random in every answer, so it tells nothing."""
        lines = self.head.splitlines()
        return self.status, sorted(line for line in lines if line[:5] != "date:"), self.body

    def __repr__(self):
        return f"Answer({self.status}, {self.head!r}, {self.body[:300]!r})"


class Case(unittest.TestCase):
    """A test case with the words of this suite."""

    def stop(self, world):
        """Stops a node in order."""
        world.node.terminate()
        self.assertEqual(world.node.ended(), 0)

    def assert_profile(self, answer, user=None):
        self.assertTrue(answer.is_profile, answer)
        if user:
            self.assertEqual(answer.header("Content-Disposition").count(f"{user}.ovpn"), 2)

    def assert_refused(self, answer, status, text):
        """Access Server's XML, with this status and these words in its message."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("Content-Type"), "text/xml", answer)
        body = answer.body.decode()
        for element in ("<Error>", "<Type>", "<Synopsis>REST method failed</Synopsis>"):
            self.assertIn(element, body)
        self.assertIn(text, re.search("<Message>(.*)</Message>", body)[1])

    def assert_failed(self, done, *words):
        """Exit code 1, and on stderr one `error:` line that has these words, and
        one `hint:` line."""
        self.assertEqual(done.returncode, 1, done)
        errors = re.findall("(?m)^error: .*", done.stderr)
        hints = re.findall("(?m)^hint: .*", done.stderr)
        self.assertEqual((len(errors), len(hints)), (1, 1), done.stderr)
        for word in words:
            self.assertIn(str(word), errors[0])
