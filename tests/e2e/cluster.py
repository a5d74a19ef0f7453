"""Several nodes that count as one, each a real process in a folder of its own."""

import concurrent.futures
import copy
import json
import re
import shutil
import ssl
import tempfile
from contextlib import ExitStack
from pathlib import Path

from jeton import JETON, LOOPBACK, Case, World, easy_rsa, free_port, must, vpn_folder, wait_until


def listens(world):
    """Has a lone node listen for others; it has to be restarted."""
    world.cluster_port = free_port()
    for key, value in (
        ("#[cluster]", "[cluster]"),
        ('#listen = "0.0.0.0:7443"', f'listen = "{world.place.host}:{world.cluster_port}"'),
        ('#address = "node1.example.com:7443"\n', ""),
    ):
        world.change(key, value)
    return world


class Member(World):
    """A further node, made by `jeton cluster join`."""

    def __init__(self, first, line=None, profiles=None, place=LOOPBACK, address=None):
        self.place = place
        self.dir = Path(tempfile.mkdtemp(prefix="jeton-e2e-"))
        self.has_tls = True
        self.port, self.admin_port, self.cluster_port = free_port(), free_port(), free_port()
        self.url = first.url
        self.config = self.dir / "jeton.toml"
        self.log = self.dir / "serve.log"
        self.node = None
        self.keys = first.keys
        try:
            line = line or first.did("cluster", "invite").strip()
            command = join(line, self.dir, self.cluster_port, place.host)
            command += ["--address", address] if address else []
            self.id = must([*place.inside, *command]).strip()
        except BaseException:
            shutil.rmtree(self.dir)
            raise
        self.configure(profiles or easy_rsa(vpn_folder()))
        self.change('#signing = "keys/signing"', f'signing = "{first.dir}/keys/signing"')


def join(line, folder, port, host=LOOPBACK.host):
    """Writes the command by which a machine joins."""
    listen = f"{host}:{port}"
    return [JETON, "cluster", "join", line, "--dir", folder, "--listen", listen]


def status(world):
    """Returns the members by their ids, as a node tells them."""
    told = json.loads(world.did("cluster", "status", "--format", "json"))
    return {member["node_id"]: member for member in told["members"]}


def this(world):
    """Returns the id of a node that runs."""
    return next(id for id, member in status(world).items() if member["is_this"])


def leader(worlds):
    """Waits until all these nodes agree on a leader among them, and returns it."""
    by_id = {world.id: world for world in worlds}

    def agreed():
        found = [
            {id for id, member in status(world).items() if member["is_leader"]}
            for world in worlds
        ]
        same = found[0] if all(one == found[0] for one in found) else set()
        return by_id.get(next(iter(same), None))

    return wait_until("one leader for all", agreed)


def catch_up(first, *others):
    """Waits until the leader knows that these nodes have nearly all of the log."""

    def near(member):
        # A node that the leader does not answer knows no lag, and perhaps no member.
        return member and member["lag"] is not None and member["lag"] < 10

    def all_near():
        members = status(first)
        return all(near(members.get(other.id)) for other in others)

    wait_until("the learners to catch up", all_near)


def grow(first, *others):
    """Makes three voters of a node and two learners."""
    catch_up(first, *others)
    first.did("cluster", "promote", *(other.id for other in others))


def found(stack, *options, place=LOOPBACK):
    """Starts a node that listens for others, with options of `serve`; it ends with
    the stack."""
    world = listens(stack.enter_context(World(place=place)))
    world.serve(*options)
    world.id = this(world)
    return world


def add(stack, first, *options, place=LOOPBACK):
    """Starts a further node."""
    member = stack.enter_context(Member(first, place=place))
    member.serve(*options)
    return member


def three(stack, *options, places=(LOOPBACK,) * 3):
    """Starts three voters, by the commands that an operator has."""
    first = found(stack, *options, place=places[0])
    others = [add(stack, first, *options, place=place) for place in places[1:]]
    grow(first, *others)
    return [first, *others]


def roles(world):
    """Returns the members' roles by their ids, as a node tells them."""
    return {id: member["role"] for id, member in status(world).items()}


def wait_for_voters(world, voters):
    """Waits until a node tells that these are the members, and all of them vote. It
    may have to tell what it knows itself, which comes a moment later."""
    wanted = {voter.id: "voter" for voter in voters}
    wait_until("all to vote", lambda: roles(world) == wanted)


def wait_for_calm(*worlds):
    """Waits until no node has an operator look at anything. A leader that is new has
    not heard from everybody at once."""
    for world in worlds:
        wait_until("no alarm", lambda: not alarms(world))


def at_one_place(worlds):
    """Waits until all nodes have applied the same of the log, and returns how far each
    is and what it holds."""

    def ask(world):
        return json.loads(world.did("ledger", "hash", "--format", "json"))

    def asked():
        states = list(pool.map(ask, worlds))
        return states if len({state["applied"] for state in states}) == 1 else None

    with concurrent.futures.ThreadPoolExecutor(len(worlds)) as pool:
        return wait_until("all nodes to have applied the same", asked)


def alarms(world):
    """Returns what a node has an operator look at."""
    done = world.jeton("cluster", "status")
    assert done.returncode == 0, done
    return re.findall("(?m)^alarm: (.*)$", done.stderr)


def copied(member):
    """Copies all of a node that has stopped to another machine, so to speak: its
    copy has other ports."""
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


def unverified():
    """Returns a TLS context for a caller that believes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Together(Case):
    """Tests with several nodes, which all end with the test."""

    def setUp(self):
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)

    def first(self):
        """Starts a node that listens for others."""
        return found(self.stack)

    def member(self, first):
        """Starts a further node."""
        return add(self.stack, first)

    def three(self):
        """Starts three voters."""
        return three(self.stack)

    def enter(self, world):
        """Has a world end with the test."""
        return self.stack.enter_context(world)
