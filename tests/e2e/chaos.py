"""Faults for three nodes: drawn from a seed and injected in that order, often several
at once."""

import collections
import itertools
import random
import time

from cluster import status
from jeton import wait_until

NODES = range(3)
PAIRS = list(itertools.combinations(NODES, 2))
LINKS = list(itertools.permutations(NODES, 2))

# The most faults that are active at once.
ACTIVE_MAX = 3
# How long every node may take to grant again after all faults are healed.
RECOVERY_TIMEOUT_S = 60
# How long the other nodes may take to grant after the leader was killed.
GRANT_TIMEOUT_S = 60

LEADER = "the leader"

# Each kind of fault with its possible targets.
KINDS = {
    "kill": [*NODES],
    "pause": [*NODES, LEADER],
    "isolate": [*NODES, LEADER],
    "cut a pair": PAIRS,
    "cut one way": LINKS,
    "lose one way": LINKS,
    "delay a pair": PAIRS,
    "delay one way": LINKS,
    "split all": [None],
    "kill the leader": [None] * 12,
}
WEIGHTS = {"split all": 1, "kill the leader": 2}

# A planned fault. `strength` is between 0 and 1, `duration` is in seconds, and `gap` is
# the time in seconds from its beginning to the next fault.
Fault = collections.namedtuple("Fault", "kind target strength duration gap")


def plan(seed, count):
    """Draws `count` faults. Each kind occurs with each of its targets."""
    rng = random.Random(seed)
    chosen = [(kind, target) for kind, targets in KINDS.items() for target in targets]
    assert count >= len(chosen), f"{count} faults are too few: there are {len(chosen)} variants"
    weights = [WEIGHTS.get(kind, 3) for kind in KINDS]
    while len(chosen) < count:
        (kind,) = rng.choices(list(KINDS), weights)
        chosen.append((kind, rng.choice(KINDS[kind])))
    rng.shuffle(chosen)
    return [
        Fault(kind, target, rng.random(), rng.uniform(0.2, 3.0), rng.uniform(0.1, 1.4))
        for kind, target in chosen
    ]


def affected_links(kind, target):
    """Returns the links that a fault affects."""
    if kind == "split all":
        return LINKS
    if kind == "isolate":
        return [link for link in LINKS if target in link]
    return [target, target[::-1]] if kind.endswith("a pair") else [target]


def effect(fault):
    """Returns what a fault does to its links: whether they are cut, the share of packets
    that is lost, and the delay in seconds."""
    if fault.kind.startswith("lose"):
        return False, 0.3 + 0.6 * fault.strength, 0.0
    if fault.kind.startswith("delay"):
        return False, 0.0, 0.02 + 0.28 * fault.strength
    return True, 0.0, 0.0


class Nemesis:
    """Injects the planned faults and undoes them.

    `base` applies to every link at all times: the share of packets that is lost, and
    the delay in seconds."""

    def __init__(self, worlds, network, history, base=(0.0, 0.0)):
        self.worlds, self.network, self.history, self.base = worlds, network, history, base
        # The active faults by the time of their end, and their effects on links.
        self.active = []
        self.effects = {}
        # Nodes that are killed or paused.
        self.down = set()
        self.log = []
        # In seconds, after each death of a leader: until a survivor granted, and until
        # both did. After each healing: until every node granted.
        self.gaps, self.gaps_until_both, self.recoveries = [], [], []
        self.first = self.last = None

    def run(self, faults, after_each):
        """Injects all faults, then heals."""
        self.apply_effects()
        self.first = time.monotonic()
        for number, fault in enumerate(faults):
            if fault.kind == "kill the leader":
                self.kill_leader(fault)
            else:
                self.inject(fault)
                self.wait(fault.gap)
            after_each(number + 1)
        self.last = time.monotonic()
        self.heal()

    def inject(self, fault):
        while len(self.active) >= ACTIVE_MAX:
            self.wait(self.active[0][0] - time.monotonic())
        target = self.resolve_target(fault)
        self.record(fault, target)
        undo = self.start_fault(fault, target)
        self.active.append((time.monotonic() + fault.duration, len(self.log), undo))
        self.active.sort(key=lambda entry: entry[:2])

    def resolve_target(self, fault):
        """Returns the target, with the leader's number for `LEADER`. A node that is
        already down cannot be killed or paused, so the next one is taken."""
        target = fault.target
        if target == LEADER:
            target = self.leader()
        if fault.kind in ("kill", "pause"):
            while target in self.down:
                target = (target + 1) % len(self.worlds)
        return target

    def start_fault(self, fault, target):
        """Starts a fault and returns the function that undoes it."""
        if fault.kind in ("kill", "pause"):
            return self.take_down(target, is_killed=fault.kind == "kill")
        name = len(self.log)
        self.effects[name] = dict.fromkeys(affected_links(fault.kind, target), effect(fault))
        self.apply_effects()

        def undo():
            del self.effects[name]
            self.apply_effects()

        return undo

    def take_down(self, node, is_killed):
        self.down.add(node)
        world = self.worlds[node]
        if is_killed:
            world.node.kill()
        else:
            world.node.pause()

        def undo():
            if is_killed:
                world.start("--log-level", "info")
            else:
                world.node.resume()
            self.down.remove(node)

        return undo

    def apply_effects(self):
        """Sets each link to the combination of all effects on it."""
        loss, delay = self.base
        links = {}
        for link in LINKS:
            on_it = [effects[link] for effects in self.effects.values() if link in effects]
            links[link] = (
                any(cut for cut, _, _ in on_it),
                max([loss, *(loss for _, loss, _ in on_it)]),
                delay + sum(delay for _, _, delay in on_it),
            )
        self.network.set_links(links)

    def wait(self, seconds):
        """Waits, and undoes the faults that end meanwhile."""
        until = time.monotonic() + seconds
        while True:
            due = self.active[0][0] if self.active else until
            time.sleep(max(0, min(due, until) - time.monotonic()))
            if due > until or not self.active:
                return
            self.active.pop(0)[2]()

    def heal(self):
        """Undoes all faults and waits until each node grants again."""
        for _, _, undo in self.active:
            undo()
        self.active = []
        healed = time.monotonic()
        for node in NODES:
            wait_until(
                f"node {node} to grant after all faults were healed",
                lambda: self.history.first_grant(healed, [node]),
                RECOVERY_TIMEOUT_S,
            )
        self.recoveries.append(time.monotonic() - healed)

    def leader(self):
        """Returns the number of the leader as reported by the first running node that
        knows it, or of any node if none does."""
        running = [node for node in NODES if node not in self.down]
        for node in running:
            leaders = [id for id, one in self.try_status(node).items() if one["is_leader"]]
            for number, world in enumerate(self.worlds):
                if [world.id] == leaders:
                    return number
        return next(iter(running), 0)

    def try_status(self, node):
        try:
            return status(self.worlds[node])
        except AssertionError:
            # The node is still starting.
            return {}

    def kill_leader(self, fault):
        """Kills the leader of a healthy cluster and measures how long the other two
        nodes grant nothing."""
        self.heal()
        leader = self.leader()
        others = [node for node in NODES if node != leader]
        self.record(fault, leader)
        undo = self.take_down(leader, is_killed=True)
        died = time.monotonic()
        each = [[node] for node in others]
        for gaps, groups in (self.gaps, [others]), (self.gaps_until_both, each):
            gaps.append(max(self.gap(died, nodes) for nodes in groups))
        self.wait(fault.duration / 3)
        undo()

    def gap(self, died, nodes):
        """Returns the longest time without a grant by these nodes after the leader's
        death. Requests in flight at that moment may still be granted at once, so the
        measurement ends with the first grant of a later request."""
        granted = wait_until(
            f"a grant by {nodes} after the leader's death",
            lambda: self.history.first_grant(died, nodes),
            GRANT_TIMEOUT_S,
        )
        return self.history.longest_gap(died, granted, nodes, self.network.stalls())

    def record(self, fault, target):
        self.log.append((time.time(), fault.kind, target, fault.strength, fault.duration))
