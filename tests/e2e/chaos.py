"""Faults for three nodes: drawn from a seed, carried out in that order, and often
several at a time."""

import collections
import itertools
import random
import time

from cluster import status
from jeton import wait_until

NODES = range(3)
PAIRS = list(itertools.combinations(NODES, 2))
WAYS = list(itertools.permutations(NODES, 2))

# How many faults there are at once, at most.
AT_ONCE = 3
# How long a cluster may take to be whole again after everything was healed.
WHOLE_WITHIN_S = 60
# How long a prober is waited for after a leader's death, before that is a failure.
GRANT_WITHIN_S = 60

LEADER = "the leader"

# Each kind with the targets that it can have.
KINDS = {
    "kill": [*NODES],
    "pause": [*NODES, LEADER],
    "isolate": [*NODES, LEADER],
    "cut a pair": PAIRS,
    "cut one way": WAYS,
    "lose one way": WAYS,
    "delay a pair": PAIRS,
    "delay one way": WAYS,
    "split all": [None],
    "kill the leader": [None] * 12,
}
WEIGHTS = {"split all": 1, "kill the leader": 2}

# A drawn fault: what, on whom, how strong between 0 and 1, how long it lasts and
# how long after it began the next one comes.
Fault = collections.namedtuple("Fault", "kind target strength lasts gap")


def plan(seed, count):
    """Draws `count` faults. Each kind is there with each of its targets."""
    chance = random.Random(seed)
    whats = [(kind, target) for kind, targets in KINDS.items() for target in targets]
    assert count >= len(whats), f"{count} faults are too few for {len(whats)} different ones"
    weights = [WEIGHTS.get(kind, 3) for kind in KINDS]
    while len(whats) < count:
        (kind,) = chance.choices(list(KINDS), weights)
        whats.append((kind, chance.choice(KINDS[kind])))
    chance.shuffle(whats)
    return [
        Fault(*what, chance.random(), chance.uniform(0.2, 3.0), chance.uniform(0.1, 1.4))
        for what in whats
    ]


def ways(kind, target):
    """Returns the ways between nodes that a fault is on."""
    if kind == "split all":
        return WAYS
    if kind == "isolate":
        return [way for way in WAYS if target in way]
    return [target, target[::-1]] if kind.endswith("a pair") else [target]


def effect(fault):
    """Returns what it does there: cut, share that is lost, delay in seconds."""
    if fault.kind.startswith("lose"):
        return False, 0.3 + 0.6 * fault.strength, 0.0
    if fault.kind.startswith("delay"):
        return False, 0.0, 0.02 + 0.28 * fault.strength
    return True, 0.0, 0.0


class Nemesis:
    """Carries a plan out.

    `base` is what is wrong with each way at all times: the share of packets that
    are lost, and the delay in seconds."""

    def __init__(self, worlds, network, book, base=(0.0, 0.0)):
        self.worlds, self.network, self.book, self.base = worlds, network, book, base
        # Faults under way by when they end, and what they do to ways.
        self.under_way = []
        self.effects = {}
        # Nodes that are dead or paused.
        self.away = set()
        self.story = []
        # How long nothing was granted after a leader's death by both survivors, and by
        # either, and how long it took until all was whole.
        self.gaps, self.later_gaps, self.recoveries = [], [], []
        self.first = self.last = None

    def carry_out(self, faults, after_each):
        """Carries out all faults, and heals."""
        self.shape()
        self.first = time.monotonic()
        for number, fault in enumerate(faults):
            if fault.kind == "kill the leader":
                self.kill_leader(fault)
            else:
                self.begin(fault)
                self.pass_time(fault.gap)
            after_each(number + 1)
        self.last = time.monotonic()
        self.heal()

    def begin(self, fault):
        while len(self.under_way) >= AT_ONCE:
            self.pass_time(self.under_way[0][0] - time.monotonic())
        target = self.whom(fault)
        self.say(fault, target)
        undo = self.do(fault, target)
        self.under_way.append((time.monotonic() + fault.lasts, len(self.story), undo))
        self.under_way.sort(key=lambda one: one[:2])

    def whom(self, fault):
        """Returns the target, for the leader its number. Whoever is away already
        cannot be killed or paused: then it is the next one."""
        target = fault.target
        if target == LEADER:
            target = self.leader()
        if fault.kind in ("kill", "pause"):
            while target in self.away:
                target = (target + 1) % len(self.worlds)
        return target

    def do(self, fault, target):
        """Does it, and returns what undoes it."""
        if fault.kind in ("kill", "pause"):
            return self.take_away(target, is_killed=fault.kind == "kill")
        name = len(self.story)
        self.effects[name] = dict.fromkeys(ways(fault.kind, target), effect(fault))
        self.shape()

        def undo():
            del self.effects[name]
            self.shape()

        return undo

    def take_away(self, node, is_killed):
        self.away.add(node)
        world = self.worlds[node]
        if is_killed:
            world.node.kill()
        else:
            world.node.pause()

        def undo():
            if is_killed:
                world.start("--log-level", "info")
            else:
                world.node.go_on()
            self.away.remove(node)

        return undo

    def shape(self):
        """Makes each way as bad as all that is wrong with it."""
        loss, delay = self.base
        links = {}
        for way in WAYS:
            on_it = [effects[way] for effects in self.effects.values() if way in effects]
            links[way] = (
                any(cut for cut, _, _ in on_it),
                max([loss, *(loss for _, loss, _ in on_it)]),
                delay + sum(delay for _, _, delay in on_it),
            )
        self.network.set_links(links)

    def pass_time(self, seconds):
        """Waits, and undoes what is due meanwhile."""
        until = time.monotonic() + seconds
        while True:
            due = self.under_way[0][0] if self.under_way else until
            time.sleep(max(0, min(due, until) - time.monotonic()))
            if due > until or not self.under_way:
                return
            self.under_way.pop(0)[2]()

    def heal(self):
        """Undoes everything and waits until each node grants again."""
        for _, _, undo in self.under_way:
            undo()
        self.under_way = []
        healed = time.monotonic()
        for node in NODES:
            wait_until(
                f"node {node} to grant after everything was healed",
                lambda: self.book.first_grant(healed, [node]),
                WHOLE_WITHIN_S,
            )
        self.recoveries.append(time.monotonic() - healed)

    def leader(self):
        """Returns the number of the node that leads, by the first node here that
        knows; some node if none does."""
        here = [node for node in NODES if node not in self.away]
        for node in here:
            leaders = [id for id, one in self.try_status(node).items() if one["is_leader"]]
            for number, world in enumerate(self.worlds):
                if [world.id] == leaders:
                    return number
        return next(iter(here), 0)

    def try_status(self, node):
        try:
            return status(self.worlds[node])
        except AssertionError:
            # It is only just starting.
            return {}

    def kill_leader(self, fault):
        """Kills the leader of a whole cluster and measures how long the two others
        grant nothing."""
        self.heal()
        leader = self.leader()
        others = [node for node in NODES if node != leader]
        self.say(fault, leader)
        undo = self.take_away(leader, is_killed=True)
        died = time.monotonic()
        for gaps, nodes in (self.gaps, [others]), (self.later_gaps, [[one] for one in others]):
            gaps.append(max(self.gap(died, which) for which in nodes))
        self.pass_time(fault.lasts / 3)
        undo()

    def gap(self, died, nodes):
        """Returns how long these nodes granted nothing after a death. What was under
        way then may still be granted at once: it is over when what was asked later
        is, too."""
        granted = wait_until(
            f"a grant by {nodes} after the leader's death",
            lambda: self.book.first_grant(died, nodes),
            GRANT_WITHIN_S,
        )
        return self.book.longest_gap(died, granted, nodes, self.network.stalls())

    def say(self, fault, target):
        self.story.append((time.time(), fault.kind, target, fault.strength, fault.lasts))
