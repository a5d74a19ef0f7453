"""People at the operators' door: each has an admin token, or a session.

An `Operator` sends what a test says, to the letter, over plain HTTP as a
browser or a script would.
"""

import concurrent.futures
import http.client
import json
import re
import types
import urllib.parse

import forge
from jeton import PATIENCE_S

ROLES = {"viewer": 0, "operator": 1, "admin": 2}
COOKIE = "__Host-jeton"


def admin_token(world, role="admin", name="root", **options):
    """Writes an admin token with the world's admin key; the options of
    `forge.token`."""
    options = {"uses": None, **options}
    key = world.key("admin")
    return forge.token(key, purpose=forge.ADMIN, variant=ROLES[role], user=name, **options)


class Operator:
    """Somebody who may ask: by an admin token, by a session's cookie, or by
    nothing at all."""

    def __init__(self, world, role="admin", name="root", token=None, cookie=None):
        self.world = world
        self.token = token if token or cookie else admin_token(world, role, name)
        self.cookie = cookie

    @classmethod
    def nobody(cls, world):
        """Makes somebody without a token."""
        person = cls(world)
        person.token = None
        return person

    @property
    def host(self):
        return f"127.0.0.1:{self.world.admin_port}"

    def ask(self, method, path, body=None, headers=None):
        """Asks for anything at the door. A body that is no text is sent as JSON;
        the given headers win over those that come of themselves."""
        sent = {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            sent["Cookie"] = f"{COOKIE}={self.cookie}"
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, sent)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def api(self, method, path, body=None, **options):
        """Asks the API."""
        return self.ask(method, f"/api/v1/{path}", body, **options)

    def did(self, method, path, body=None, **options):
        """Asks the API for what has to succeed, and returns its JSON."""
        reply = self.api(method, path, body, **options)
        assert reply.status in (200, 201), reply
        return reply.json

    def mint(self, user="alice", **fields):
        """Has the node mint a token, and returns the fields of the answer."""
        return types.SimpleNamespace(**self.did("POST", "tokens", {"user": user, **fields}))

    def listed(self, **query):
        """Returns the tokens of one page by their ids."""
        page = self.did("GET", f"tokens?{urllib.parse.urlencode(query)}")
        return {token["id"]: token for token in page["tokens"]}

    def pages(self, **query):
        """Goes through all pages of the list of tokens."""
        after = {}
        while True:
            page = self.did("GET", f"tokens?{urllib.parse.urlencode({**query, **after})}")
            yield page
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def events(self, **query):
        """Returns what happened of late, newest first."""
        return self.did("GET", f"activity?{urllib.parse.urlencode(query)}")["events"]

    def sign_in(self, text=None, **headers):
        """Posts a token, its own if none is given, to the sign-in page."""
        form = urllib.parse.urlencode({"token": text or self.token})
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask("POST", "/sign-in", form, headers=sent)

    def session(self):
        """Signs in, and returns whom the pages know by a cookie only."""
        reply = self.sign_in()
        assert reply.status == 303, reply
        return self.of(reply)

    def of(self, reply):
        """Returns whom the pages know by the cookie of an answer to a sign-in."""
        cookie = re.match(rf"{COOKIE}=([^;]+)", reply.header("Set-Cookie"))[1]
        return Operator(self.world, cookie=cookie)


class Reply:
    """An answer of the operators' door."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def header(self, name):
        return self.headers.get(name)

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The `code` of an error."""
        return self.json["error"]["code"]

    def __repr__(self):
        return f"Reply({self.status}, {dict(self.headers)}, {self.body[:300]!r})"


def fill(operator, count):
    """Has the ledger know many tokens that were minted offline; returns their
    ids."""
    minted = operator.world.mint_each([("alice", "bob")[i % 2] for i in range(count)], expires="8h")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        wishes = [{"token": token.token} for token in minted]
        list(pool.map(lambda wish: operator.did("POST", "records", wish), wishes))
    return {token.id for token in minted}
