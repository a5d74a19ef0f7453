"""`make load`: downloads per second of one node and of three nodes that share a ledger
on the same machine, measured in turns, and the processor time per download.

    load.py [ROUNDS]

In the first comparison each download has its own connection, as a user's has, so it
includes a TLS handshake. The others use persistent connections, where the ledger
dominates: the fewer connections, the fewer uses share a message and a sync.
ApacheBench, which makes the load, runs on the same machine. Only ratios mean much.
"""

import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

from cluster import leader, start_three_voters
from jeton import REST, World

CLIENTS = 48
MANY_CLIENTS = 192
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
QUIET = ("--log-level", "warn")


def single_node(stack):
    world = stack.enter_context(World())
    world.serve(*QUIET)
    return [world]


def leader_first(stack):
    """Starts three voters and returns them, the leader first."""
    worlds = start_three_voters(stack, *QUIET)
    first = leader(worlds)
    return sorted(worlds, key=lambda world: world is not first)


def processor_seconds(world):
    """Returns the processor time that the node has used."""
    with open(f"/proc/{world.node.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")")[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def load(worlds, uses, downloads, clients, keep):
    """Loads all these nodes at once. Returns the downloads per second and, for each
    node, its processor time per download in microseconds."""
    token = worlds[0].mint(uses=uses).token
    before = [processor_seconds(world) for world in worlds]
    share = downloads // len(worlds)
    total = share * len(worlds)
    command = ["ab", "-q", *keep, "-n", str(share), "-c", str(clients // len(worlds))]
    started = time.monotonic()
    running = [
        subprocess.Popen(
            [*command, f"https://127.0.0.1:{world.port}{REST}?token={token}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for world in worlds
    ]
    reports = [process.communicate()[0] for process in running]
    elapsed = time.monotonic() - started
    for text in reports:
        assert f"Complete requests:      {share}" in text and "Non-2xx" not in text, text
    used = (processor_seconds(world) - was for world, was in zip(worlds, before))
    return total / elapsed, [seconds / total * 1e6 for seconds in used]


def compare(name, one, many, rounds, downloads, clients, keep=()):
    """Prints medians over rounds in which the configurations alternate."""
    results = {"unlimited": [], "one": [], "three": []}
    for _ in range(rounds):
        results["unlimited"].append(load(one, "unlimited", downloads, clients, keep))
        results["one"].append(load(one, 60_000, downloads, clients, keep))
        results["three"].append(load(many, 60_000, downloads, clients, keep))
    ratio = statistics.median(
        three[0] / one[0] for one, three in zip(results["one"], results["three"])
    )
    print(f"{name}: three nodes / one node = {ratio:.2f}")
    for label, runs in results.items():
        rate = statistics.median(run[0] for run in runs)
        costs = [statistics.median(costs) for costs in zip(*(run[1] for run in runs))]
        shown = " + ".join(f"{cost:.0f}" for cost in costs)
        cost = f"{shown} us of processor time per download"
        print(f"  {label:<10} {rate:>7.0f}/s   {cost}", flush=True)


def main(rounds):
    with ExitStack() as stack:
        one, many = single_node(stack), leader_first(stack)
        compare("a connection per download", one, many, rounds, 3_000, CLIENTS)
        for clients in (CLIENTS, MANY_CLIENTS):
            name = f"{clients} persistent connections"
            compare(name, one, many, rounds, 15_000, clients, ["-k"])


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["5"])[0]))
