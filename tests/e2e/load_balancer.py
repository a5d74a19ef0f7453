"""A real HAProxy in front of several nodes, with one host name and one certificate."""

import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from jeton import REST, TIMEOUT_S, Response, free_port, request, wait_until


class LoadBalancer:
    """HAProxy in front of ready nodes. It retries on another node only if the
    connection failed: after a lost response, a use may already be spent."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-haproxy-"))
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.process = None
        self.trusted = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait(TIMEOUT_S)
        shutil.rmtree(self.dir)

    def configure_backend(self, world):
        """Configures a node, before it starts, to serve plain HTTP to this proxy and
        to put the proxy's address into links."""
        world.change(f'public_url = "{world.url}"', f'public_url = "{self.url}"')
        world.url = self.url
        world.behind_a_proxy()
        return world

    def start(self, certificate, groups, choice):
        """Starts HAProxy. `certificate` is a directory with cert.pem and key.pem,
        `groups` maps backend names to worlds, and `choice` is the configuration that
        selects a backend."""
        self.trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
        both = (certificate / "cert.pem").read_text() + (certificate / "key.pem").read_text()
        (self.dir / "frontend.pem").write_text(both)
        backends = [
            f"backend {name}\n  option httpchk GET /readyz\n"
            + "".join(
                f"  server {name}{n} 127.0.0.1:{world.port} check inter 200 fall 1 rise 1\n"
                for n, world in enumerate(worlds)
            )
            for name, worlds in groups.items()
        ]
        config = self.dir / "haproxy.cfg"
        config.write_text(
            # The check timeout is long: a dead node refuses the connection, and a slow
            # node must not count as dead.
            f"defaults\n  mode http\n  timeout connect 5s\n  timeout client {TIMEOUT_S}s\n"
            f"  timeout server {TIMEOUT_S}s\n  timeout check {TIMEOUT_S}s\n"
            "  option forwardfor\n"
            "  retries 3\n  retry-on conn-failure\n  option redispatch\n"
            f"frontend public\n  bind 127.0.0.1:{self.port} ssl crt {self.dir}/frontend.pem\n"
            f"  {choice}\n" + "".join(backends)
        )
        with (self.dir / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        wait_until("the proxy to listen", self.is_listening)

    def is_listening(self):
        assert self.process.poll() is None, (self.dir / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def download(self, token):
        """Redeems a token at the node that the proxy chooses. Retries while the proxy
        has no ready node, as during an election: no node has received the request
        then."""

        def answered():
            answer = self.download_once(token)
            return None if b"No server is available" in answer.body else answer

        return wait_until("a node that is ready", answered)

    def download_once(self, token):
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as plain:
            with self.trusted.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(request(f"{REST}?token={token}"))
                return Response.read(connection)
