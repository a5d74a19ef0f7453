"""A real HAProxy in front of nodes, as a site has it: one name, one certificate."""

import shutil
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from jeton import PATIENCE_S, REST, Answer, free_port, request, wait_until


class Front:
    """HAProxy, which takes nodes that say they are ready and tries another one
    only where no byte went out: an answer that was lost may be a use that is spent."""

    def __init__(self):
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-front-"))
        self.port = free_port()
        self.url = f"https://localhost:{self.port}"
        self.process = None
        self.trusted = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        shutil.rmtree(self.dir)

    def takes(self, world):
        """Has a node, before it starts, serve plain HTTP to this proxy and write
        its links for it."""
        world.change(f'public_url = "{world.url}"', f'public_url = "{self.url}"')
        world.url = self.url
        world.behind_a_proxy()
        return world

    def start(self, certificate, groups, choice):
        """Starts it with the certificate in that folder, with worlds by the name
        of their group, and the lines that choose one."""
        self.trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
        both = (certificate / "cert.pem").read_text() + (certificate / "key.pem").read_text()
        (self.dir / "front.pem").write_text(both)
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
            # A node that is slow to say that it is ready is not a dead one, which
            # refuses the connection.
            f"defaults\n  mode http\n  timeout connect 5s\n  timeout client {PATIENCE_S}s\n"
            f"  timeout server {PATIENCE_S}s\n  timeout check {PATIENCE_S}s\n"
            "  option forwardfor\n"
            "  retries 3\n  retry-on conn-failure\n  option redispatch\n"
            f"frontend front\n  bind 127.0.0.1:{self.port} ssl crt {self.dir}/front.pem\n"
            f"  {choice}\n" + "".join(backends)
        )
        with (self.dir / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        wait_until("the proxy to listen", self.listens)

    def listens(self):
        assert self.process.poll() is None, (self.dir / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def download(self, token):
        """Redeems a token at whichever node the proxy takes; asks again if none is
        ready, as while they elect a leader. Then no node was asked."""

        def answered():
            answer = self.ask(token)
            return None if b"No server is available" in answer.body else answer

        return wait_until("a node that is ready", answered)

    def ask(self, token):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as plain:
            with self.trusted.wrap_socket(plain, server_hostname="localhost") as connection:
                connection.sendall(request(f"{REST}?token={token}"))
                return Answer.read(connection)
