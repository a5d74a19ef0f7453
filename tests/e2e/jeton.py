"""Shared fixtures and helpers of the end-to-end tests.

A `World` is one installation: the directory that `jeton init` makes (keys, ledger,
certificate, jeton.toml), with profiles from a real easy-rsa PKI. `World.serve`
starts a `Node`, a real process that can be killed and restarted. `World.send` sends
it raw bytes.

Nothing here sleeps for a fixed time. Conditions are polled until a deadline.
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
# The limit of every wait. It allows for a slow, busy machine that stalls for seconds;
# only failures take this long.
TIMEOUT_S = 60

# Where a node runs: its address, and the prefix of commands that run there.
Host = collections.namedtuple("Host", "address command_prefix")
LOOPBACK = Host("127.0.0.1", ())

# Keeps the caller's configuration away from the program under test.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("JETON") and name not in ("RUST_LOG", "NO_COLOR")
}


def wait_until(what, condition, timeout_s=TIMEOUT_S):
    """Polls `condition` until it returns a true value, and returns that value."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout_s} s waiting for {what}")
        time.sleep(0.01)
    return found


def require(is_available, reason):
    """Skips the test if a prerequisite is missing; on CI, fails it."""
    if is_available:
        return
    if os.environ.get("CI"):
        raise AssertionError(f"tests must not be skipped on CI: {reason}")
    raise unittest.SkipTest(reason)


# Ports below the ephemeral range, so no outgoing connection takes them. Each is
# handed out once, because a node that is down does not hold its port.
PORTS = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port(kind=socket.SOCK_STREAM):
    """Returns a port that is free and stays reserved while its node is down."""
    for port in PORTS:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def run(command, **options):
    """Runs a command to completion and returns its `CompletedProcess`."""
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "timeout": 2 * TIMEOUT_S, **options}
    if "input" in options:
        del options["stdin"]
    return subprocess.run(command, capture_output=True, text=True, **options)


def must(command, **options):
    """Runs a command that must succeed and returns its standard output."""
    done = run(command, **options)
    if done.returncode:
        raise AssertionError(f"{command} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def jeton(*arguments, **options):
    """Runs jeton to completion and returns its `CompletedProcess`."""
    return run([JETON, *map(str, arguments)], **options)


@functools.cache
def vpn_directory():
    """Makes one easy-rsa PKI for the whole run. Tests must not change it."""
    directory = Path(tempfile.mkdtemp(prefix="jeton-e2e-vpn-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    port = free_port(socket.SOCK_DGRAM)
    must(["bash", HERE / "pki.sh", directory, str(port)])
    return directory


def tree(directory):
    """Returns the contents of a directory: names, modes and file contents."""
    return {
        str(path.relative_to(directory)): (
            oct(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(directory.rglob("*"))
    }


class World:
    """The directory of one node, with everything that the node needs."""

    alive = []

    def __init__(self, profiles=None, host=LOOPBACK):
        self.host = host
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-"))
        self.has_tls = True
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.config = self.dir / "jeton.toml"
        self.log = self.dir / "serve.log"
        self.node = None
        must([JETON, "init", "--dir", self.dir, "--public-url", self.url])
        self.keys = {
            (purpose, role): path
            for purpose in ("profile", "admin")
            for role, pattern in (("signing", f"{purpose}-*.pem"), ("trusted", f"{purpose}/*.pem"))
            for path in (self.dir / "keys" / role).glob(pattern)
        }
        self.configure(profiles or easy_rsa_source(vpn_directory()))

    def __enter__(self):
        World.alive.append(self)
        return self

    def __exit__(self, _, error, __):
        if self.node:
            self.node.kill()
        if error:
            error.add_note(self.last_log_lines())
        World.alive.remove(self)
        shutil.rmtree(self.dir, ignore_errors=True)

    def last_log_lines(self):
        """Returns the last 15 log lines, for a test that failed."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"last lines of {self.log}:", *lines[-15:]])

    def configure(self, profiles):
        """Sets the profile source and the listeners. Lifts the rate limits and
        extends the time limits for slow machines."""
        text = self.config.read_text()
        public, admin = f"{self.host.address}:{self.port}", f"127.0.0.1:{self.admin_port}"
        for door, address in ("public", public), ("admin", admin):
            line = rf'(?m)^(\[{door}\]\nlisten = )".*"$'
            text, count = re.subn(line, rf'\1"{address}"', text)
            assert count == 1, text
        limits = "[limits]\nrate_burst = 1000000\nrate_per_second = 1000000\n"
        limits += "head_time_s = 30\nhandshake_time_s = 30\n"
        self.config.write_text(f"{text}\n{profiles}\n{limits}")

    def behind_a_proxy(self):
        """Configures plain HTTP and trusts a proxy on this machine."""
        self.change("tls_cert =", 'plain_http = true\ntrusted_proxies = ["127.0.0.1"]\n#')
        self.change("tls_key =", "#tls_key =")
        self.has_tls = False
        return self

    def with_signing_key(self):
        """Configures a signing key, which a node does not have by default."""
        key = self.key("profile").relative_to(self.dir)
        self.change("[admin]\n", f'[admin]\nsigning_key = "{key}"\n')
        return self

    @property
    def audit_file(self):
        return self.dir / tomllib.loads(self.config.read_text())["log"]["audit"]

    @property
    def audit(self):
        """The events of the audit log, without a last line that is incomplete."""
        file = self.audit_file
        lines = file.read_text().splitlines(keepends=True) if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def change(self, old, new):
        """Replaces a text in jeton.toml, which must contain it."""
        text = self.config.read_text()
        assert old in text, (old, text)
        self.config.write_text(text.replace(old, new, 1))

    def jeton(self, *arguments, **options):
        """Runs a jeton command with this configuration and returns its
        `CompletedProcess`."""
        command, *rest = arguments
        words = [JETON, command, "--config", self.config, *rest]
        return run([*self.host.command_prefix, *map(str, words)], **options)

    def must(self, *arguments, **options):
        """Runs a jeton command that must succeed and returns its standard output."""
        done = self.jeton(*arguments, **options)
        if done.returncode:
            raise AssertionError(f"jeton {arguments} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def mint(self, user="alice", **options):
        """Mints one token and returns the fields of `--format json`. `uses=3` stands
        for `--uses 3`."""
        return self.mint_each([user], **options)[0]

    def mint_each(self, users, **options):
        """Mints one token per user, in one batch."""
        arguments = [word for user in users for word in ("--user", user)]
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        if options.get("profile_type") == "autologin":
            arguments.append("--allow-autologin")
        lines = self.must("mint", "--format", "json", *arguments).splitlines()
        return [types.SimpleNamespace(**json.loads(line)) for line in lines]

    def listed(self):
        """Returns the ledger's live tokens by id."""
        return {token["id"]: token for token in json.loads(self.must("list", "--format", "json"))}

    def key(self, purpose, role="signing"):
        """Returns the path of a key that `init` made; `role` is signing or trusted."""
        return self.keys[purpose, role]

    def serve(self, *options, **more):
        """Starts the node with the options of `Node` and waits until it is ready."""
        node = self.start(*options, **more)
        node.wait_until_ready()
        return node

    def start(self, *options, **more):
        """Starts the node without waiting until it is ready."""
        self.node = Node(self, *options, **more)
        return self.node

    def is_ready(self):
        """Returns `True` if `/readyz` answers 200."""
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def connect(self, receive_buffer=None):
        """Opens a TLS connection that trusts only the node's own certificate.
        `receive_buffer` is in bytes; a small one makes a slow reader."""
        context = ssl.create_default_context(cafile=self.dir / "tls" / "cert.pem")
        plain = socket.socket()
        try:
            plain.settimeout(TIMEOUT_S)
            if receive_buffer:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.connect((self.host.address, self.port))
            if not self.has_tls:
                return plain
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def send(self, request):
        """Sends raw bytes and returns the first response."""
        with self.connect() as connection:
            connection.sendall(request)
            return Response.read(connection, request[:5] == b"HEAD ")

    def get(self, target, method="GET", headers=()):
        """Sends an ordinary request."""
        return self.send(request(target, method, headers))

    def download(self, token):
        """Redeems a token by the query form."""
        return self.get(f"{REST}?token={token}")

    def curl(self, url, *options):
        """Fetches a URL with the real curl and returns the status and the body."""
        out = self.dir / "curl.out"
        out.unlink(missing_ok=True)
        status = must([*self.curl_command(out), *options, url])
        return int(status), out.read_bytes() if out.exists() else b""

    def curl_command(self, out):
        """Returns a curl command that writes the body to `out` and prints the status."""
        certificate = self.dir / "tls" / "cert.pem"
        limits = f"--max-time {TIMEOUT_S} --cacert {certificate}"
        return f"curl -sS {limits} -o {out} -w %{{http_code}}".split()


def easy_rsa_source(directory):
    """Returns the `[profiles]` section for a directory that pki.sh made."""
    return (
        f'[profiles]\nsource = "easy-rsa"\npki = "{directory}/pki"\n'
        f'template = "{directory}/client-template.txt"\ntls_crypt = "{directory}/tls-crypt.key"\n'
    )


def directory_source(directory):
    """Returns the `[profiles]` section for a directory of .ovpn files."""
    return f'[profiles]\nsource = "directory"\nroot = "{directory}"\n'


def request(target, method="GET", headers=()):
    """Returns the bytes of a request that closes its connection."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


class Node:
    """A running `jeton serve`. Its output goes to the world's log."""

    def __init__(self, world, *options, environment=None, limit="true", under=()):
        """Starts the process from a shell that first runs `limit`. Adds
        `environment` to the variables. `under` is a command that runs the node,
        such as strace."""
        self.world = world
        self.started = time.monotonic()
        options = options or ("--log-level", "trace")
        shell = ["bash", "-c", f'{limit}; exec "$0" "$@"']
        with world.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *shell,
                    *world.host.command_prefix,
                    *under,
                    *(JETON, "serve", "--config", world.config, *options),
                ],
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
                raise AssertionError(f"the node exited with {self.process.returncode}")
            return self.world.is_ready()

        wait_until("the node to be ready", ready)

    def kill(self):
        """Kills the process with SIGKILL and reaps it."""
        self.process.kill()
        self.process.wait(TIMEOUT_S)

    @contextmanager
    def paused(self):
        """Suspends the process, so that nothing on its disk changes."""
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def send_sighup(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.terminate()

    def wait_for_exit(self):
        """Waits until the process exits and returns the exit code."""
        return self.process.wait(TIMEOUT_S)


class Response:
    """The response to one request. Its status is `None` if the connection was
    closed without a response."""

    def __init__(self, status=None, head=b"", body=b"", is_complete=False):
        self.status, self.head, self.body, self.is_complete = status, head, body, is_complete

    @classmethod
    def read(cls, connection, is_head=False):
        reader = http.client.HTTPResponse(connection, method="HEAD" if is_head else None)
        try:
            reader.begin()
            body = reader.read()
            is_complete = True
        except http.client.IncompleteRead as cut:
            body, is_complete = cut.partial, False
        except (http.client.HTTPException, ConnectionError, ssl.SSLError):
            return cls()
        head = "".join(f"{name.lower()}: {value}\n" for name, value in reader.getheaders())
        return cls(reader.status, head, body, is_complete)

    def header(self, name):
        found = re.search(rf"(?m)^{name.lower()}: (.*)$", self.head)
        return found and found[1]

    @property
    def is_profile(self):
        """`True` if a complete profile was received."""
        return self.status == 200 and self.is_complete and b"\nremote " in self.body

    @property
    def comparable(self):
        """Everything that a client can compare, except the date. Header order is
        random in every response, so it is left out."""
        lines = self.head.splitlines()
        return self.status, sorted(line for line in lines if line[:5] != "date:"), self.body

    def __repr__(self):
        return f"Response({self.status}, {self.head!r}, {self.body[:300]!r})"


class Case(unittest.TestCase):
    """A test case with the assertions that the suite shares."""

    def stop(self, world):
        """Stops a node gracefully."""
        world.node.terminate()
        self.assertEqual(world.node.wait_for_exit(), 0)

    def assert_profile(self, answer, user=None):
        self.assertTrue(answer.is_profile, answer)
        if user:
            self.assertEqual(answer.header("Content-Disposition").count(f"{user}.ovpn"), 2)

    def assert_refused(self, answer, status, text):
        """Asserts Access Server's XML error with this status, and `text` in its
        message."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("Content-Type"), "text/xml", answer)
        body = answer.body.decode()
        for element in ("<Error>", "<Type>", "<Synopsis>REST method failed</Synopsis>"):
            self.assertIn(element, body)
        self.assertIn(text, re.search("<Message>(.*)</Message>", body)[1])

    def assert_failed(self, done, *words):
        """Asserts exit code 1 and, on stderr, one `error:` line that contains the
        words and one `hint:` line."""
        self.assertEqual(done.returncode, 1, done)
        errors = re.findall("(?m)^error: .*", done.stderr)
        hints = re.findall("(?m)^hint: .*", done.stderr)
        self.assertEqual((len(errors), len(hints)), (1, 1), done.stderr)
        for word in words:
            self.assertIn(str(word), errors[0])
