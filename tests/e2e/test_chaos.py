"""Faults of nodes and of the network never add a use and never lose a download.

Three real nodes, each in its own network namespace, serve clients while nodes are
killed and paused and links are cut, lossy and slow. The test prints the seed of its
fault plan; JETON_SEED=N repeats that plan. CHAOS_FAULTS and CHAOS_TOKENS set the
number of faults and of tokens.
"""

import collections
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from chaos import Nemesis, plan
from cluster import start_three_voters, wait_for_same_index
from jeton import Case, Host, wait_until
from namespaces import Network, require_namespaces
from redeemers import History, LoadGenerator, Probers, mint

# The longest time without a grant after the leader's death, less the time that the
# whole machine stalled.
GAP_MAX_S = 3
CLIENTS = 32


def size(name, default):
    return int(os.environ.get(f"CHAOS_{name.upper()}") or default)


class Chaos(Case):
    faults, tokens = 200, 10_000
    base = (0.0, 0.0)
    # How many gaps may last up to twice as long.
    long_gaps_max = 0

    def test_faults_exceed_no_limit_and_lose_no_download(self):
        require_namespaces()
        seed = int(os.environ.get("JETON_SEED") or random.randrange(1 << 32))
        print(f"        JETON_SEED={seed}", flush=True)
        with ExitStack() as stack:
            network = stack.enter_context(Network(3, seed))
            hosts = [
                Host(address, tuple(network.command_prefix(number)))
                for number, address in enumerate(network.addresses)
            ]
            worlds = start_three_voters(stack, "--log-level", "info", hosts=hosts)
            history = History()
            nemesis = Nemesis(worlds, network, history, self.base)
            try:
                self.run_faults(worlds, network, history, nemesis, seed)
            except BaseException as error:
                error.add_note(f"JETON_SEED={seed}, logs in {save_logs(worlds, nemesis)}")
                raise

    def run_faults(self, worlds, network, history, nemesis, seed):
        count = size("tokens", self.tokens)
        limits = [1 + number % 2 * 2 for number in range(count)]
        tokens = mint(worlds[0], limits)
        probe_tokens = mint(worlds[0], [1_000_000] * len(worlds))
        faults = plan(seed, size("faults", self.faults))
        load = LoadGenerator(worlds, history, tokens, seed, CLIENTS)
        started = time.monotonic()
        with Probers(worlds, history, probe_tokens):
            try:
                load.start()
                nemesis.run(faults, lambda done: load.allow(done / len(faults)))
                load.finish()
            finally:
                load.abort()
        elapsed = time.monotonic() - started
        self.report(history, nemesis, network, elapsed)
        self.assertEqual(history.violations, [])
        # First, so that the node whose counts are read has applied the last grants.
        self.check_same_state(worlds)
        self.check_counts(worlds, [*tokens, *probe_tokens])
        for world in worlds:
            wait_until("a profile", lambda: world.download(worlds[0].mint().token).is_profile)
        self.assertGreater(grants_during_faults(history, nemesis), count / 2)
        gaps = sorted(nemesis.gaps)
        self.assertLessEqual(max(gaps[: len(gaps) - self.long_gaps_max]), GAP_MAX_S, gaps)
        self.assertLessEqual(max(gaps), 2 * GAP_MAX_S, gaps)

    def check_counts(self, worlds, tokens):
        """Compares the ledger's counts with the clients' responses."""
        listed = worlds[0].must("list", "--state", "all", "--format", "json")
        used = {token["id"]: token["used"] for token in json.loads(listed)}
        wrong = []
        for token in tokens:
            least, most = token.use_bounds()
            counted = used.get(token.id, 0)
            is_free = token.is_denied and counted < token.limit
            if token.granted > token.limit or not least <= counted <= most or is_free:
                wrong.append((token.id, counted, vars(token)))
        self.assertEqual(wrong, [], f"{len(wrong)} tokens")

    def check_same_state(self, worlds):
        """Compares the state of all nodes at the same index of the log."""
        states = wait_for_same_index(worlds)
        self.assertEqual(len({state["hash"] for state in states}), 1, states)

    def report(self, history, nemesis, network, elapsed):
        kinds = collections.Counter(kind for _, kind, *_ in nemesis.log)
        during_faults = grants_during_faults(history, nemesis)
        for line in (
            f"{len(nemesis.log)} faults: {dict(kinds)}",
            f"{elapsed:.0f} s, {nemesis.last - nemesis.first:.0f} s of it with faults",
            f"{len(history.grants)} grants, {during_faults} of them during faults",
            f"outcomes: {dict(history.outcomes)}",
            f"slowest responses, in seconds: {dict(history.longest)}",
            f"time without a grant after a leader's death, in seconds: {spread(nemesis.gaps)}",
            f"  until both other nodes granted: {spread(nemesis.gaps_until_both)}",
            f"time until each node granted after healing, in seconds: {spread(nemesis.recoveries)}",
            f"network: {network.statistics()}",
            f"stalls of this machine, in seconds: {stall_spread(network)}",
        ):
            print(f"        {line}", flush=True)


class BadNetwork(Chaos):
    """The same test where each link loses 5 % of the packets and delays them by 50 ms.
    It is slower, so by default it is smaller; `make chaos` runs it in full."""

    faults, tokens = 50, 1_500
    base = (0.05, 0.05)
    # The votes of two consecutive elections may get lost.
    long_gaps_max = 1


def grants_during_faults(history, nemesis):
    return sum(nemesis.first < grant.granted < nemesis.last for grant in history.grants)


def stall_spread(network):
    stalls = [until - since for since, until in network.stalls()]
    return spread(stalls) if stalls else "never"


def spread(values):
    values = sorted(values)
    middle = statistics.median(values)
    return f"{len(values)} times, {values[0]:.2f} to {values[-1]:.2f}, median {middle:.2f}"


def save_logs(worlds, nemesis):
    """Saves the logs of the nodes and of the faults, and returns their directory."""
    directory = Path(tempfile.mkdtemp(prefix="jeton-chaos-"))
    for number, world in enumerate(worlds):
        if world.log.exists():
            shutil.copy(world.log, directory / f"node{number}.log")
    faults = "".join(f"{entry}\n" for entry in nemesis.log)
    (directory / "faults.txt").write_text(faults)
    return directory
