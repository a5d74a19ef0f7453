"""Clients that connect and send nothing do not keep out others."""

import resource
import selectors
import socket
import threading
import time
from contextlib import ExitStack

from jeton import Case, World

SILENT = 1_500


class Silence(Case):
    def setUp(self):
        self.world = self.enterContext(World())
        self.world.serve()
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))

    def test_silent_connections_do_not_delay_a_download(self):
        opened = self.enterContext(Silent(self.world.port))
        opened.wait_for(SILENT)
        # A handshake that never begins is closed after 3 s. Clients do not wait for that.
        for _ in range(5):
            started = time.monotonic()
            self.assertEqual(self.world.get("/readyz").status, 200)
            self.assert_profile(self.world.download(self.world.mint().token))
            self.assertLess(time.monotonic() - started, 2)


class Silent:
    """Keeps `SILENT` connections open, and replaces those that the node closes."""

    def __init__(self, port):
        self.port, self.open, self.done = port, 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def wait_for(self, count):
        deadline = time.monotonic() + 20
        while self.open < count:
            assert time.monotonic() < deadline, f"{self.open} connections"
            time.sleep(0.05)

    def run(self):
        with selectors.DefaultSelector() as closed, ExitStack() as sockets:
            while not self.done.is_set():
                while len(closed.get_map()) < SILENT:
                    connection = socket.create_connection(("127.0.0.1", self.port), 20)
                    sockets.enter_context(connection)
                    closed.register(connection, selectors.EVENT_READ)
                self.open = len(closed.get_map())
                for key, _ in closed.select(0.05):
                    closed.unregister(key.fileobj)
                    key.fileobj.close()
