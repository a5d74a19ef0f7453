"""A network emulator: cuts, drops and delays packets between network namespaces. It
replaces netem, which the kernels of the test machines and of CI lack.

    wire.py SEED NAME=ADDRESS...

It makes a TUN device for each end and forwards IP packets by their addresses, so the
kernel's own TCP runs over the faults. It prints a line of JSON when the devices are
ready. Then it reads commands from stdin, a line of JSON each:

    {"set": [[FROM, TO, CUT, LOSS, DELAY_S], ...]}   set links, one direction each
    {"statistics": true}                             print the counters
    {"stalls": true}                                 print when the machine stalled

Links that were never set lose nothing. The machine counts as stalled while this
process, which has a high priority and sleeps only briefly, is not scheduled. Stalls
are pairs of monotonic times. When stdin closes, the process exits and its devices
disappear. It is a separate process so that it never waits for the interpreter of the
tests.
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
# How many packets of one end are forwarded before the next end has its turn.
BATCH = 64
# The longest sleep, and the oversleep that counts as a stall.
SLEEP_S, STALL_S = 0.02, 0.05


def device(name):
    """Makes a TUN device, which exists while its file is open."""
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
        self.random = random.Random(seed)
        self.files = {socket.inet_aton(address): device(name) for name, address in ends}
        self.links = {
            start + end: Link(file)
            for start in self.files
            for end, file in self.files.items()
            if start != end
        }
        self.delayed = []
        self.number = itertools.count()
        self.stalls = []
        self.counters = {"carried": 0, "cut": 0, "lost": 0, "delayed": 0, "late_ms": 0.0}

    def run(self):
        events = selectors.DefaultSelector()
        for file in self.files.values():
            events.register(file, selectors.EVENT_READ, self.forward)
        os.set_blocking(0, False)
        events.register(0, selectors.EVENT_READ, self.read_commands)
        self.unread = b""
        self.is_closed = False
        while not self.is_closed:
            started = time.monotonic()
            due = started + SLEEP_S
            if self.delayed:
                due = max(started, min(due, self.delayed[0][0]))
            ready = events.select(due - started)
            if time.monotonic() > due + STALL_S:
                self.stalls.append((due, time.monotonic()))
            for key, _ in ready:
                key.data(key.fd)
            self.send_due()

    def forward(self, file):
        """Reads packets from one end and sends, delays or drops them."""
        for _ in range(BATCH):
            try:
                packet = os.read(file, PACKET_MAX)
            except BlockingIOError:
                return
            # Source and destination of an IPv4 packet. Other packets have no link.
            link = self.links.get(packet[12:20])
            if link is None:
                continue
            if link.is_cut:
                self.counters["cut"] += 1
            elif link.loss and self.random.random() < link.loss:
                self.counters["lost"] += 1
            elif link.delay:
                self.counters["delayed"] += 1
                due = time.monotonic() + link.delay
                heapq.heappush(self.delayed, (due, next(self.number), link.to, packet))
            else:
                self.send(link.to, packet)

    def send_due(self):
        """Sends the delayed packets that are due."""
        now = time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            due, _, to, packet = heapq.heappop(self.delayed)
            late_ms = round((now - due) * 1000, 1)
            self.counters["late_ms"] = max(self.counters["late_ms"], late_ms)
            self.send(to, packet)

    def send(self, to, packet):
        try:
            os.write(to, packet)
            self.counters["carried"] += 1
        except OSError:
            # The device is down or its queue is full.
            self.counters["lost"] += 1

    def read_commands(self, file):
        received = os.read(file, PACKET_MAX)
        self.is_closed = not received
        *lines, self.unread = (self.unread + received).split(b"\n")
        for line in map(json.loads, lines):
            for start, end, is_cut, loss, delay in line.get("set", []):
                link = self.links[socket.inet_aton(start) + socket.inet_aton(end)]
                link.is_cut, link.loss, link.delay = is_cut, loss, delay
            if "stalls" in line:
                write(self.stalls)
            if "statistics" in line:
                used = resource.getrusage(resource.RUSAGE_SELF)
                write({**self.counters, "cpu_s": round(used.ru_utime + used.ru_stime, 1)})


def write(value):
    print(json.dumps(value), flush=True)


def main(seed, *ends):
    # A delay of this process would look like a slow network.
    os.nice(-10)
    wire = Wire(int(seed), [end.split("=") for end in ends])
    write({"ready": True})
    wire.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
