"""Clusters of real processes, each node in its own directory."""

import concurrent.futures
import copy
import json
import re
import shutil
import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path

from jeton import (
    JETON,
    LOOPBACK,
    Case,
    World,
    easy_rsa_source,
    free_port,
    must,
    vpn_directory,
    wait_until,
)


def enable_cluster_listener(world):
    """Configures the cluster listener of a single node, which must restart then."""
    world.cluster_port = free_port()
    for key, value in (
        ("#[cluster]", "[cluster]"),
        ('#listen = "0.0.0.0:7443"', f'listen = "{world.host.address}:{world.cluster_port}"'),
        ('#address = "node1.example.com:7443"\n', ""),
    ):
        world.change(key, value)
    return world


class Member(World):
    """A node made by `jeton cluster join`."""

    def __init__(self, first, line=None, profiles=None, host=LOOPBACK, address=None):
        self.host = host
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-"))
        self.has_tls = True
        self.port, self.admin_port, self.cluster_port = free_port(), free_port(), free_port()
        self.url = first.url
        self.config = self.dir / "jeton.toml"
        self.log = self.dir / "serve.log"
        self.node = None
        self.keys = first.keys
        try:
            line = line or first.must("cluster", "invite").strip()
            command = join_command(line, self.dir, self.cluster_port, host.address)
            command += ["--address", address] if address else []
            self.id = must([*host.command_prefix, *command]).strip()
        except BaseException:
            shutil.rmtree(self.dir)
            raise
        self.configure(profiles or easy_rsa_source(vpn_directory()))
        self.change('#signing = "keys/signing"', f'signing = "{first.dir}/keys/signing"')


def join_command(line, directory, port, address=LOOPBACK.address):
    """Returns the command that makes a node join with this join line."""
    listen = f"{address}:{port}"
    return [JETON, "cluster", "join", line, "--dir", directory, "--listen", listen]


def status(world):
    """Returns the members by id, as a node reports them."""
    reported = json.loads(world.must("cluster", "status", "--format", "json"))
    return {member["node_id"]: member for member in reported["members"]}


def own_id(world):
    """Returns the id of a running node."""
    return next(id for id, member in status(world).items() if member["is_this"])


def leader(worlds):
    """Waits until these nodes agree that one of them is the leader, and returns it."""
    by_id = {world.id: world for world in worlds}

    def agreed():
        found = [
            {id for id, member in status(world).items() if member["is_leader"]}
            for world in worlds
        ]
        same = found[0] if all(one == found[0] for one in found) else set()
        return by_id.get(next(iter(same), None))

    return wait_until("the nodes to agree on a leader", agreed)


def wait_for_catch_up(first, *others):
    """Waits until the leader sees each of these nodes less than 10 entries behind."""

    def is_near(member):
        # Without an answer from the leader, the lag and even the member are unknown.
        return member and member["lag"] is not None and member["lag"] < 10

    def all_near():
        members = status(first)
        return all(is_near(members.get(other.id)) for other in others)

    wait_until("the learners to catch up", all_near)


def promote(first, *others):
    """Promotes the learners `others` to voters."""
    wait_for_catch_up(first, *others)
    first.must("cluster", "promote", *(other.id for other in others))


def start_first(stack, *options, host=LOOPBACK):
    """Starts the first node of a cluster with these options of `serve`. The stack
    stops it."""
    world = enable_cluster_listener(stack.enter_context(World(host=host)))
    world.serve(*options)
    world.id = own_id(world)
    return world


def start_member(stack, first, *options, host=LOOPBACK):
    """Starts another node, as a learner."""
    member = stack.enter_context(Member(first, host=host))
    member.serve(*options)
    return member


def start_three_voters(stack, *options, hosts=(LOOPBACK,) * 3):
    """Starts three voters with an operator's commands."""
    first = start_first(stack, *options, host=hosts[0])
    others = [start_member(stack, first, *options, host=host) for host in hosts[1:]]
    promote(first, *others)
    return [first, *others]


def roles(world):
    """Returns the members' roles by id, as a node reports them."""
    return {id: member["role"] for id, member in status(world).items()}


def wait_for_voters(world, voters):
    """Waits until a node reports exactly these members, all of them voters. Without
    an answer from the leader, its own knowledge may lag by a moment."""
    wanted = {voter.id: "voter" for voter in voters}
    wait_until("all members to be voters", lambda: roles(world) == wanted)


def wait_for_no_alarms(*worlds):
    """Waits until no node has an alarm. A new leader needs a moment to hear from all
    members."""
    for world in worlds:
        wait_until("all alarms to clear", lambda: not alarms(world))


def wait_for_same_index(worlds):
    """Waits until all nodes have applied the log up to the same index, and returns
    the index and state hash of each."""

    def ledger_hash(world):
        return json.loads(world.must("ledger", "hash", "--format", "json"))

    def states_at_same_index():
        states = list(pool.map(ledger_hash, worlds))
        return states if len({state["applied"] for state in states}) == 1 else None

    with concurrent.futures.ThreadPoolExecutor(len(worlds)) as pool:
        return wait_until("all nodes to apply the same index", states_at_same_index)


def alarms(world):
    """Returns the alarms that a node reports."""
    done = world.jeton("cluster", "status")
    assert done.returncode == 0, done
    return re.findall("(?m)^alarm: (.*)$", done.stderr)


def copy_to_another_machine(member):
    """Copies a stopped node's directory and gives the copy other ports, as on another
    machine."""
    other = copy.copy(member)
    other.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-"))
    shutil.copytree(member.dir, other.dir, dirs_exist_ok=True)
    other.config, other.log = other.dir / "jeton.toml", other.dir / "serve.log"
    text = other.config.read_text()
    for name in ("port", "admin_port", "cluster_port"):
        port = free_port()
        text = text.replace(f":{getattr(member, name)}\"", f":{port}\"")
        setattr(other, name, port)
    other.config.write_text(text)
    return other


def unverified_context():
    """Returns a TLS context for a client that accepts any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class ClusterCase(Case):
    """A test case with several nodes, which all stop when the test ends."""

    def setUp(self):
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def first(self):
        """Starts the first node of a cluster."""
        return start_first(self.stack)

    def member(self, first):
        """Starts another node, as a learner."""
        return start_member(self.stack, first)

    def three_voters(self):
        """Starts three voters."""
        return start_three_voters(self.stack)

    def enter(self, world):
        """Stops a world's node and removes its directory when the test ends."""
        return self.stack.enter_context(world)
