"""A network of its own for each node: namespaces, and a wire between them that can
be cut."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from jeton import needs, run, must

WIRE = Path(__file__).with_name("wire.py")


def needs_namespaces():
    """Skips unless networks can be made here; on CI that is a failure."""
    needs(os.geteuid() == 0, "only root can make network namespaces")
    needs(os.access("/dev/net/tun", os.W_OK), "there are no TUN devices here")
    name = f"jeton-try-{os.getpid()}"
    made = run(["ip", "netns", "add", name])
    needs(made.returncode == 0, f"network namespaces cannot be made here: {made.stderr}")
    must(["ip", "netns", "delete", name])


class Network:
    """Namespaces with one address each, and this one, which has the last.

    The wire carries everything between them. What happens to it on the way from
    one namespace to another is set by `set_links`; to and from here it is never
    cut."""

    def __init__(self, count, seed):
        # 198.18.0.0/15 is for tests of networks, RFC 2544.
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
        assert self.answer() == {"ready": True}

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

    def inside(self, number):
        """Returns what to write before a command, so that it runs in there."""
        return ["ip", "netns", "exec", self.names[number]]

    def set_links(self, links):
        """Says what happens to packets from one namespace to another, by their
        numbers: `links[a, b]` is whether all are cut, the share that is lost, and
        the delay in seconds."""
        rows = [
            [self.addresses[start], self.addresses[end], *link]
            for (start, end), link in links.items()
        ]
        self.tell({"set": rows})

    def carried(self):
        """Returns what the wire carried so far."""
        self.tell({"tell": True})
        return self.answer()

    def stalls(self):
        """Returns when this machine stood still so far: pairs of moments."""
        self.tell({"stalls": True})
        return self.answer()

    def tell(self, what):
        self.wire.stdin.write(json.dumps(what) + "\n")
        self.wire.stdin.flush()

    def answer(self):
        line = self.wire.stdout.readline()
        assert line, "the wire has ended"
        return json.loads(line)
