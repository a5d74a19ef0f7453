"""A wire between network namespaces that cuts, loses and delays: the kernels here
and on CI have no netem.

    wire.py SEED NAME=ADDRESS...

It makes a TUN device for each end and carries IP packets between them by their
addresses, so that the kernels' own TCP meets what it does to them. Once it has
the devices it says so in a line of JSON. Then it obeys lines of JSON on stdin:

    {"set": [[FROM, TO, CUT, LOSS, DELAY_S], ...]}   of packets one way
    {"tell": true}                                   what it carried, in a line
    {"stalls": true}                                 when this machine stood still

Links that were never set lose nothing. The machine stood still where this process,
which sleeps for a moment only and goes before others, was not woken: from when to when
by the monotonic clock. At the end of stdin it leaves, and the
devices are gone. It is a process of its own because it must never wait for the
tests' interpreter.
"""

import fcntl
import heapq
import itertools
import json
import os
import random
import resource
import selectors
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_MAX = 65_536
# How many packets of one end are carried before the others have their turn.
TURN = 64
# How long it sleeps at most, and how much longer is a machine that stands still.
NAP_S, STALL_S = 0.02, 0.05


def device(name):
    """Makes a TUN device, which is there for as long as its file is open."""
    file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return file


class Link:
    """What happens to packets from one address to another."""

    def __init__(self, to):
        self.to = to
        self.is_cut, self.loss, self.delay = False, 0.0, 0.0


class Wire:
    def __init__(self, seed, ends):
        self.chance = random.Random(seed)
        self.files = {socket.inet_aton(address): device(name) for name, address in ends}
        self.links = {
            start + end: Link(file)
            for start in self.files
            for end, file in self.files.items()
            if start != end
        }
        self.late = []
        self.number = itertools.count()
        self.stalls = []
        self.told = {"carried": 0, "cut": 0, "lost": 0, "delayed": 0, "late_ms": 0.0}

    def run(self):
        commands = selectors.DefaultSelector()
        for file in self.files.values():
            commands.register(file, selectors.EVENT_READ, self.carry)
        os.set_blocking(0, False)
        commands.register(0, selectors.EVENT_READ, self.obey)
        self.unread = b""
        self.ended = False
        while not self.ended:
            begun = time.monotonic()
            due = begun + NAP_S
            if self.late:
                due = max(begun, min(due, self.late[0][0]))
            ready = commands.select(due - begun)
            if time.monotonic() > due + STALL_S:
                self.stalls.append((due, time.monotonic()))
            for key, _ in ready:
                key.data(key.fd)
            self.deliver()

    def carry(self, file):
        """Takes what an end has sent."""
        for _ in range(TURN):
            try:
                packet = os.read(file, PACKET_MAX)
            except BlockingIOError:
                return
            # IPv4 has the two addresses here; anything else has no link.
            link = self.links.get(packet[12:20])
            if link is None:
                continue
            if link.is_cut:
                self.told["cut"] += 1
            elif link.loss and self.chance.random() < link.loss:
                self.told["lost"] += 1
            elif link.delay:
                self.told["delayed"] += 1
                due = time.monotonic() + link.delay
                heapq.heappush(self.late, (due, next(self.number), link.to, packet))
            else:
                self.send(link.to, packet)

    def deliver(self):
        """Sends on what is due."""
        now = time.monotonic()
        while self.late and self.late[0][0] <= now:
            due, _, to, packet = heapq.heappop(self.late)
            self.told["late_ms"] = max(self.told["late_ms"], round((now - due) * 1000, 1))
            self.send(to, packet)

    def send(self, to, packet):
        try:
            os.write(to, packet)
            self.told["carried"] += 1
        except OSError:
            # The device is down or full: a lost packet, as on any wire.
            self.told["lost"] += 1

    def obey(self, file):
        got = os.read(file, PACKET_MAX)
        self.ended = not got
        *lines, self.unread = (self.unread + got).split(b"\n")
        for line in map(json.loads, lines):
            for start, end, is_cut, loss, delay in line.get("set", []):
                link = self.links[socket.inet_aton(start) + socket.inet_aton(end)]
                link.is_cut, link.loss, link.delay = is_cut, loss, delay
            if "stalls" in line:
                say(self.stalls)
            if "tell" in line:
                used = resource.getrusage(resource.RUSAGE_SELF)
                say({**self.told, "cpu_s": round(used.ru_utime + used.ru_stime, 1)})


def say(value):
    print(json.dumps(value), flush=True)


def main(seed, *ends):
    # What is late here is measured as if the network were slow.
    os.nice(-10)
    wire = Wire(int(seed), [end.split("=") for end in ends])
    say({"ready": True})
    wire.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
