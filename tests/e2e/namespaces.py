"""A network namespace for each node, and a link between them that can be cut."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from jeton import must, require, run

WIRE = Path(__file__).with_name("wire.py")


def require_namespaces():
    """Skips the test if no network namespace can be made here; on CI, fails it."""
    require(os.geteuid() == 0, "only root can make network namespaces")
    require(os.access("/dev/net/tun", os.W_OK), "TUN devices are not available")
    name = f"jeton-try-{os.getpid()}"
    made = run(["ip", "netns", "add", name])
    require(made.returncode == 0, f"cannot make network namespaces: {made.stderr}")
    must(["ip", "netns", "delete", name])


class Network:
    """Namespaces with one address each; the tests' own namespace has address .254.

    The process wire.py carries all packets between them. `set_links` sets what it
    does to packets between two namespaces. Links to and from the tests are never
    cut."""

    def __init__(self, count, seed):
        # 198.18.0.0/15 is reserved for benchmarks (RFC 2544).
        self.net = f"198.{random.choice((18, 19))}.{random.randrange(256)}"
        run_id = f"{random.randrange(1 << 24):06x}"
        self.names = [f"jeton-{run_id}-{number}" for number in range(count)]
        self.addresses = [f"{self.net}.{number + 1}" for number in range(count)]
        self.devices = [f"jt{run_id}-{number}" for number in range(count)]
        self.here = f"{self.net}.254"
        self.device_here = f"jt{run_id}-here"
        self.seed = seed
        self.wire = None

    def __enter__(self):
        try:
            self.start_wire()
            for name, address, device in zip(self.names, self.addresses, self.devices):
                must(["ip", "netns", "add", name])
                must(["ip", "link", "set", device, "netns", name])
                must(["ip", "-n", name, "link", "set", "lo", "up"])
                self.bring_up(["ip", "-n", name], device, address)
            self.bring_up(["ip"], self.device_here, self.here)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start_wire(self):
        ends = zip([*self.devices, self.device_here], [*self.addresses, self.here])
        words = [f"{device}={address}" for device, address in ends]
        self.wire = subprocess.Popen(
            [sys.executable, WIRE, str(self.seed), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.receive() == {"ready": True}

    def bring_up(self, ip, device, address):
        must([*ip, "address", "add", f"{address}/24", "dev", device])
        must([*ip, "link", "set", device, "up"])

    def __exit__(self, *_):
        if self.wire:
            self.wire.stdin.close()
            self.wire.wait()
            self.wire.stdout.close()
        for name in self.names:
            run(["ip", "netns", "delete", name])

    def command_prefix(self, number):
        """Returns the prefix of commands that run in this namespace."""
        return ["ip", "netns", "exec", self.names[number]]

    def set_links(self, links):
        """Sets what happens to packets between namespaces. `links[a, b]` applies from
        number `a` to number `b`: whether the link is cut, the share of packets that
        is lost, and the delay in seconds."""
        rows = [
            [self.addresses[start], self.addresses[end], *link]
            for (start, end), link in links.items()
        ]
        self.send({"set": rows})

    def statistics(self):
        """Returns the wire's counters."""
        self.send({"statistics": True})
        return self.receive()

    def stalls(self):
        """Returns the (begin, end) times at which this machine stalled."""
        self.send({"stalls": True})
        return self.receive()

    def send(self, command):
        self.wire.stdin.write(json.dumps(command) + "\n")
        self.wire.stdin.flush()

    def receive(self):
        line = self.wire.stdout.readline()
        assert line, "wire.py has exited"
        return json.loads(line)
