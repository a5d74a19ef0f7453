"""`make load`: counted downloads a second of one node, and of three that share a
ledger on the same machine, in turns; and what each costs the nodes' processors.

    load.py [ROUNDS]

Each download comes on a connection of its own, as those of people do, so the
handshake of TLS is in it; or all on kept connections, which shows the ledger more,
and the more the fewer they are: uses that wait together share messages and syncs.
The load is ApacheBench's, which shares the machine: only the ratio means much.
"""

import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from cluster import leader, three
from jeton import REST, World

CLIENTS = 48
CROWD = 192
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUIET = ("--log-level", "warn")


def lone(stack):
    world = stack.enter_context(World())
    world.serve(*QUIET)
    return [world]


def leader_first(stack):
    """Three voters, the leader first."""
    worlds = three(stack, *QUIET)
    leads = leader(worlds)
    return sorted(worlds, key=lambda world: world is not leads)


def processor_seconds(world):
    """Returns what the node's process used so far."""
    with open(f"/proc/{world.node.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")")[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def load(worlds, uses, downloads, clients, keep):
    """Asks all these nodes at once; returns downloads a second, and microseconds
    of processor for each download at each node."""
    token = worlds[0].mint(uses=uses).token
    before = [processor_seconds(world) for world in worlds]
    share = downloads // len(worlds)
    done = share * len(worlds)
    command = ["ab", "-q", *keep, "-n", str(share), "-c", str(clients // len(worlds))]
    begun = time.monotonic()
    running = [
        subprocess.Popen(
            [*command, f"https://127.0.0.1:{world.port}{REST}?token={token}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for world in worlds
    ]
    told = [one.communicate()[0] for one in running]
    took = time.monotonic() - begun
    for text in told:
        assert f"Complete requests:      {share}" in text and "Non-2xx" not in text, text
    spent = (processor_seconds(world) - was for world, was in zip(worlds, before))
    return done / took, [seconds / done * 1e6 for seconds in spent]


def compare(name, one, many, rounds, downloads, clients, keep=()):
    """Prints medians over rounds in which both take their turn."""
    told = {"unlimited": [], "one": [], "three": []}
    for _ in range(rounds):
        told["unlimited"].append(load(one, "unlimited", downloads, clients, keep))
        told["one"].append(load(one, 60_000, downloads, clients, keep))
        told["three"].append(load(many, 60_000, downloads, clients, keep))
    ratio = statistics.median(
        three[0] / one[0] for one, three in zip(told["one"], told["three"])
    )
    print(f"{name}: three nodes / one node = {ratio:.2f}")
    for who, runs in told.items():
        rate = statistics.median(run[0] for run in runs)
        costs = [statistics.median(costs) for costs in zip(*(run[1] for run in runs))]
        shown = " + ".join(f"{cost:.0f}" for cost in costs)
        print(f"  {who:<10} {rate:>7.0f}/s   {shown} us of processor a download", flush=True)


def main(rounds):
    with ExitStack() as stack:
        one, many = lone(stack), leader_first(stack)
        compare("a connection each", one, many, rounds, 3_000, CLIENTS)
        for clients in (CLIENTS, CROWD):
            name = f"{clients} kept connections"
            compare(name, one, many, rounds, 15_000, clients, ["-k"])


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["5"])[0]))
