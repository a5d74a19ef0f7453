"""People who redeem tokens again and again at whichever node, and a book of all
that they were told; and people who go on to the next node until one answers.

The book knows what a token's uses may be, whatever happened on the way: a whole
profile is a use for certain, an answer that says so is none, and everything else
may be one.
"""

import collections
import concurrent.futures
import csv
import io
import itertools
import random
import select
import socket
import ssl
import threading
import time

from jeton import PATIENCE_S, REST, Answer, request, wait_until

# Much longer than a node may take for an answer, 5 s, and than it is paused, 3 s.
ANSWER_WITHIN_S = 40
# A node closes a connection that was idle for 5 s.
IDLE_S = 3


class Token:
    """A token, and what was said of it."""

    def __init__(self, id, text, limit):
        self.id, self.text, self.limit = id, text, limit
        self.granted = 0
        self.unknown = 0
        self.is_denied = False

    def may_be_used(self):
        """How often it was used at least and at most, by what was said."""
        return self.granted, min(self.limit, self.granted + self.unknown)


def mint(world, limits):
    """Mints a token of each limit, offline, in one run."""
    rows = "".join(f"alice,{limit}\n" for limit in limits)
    command = ("mint", "--csv", "-", "--format", "csv", "--expires", "8h")
    table = world.did(*command, input=f"user,uses\n{rows}", timeout=600)
    minted = csv.DictReader(io.StringIO(table))
    return [
        Token(row["id"], row["download_url"].partition("token=")[2], limit)
        for row, limit in zip(minted, limits, strict=True)
    ]


def overlap(begin, end, spans):
    """Returns how much of the time between two moments is in any of these spans."""
    return sum(max(0, min(end, over) - max(begin, since)) for since, over in spans)


Grant = collections.namedtuple("Grant", "asked answered node")


class Book:
    """What everybody was told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.grants = []
        self.told = collections.Counter()
        self.longest = collections.Counter()
        # What no node may ever say or do.
        self.surprises = []

    def note(self, token, node, asked, answer):
        """Notes an answer; None if the connection ended or nothing came. Tells
        whether the question is settled."""
        answered = time.monotonic()
        word = self.word(answer)
        with self.lock:
            self.told[word] += 1
            self.longest[word] = max(self.longest[word], round(answered - asked, 1))
            if word == "granted":
                token.granted += 1
                self.grants.append(Grant(asked, answered, node))
            elif word == "used up":
                token.is_denied = True
            elif word in ("unknown", "no answer", "cut short", "silence"):
                token.unknown += 1
            elif word != "not given":
                self.surprises.append((word, node, answer))
            if word == "silence":
                self.surprises.append((f"no answer in {ANSWER_WITHIN_S} s", node, asked))
        return word in ("granted", "used up")

    def word(self, answer):
        if answer in ("silence", "no answer"):
            return answer
        if answer.is_profile:
            return "granted"
        if answer.status is None:
            return "no answer"
        if not answer.whole:
            return "cut short"
        for status, text, word in (
            (410, b"this link is used up", "used up"),
            (503, b"nothing was used up", "not given"),
            (503, b"one use of this link may have been used up", "unknown"),
        ):
            if answer.status == status and text in answer.body:
                return word
        return "surprise"

    def first_grant(self, after, nodes):
        """Returns when one of these nodes first granted what it was asked after a
        moment, if it did."""
        times = (one.answered for one in self.lately(nodes) if one.asked > after)
        return min(times, default=None)

    def longest_gap(self, after, until, nodes, stalls):
        """Returns how long none of these nodes granted anything between two moments,
        in seconds in which the machine did not stand still."""
        times = sorted(one.answered for one in self.lately(nodes))
        times = [after, *(time for time in times if after < time < until), until]
        return max(
            later - earlier - overlap(earlier, later, stalls)
            for earlier, later in itertools.pairwise(times)
        )

    def lately(self, nodes):
        with self.lock:
            return [one for one in self.grants[-5_000:] if one.node in nodes]


class Caller:
    """Asks nodes over connections that are kept, as browsers do."""

    def __init__(self, worlds, book):
        self.book = book
        self.worlds = worlds
        self.contexts = [
            ssl.create_default_context(cafile=world.dir / "tls" / "cert.pem") for world in worlds
        ]
        self.kept = {}

    def redeem(self, token, node):
        """Asks a node once; tells whether the question is settled."""
        try:
            connection = self.connection(node)
        except OSError:
            # Not a byte of the question was sent.
            self.book.told["not reached"] += 1
            return False
        asked = time.monotonic()
        try:
            text = request(f"{REST}?token={token.text}").replace(b"close", b"keep-alive")
            connection.sendall(text)
            answer = Answer.read(connection)
        except TimeoutError:
            answer = "silence"
        except OSError:
            answer = "no answer"
        if isinstance(answer, str) or not answer.whole or answer.header("Connection") == "close":
            connection.close()
        else:
            self.kept[node] = connection, time.monotonic()
        return self.book.note(token, node, asked, answer)

    def connection(self, node):
        connection, since = self.kept.pop(node, (None, 0))
        if connection and time.monotonic() - since < IDLE_S:
            # What can be read there is the end.
            if not select.select([connection], [], [], 0)[0]:
                return connection
        if connection:
            connection.close()
        world = self.worlds[node]
        plain = socket.create_connection((world.place.host, world.port), ANSWER_WITHIN_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.contexts[node].wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def close(self):
        for connection, _ in self.kept.values():
            connection.close()


class Crowd:
    """Clients that redeem each token more often than it may be, in a drawn order,
    no faster than they are let: so there is something to do at all times."""

    MORE = 2

    def __init__(self, worlds, book, tokens, seed, clients):
        chance = random.Random(seed)
        self.tries = [token for token in tokens for _ in range(token.limit + self.MORE)]
        chance.shuffle(self.tries)
        self.next, self.share = 0, 0.0
        self.turn = threading.Condition()
        self.is_over = False
        self.worlds, self.book = worlds, book
        self.threads = [
            threading.Thread(target=self.work, args=(chance.random(),)) for _ in range(clients)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def let(self, share):
        """Lets them do this share of everything."""
        with self.turn:
            self.share = share
            self.turn.notify_all()

    def finish(self):
        """Lets them do all, and waits for that."""
        self.let(1.0)
        for thread in self.threads:
            thread.join()

    def give_up(self):
        """Lets them leave what is left."""
        with self.turn:
            self.is_over = True
            self.turn.notify_all()
        for thread in self.threads:
            thread.join()

    def work(self, seed):
        chance, caller = random.Random(seed), Caller(self.worlds, self.book)
        while token := self.take():
            while not caller.redeem(token, chance.randrange(len(self.worlds))):
                with self.turn:
                    if self.turn.wait_for(lambda: self.is_over, chance.uniform(0.01, 0.2)):
                        break
        caller.close()

    def take(self):
        with self.turn:
            self.turn.wait_for(
                lambda: self.is_over or self.next < self.share * len(self.tries) or self.share == 1
            )
            if self.is_over or self.next == len(self.tries):
                return None
            self.next += 1
            return self.tries[self.next - 1]


class Probers:
    """Someone at each node who asks it all the time, with a token that lasts."""

    EVERY_S = 0.02

    def __init__(self, worlds, book, tokens):
        self.over = threading.Event()
        self.worlds, self.book = worlds, book
        self.threads = [
            threading.Thread(target=self.probe, args=(node, token))
            for node, token in enumerate(tokens)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def probe(self, node, token):
        caller = Caller(self.worlds, self.book)
        while not self.over.wait(self.EVERY_S):
            caller.redeem(token, node)
        caller.close()


class Clients:
    """People with links for one use each, who ask some node and, if it cannot
    answer, the next, as behind a load balancer."""

    def __init__(self, worlds, tokens):
        self.worlds, self.tokens = worlds, iter(tokens)
        self.lock = threading.Lock()
        self.given, self.slowest, self.retries, self.lost = {}, 0, 0, []
        self.stopping = threading.Event()

    def __enter__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.running = [self.pool.submit(self.work, number) for number in range(4)]
        return self

    def __exit__(self, *_):
        self.stopping.set()
        with self.pool:
            for one in self.running:
                one.result()

    def work(self, number):
        turns = itertools.cycle(self.worlds[number % 3 :] + self.worlds[: number % 3])
        while not self.stopping.is_set():
            with self.lock:
                token = next(self.tokens, None)
            if token is None:
                return
            self.redeem(token, turns)

    def redeem(self, token, turns):
        begun = time.monotonic()
        for asked, world in enumerate(turns):
            try:
                answer = world.download(token)
            except OSError:
                answer = None
            if answer and answer.is_profile:
                break
            if answer and answer.status not in (None, 503):
                self.lost.append(answer)
                break
            if time.monotonic() - begun > PATIENCE_S:
                self.lost.append(answer)
                break
            # A client waits a moment; a load balancer need not.
            self.stopping.wait(0.02)
        with self.lock:
            self.given[token] = answer.is_profile if answer else False
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.retries += asked

    def wait_for(self, more):
        """Waits until so many more were asked for."""
        enough = len(self.given) + more
        wait_until("the clients", lambda: len(self.given) >= enough or self.stopping.is_set())
