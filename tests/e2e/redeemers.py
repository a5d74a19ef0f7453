"""Load generators that redeem tokens at random nodes, a history of all responses, and
clients that try node after node until one answers.

The history bounds the uses of each token. A complete profile is one use. A response
that says that nothing was used up is none. Everything else may be one.
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

from jeton import REST, TIMEOUT_S, Response, request, wait_until

# Much longer than a node's own limit for a response (5 s) and a pause of a node (3 s).
RESPONSE_TIMEOUT_S = 40
# A node closes a connection that was idle for 5 s.
IDLE_S = 3


class Token:
    """A token, and the responses about it."""

    def __init__(self, id, text, limit):
        self.id, self.text, self.limit = id, text, limit
        self.granted = 0
        self.unknown = 0
        self.is_denied = False

    def use_bounds(self):
        """Returns the smallest and the largest number of uses that fit the responses."""
        return self.granted, min(self.limit, self.granted + self.unknown)


def mint(world, limits):
    """Mints one token for each limit, offline, in one run."""
    rows = "".join(f"alice,{limit}\n" for limit in limits)
    command = ("mint", "--csv", "-", "--format", "csv", "--expires", "8h")
    table = world.must(*command, input=f"user,uses\n{rows}", timeout=600)
    minted = csv.DictReader(io.StringIO(table))
    return [
        Token(row["id"], row["download_url"].partition("token=")[2], limit)
        for row, limit in zip(minted, limits, strict=True)
    ]


def overlap(begin, end, spans):
    """Returns how much of the time from `begin` to `end` lies within these spans."""
    return sum(max(0, min(end, over) - max(begin, since)) for since, over in spans)


# When a use was requested, when it was granted, and by which node.
Grant = collections.namedtuple("Grant", "requested granted node")


class History:
    """All responses to all clients."""

    def __init__(self):
        self.lock = threading.Lock()
        self.grants = []
        self.outcomes = collections.Counter()
        # The longest time to each outcome, in seconds.
        self.longest = collections.Counter()
        # Responses that no node may ever give.
        self.violations = []

    def record(self, token, node, requested, answer):
        """Records a response, or why there was none. Returns `True` if the outcome is
        final."""
        answered = time.monotonic()
        outcome = self.outcome(answer)
        with self.lock:
            self.outcomes[outcome] += 1
            self.longest[outcome] = max(self.longest[outcome], round(answered - requested, 1))
            if outcome == "granted":
                token.granted += 1
                self.grants.append(Grant(requested, answered, node))
            elif outcome == "used up":
                token.is_denied = True
            elif outcome in ("unknown", "no answer", "cut short", "timeout"):
                token.unknown += 1
            elif outcome != "not given":
                self.violations.append((outcome, node, answer))
            if outcome == "timeout":
                message = f"no answer within {RESPONSE_TIMEOUT_S} s"
                self.violations.append((message, node, requested))
        return outcome in ("granted", "used up")

    def outcome(self, answer):
        if answer in ("timeout", "no answer"):
            return answer
        if answer.is_profile:
            return "granted"
        if answer.status is None:
            return "no answer"
        if not answer.is_complete:
            return "cut short"
        for status, text, outcome in (
            (410, b"this link is used up", "used up"),
            (503, b"nothing was used up", "not given"),
            (503, b"one use of this link may have been used up", "unknown"),
        ):
            if answer.status == status and text in answer.body:
                return outcome
        return "unexpected"

    def first_grant(self, after, nodes):
        """Returns when one of these nodes first granted a request made after `after`,
        or `None`."""
        times = (one.granted for one in self.recent(nodes) if one.requested > after)
        return min(times, default=None)

    def longest_gap(self, after, until, nodes, stalls):
        """Returns the longest time without a grant by these nodes between `after` and
        `until`, in seconds, less the time that the machine stalled."""
        times = sorted(one.granted for one in self.recent(nodes))
        times = [after, *(time for time in times if after < time < until), until]
        return max(
            later - earlier - overlap(earlier, later, stalls)
            for earlier, later in itertools.pairwise(times)
        )

    def recent(self, nodes):
        with self.lock:
            return [one for one in self.grants[-5_000:] if one.node in nodes]


class Client:
    """Sends requests over persistent connections, as browsers do."""

    def __init__(self, worlds, history):
        self.history = history
        self.worlds = worlds
        self.contexts = [
            ssl.create_default_context(cafile=world.dir / "tls" / "cert.pem") for world in worlds
        ]
        self.kept = {}

    def redeem(self, token, node):
        """Redeems a token once at this node. Returns `True` if the outcome is final."""
        try:
            connection = self.connection(node)
        except OSError:
            # Not a byte of the request was sent.
            self.history.outcomes["not reached"] += 1
            return False
        requested = time.monotonic()
        try:
            text = request(f"{REST}?token={token.text}").replace(b"close", b"keep-alive")
            connection.sendall(text)
            answer = Response.read(connection)
        except TimeoutError:
            answer = "timeout"
        except OSError:
            answer = "no answer"
        is_kept = not isinstance(answer, str) and answer.is_complete
        if not is_kept or answer.header("Connection") == "close":
            connection.close()
        else:
            self.kept[node] = connection, time.monotonic()
        return self.history.record(token, node, requested, answer)

    def connection(self, node):
        connection, since = self.kept.pop(node, (None, 0))
        if connection and time.monotonic() - since < IDLE_S:
            # An idle connection that is readable was closed by the node.
            if not select.select([connection], [], [], 0)[0]:
                return connection
        if connection:
            connection.close()
        world = self.worlds[node]
        plain = socket.create_connection((world.host.address, world.port), RESPONSE_TIMEOUT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self.contexts[node].wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def close(self):
        for connection, _ in self.kept.values():
            connection.close()


class LoadGenerator:
    """Clients that try each token more often than its limit, in a random order. `allow`
    paces them, so that the load lasts as long as the faults."""

    EXTRA_ATTEMPTS = 2

    def __init__(self, worlds, history, tokens, seed, clients):
        rng = random.Random(seed)
        self.attempts = [
            token for token in tokens for _ in range(token.limit + self.EXTRA_ATTEMPTS)
        ]
        rng.shuffle(self.attempts)
        self.next, self.share = 0, 0.0
        self.condition = threading.Condition()
        self.is_aborted = False
        self.worlds, self.history = worlds, history
        self.threads = [
            threading.Thread(target=self.work, args=(rng.random(),)) for _ in range(clients)
        ]

    def start(self):
        for thread in self.threads:
            thread.start()

    def allow(self, share):
        """Allows the first `share` of all attempts, between 0 and 1."""
        with self.condition:
            self.share = share
            self.condition.notify_all()

    def finish(self):
        """Allows all attempts and waits until they are done."""
        self.allow(1.0)
        for thread in self.threads:
            thread.join()

    def abort(self):
        """Drops the remaining attempts and waits until the clients stop."""
        with self.condition:
            self.is_aborted = True
            self.condition.notify_all()
        for thread in self.threads:
            thread.join()

    def work(self, seed):
        rng, client = random.Random(seed), Client(self.worlds, self.history)
        while token := self.take():
            while not client.redeem(token, rng.randrange(len(self.worlds))):
                with self.condition:
                    pause_s = rng.uniform(0.01, 0.2)
                    if self.condition.wait_for(lambda: self.is_aborted, pause_s):
                        break
        client.close()

    def take(self):
        with self.condition:
            self.condition.wait_for(
                lambda: self.is_aborted
                or self.next < self.share * len(self.attempts)
                or self.share == 1
            )
            if self.is_aborted or self.next == len(self.attempts):
                return None
            self.next += 1
            return self.attempts[self.next - 1]


class Probers:
    """One client per node that redeems a long-lived token there all the time."""

    INTERVAL_S = 0.02

    def __init__(self, worlds, history, tokens):
        self.stopping = threading.Event()
        self.worlds, self.history = worlds, history
        self.threads = [
            threading.Thread(target=self.probe, args=(node, token))
            for node, token in enumerate(tokens)
        ]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def probe(self, node, token):
        client = Client(self.worlds, self.history)
        while not self.stopping.wait(self.INTERVAL_S):
            client.redeem(token, node)
        client.close()


class RetryingClients:
    """Clients with one-use links that try the next node while one cannot answer, as
    behind a load balancer."""

    def __init__(self, worlds, tokens):
        self.worlds, self.tokens = worlds, iter(tokens)
        self.lock = threading.Lock()
        self.delivered, self.slowest, self.retries, self.failures = {}, 0, 0, []
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
        rotation = itertools.cycle(self.worlds[number % 3 :] + self.worlds[: number % 3])
        while not self.stopping.is_set():
            with self.lock:
                token = next(self.tokens, None)
            if token is None:
                return
            self.redeem(token, rotation)

    def redeem(self, token, rotation):
        started = time.monotonic()
        for retries, world in enumerate(rotation):
            try:
                answer = world.download(token)
            except OSError:
                answer = None
            if answer and answer.is_profile:
                break
            if answer and answer.status not in (None, 503):
                self.failures.append(answer)
                break
            if time.monotonic() - started > TIMEOUT_S:
                self.failures.append(answer)
                break
            # A short pause, as a real client makes.
            self.stopping.wait(0.02)
        with self.lock:
            self.delivered[token] = answer.is_profile if answer else False
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.retries += retries

    def wait_for(self, count):
        """Waits until `count` more tokens were tried."""
        goal = len(self.delivered) + count
        wait_until("the clients", lambda: len(self.delivered) >= goal or self.stopping.is_set())
