"""Clients of the admin door, each with an admin token or a session.

An `Operator` sends exactly what a test specifies, over plain HTTP as a browser or a
script would.
"""

import concurrent.futures
import http.client
import json
import re
import types
import urllib.parse

import forge
from jeton import TIMEOUT_S

ROLES = {"viewer": 0, "operator": 1, "admin": 2}
COOKIE = "__Host-jeton"


def admin_token(world, role="admin", name="root", **options):
    """Returns an admin token signed with the world's admin key. Takes the options of
    `forge.token`."""
    options = {"uses": None, **options}
    key = world.key("admin")
    return forge.token(key, purpose=forge.ADMIN, variant=ROLES[role], user=name, **options)


class Operator:
    """A client with an admin token, with a session cookie, or with neither."""

    def __init__(self, world, role="admin", name="root", token=None, cookie=None):
        self.world = world
        self.token = token if token or cookie else admin_token(world, role, name)
        self.cookie = cookie

    @classmethod
    def anonymous(cls, world):
        """Returns a client without a token."""
        client = cls(world)
        client.token = None
        return client

    @property
    def host(self):
        return f"127.0.0.1:{self.world.admin_port}"

    def request(self, method, path, body=None, headers=None):
        """Sends a request to the admin door. A body that is not a string is sent as
        JSON. `headers` override the default ones."""
        sent = {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if self.cookie:
            sent["Cookie"] = f"{COOKIE}={self.cookie}"
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, sent)
            return ApiResponse(connection.getresponse())
        finally:
            connection.close()

    def api(self, method, path, body=None, **options):
        """Sends a request to the API."""
        return self.request(method, f"/api/v1/{path}", body, **options)

    def must(self, method, path, body=None, **options):
        """Sends an API request that must succeed, and returns the JSON of the
        response."""
        reply = self.api(method, path, body, **options)
        assert reply.status in (200, 201), reply
        return reply.json

    def mint(self, user="alice", **fields):
        """Mints a token at the node and returns the fields of the response."""
        return types.SimpleNamespace(**self.must("POST", "tokens", {"user": user, **fields}))

    def listed(self, **query):
        """Returns the tokens of one page by id."""
        page = self.must("GET", f"tokens?{urllib.parse.urlencode(query)}")
        return {token["id"]: token for token in page["tokens"]}

    def pages(self, **query):
        """Yields all pages of the token list."""
        after = {}
        while True:
            page = self.must("GET", f"tokens?{urllib.parse.urlencode({**query, **after})}")
            yield page
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def events(self, **query):
        """Returns the recent events, newest first."""
        return self.must("GET", f"activity?{urllib.parse.urlencode(query)}")["events"]

    def sign_in(self, text=None, **headers):
        """Posts `text`, or this client's own token, to the sign-in page."""
        form = urllib.parse.urlencode({"token": text or self.token})
        sent = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/sign-in", form, headers=sent)

    def session(self):
        """Signs in and returns a client that has only the session cookie."""
        reply = self.sign_in()
        assert reply.status == 303, reply
        return self.with_cookie_of(reply)

    def with_cookie_of(self, reply):
        """Returns a client that has only the session cookie of a sign-in response."""
        cookie = re.match(rf"{COOKIE}=([^;]+)", reply.header("Set-Cookie"))[1]
        return Operator(self.world, cookie=cookie)


class ApiResponse:
    """A response of the admin door."""

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
        """The `code` of an error response."""
        return self.json["error"]["code"]

    def __repr__(self):
        return f"ApiResponse({self.status}, {dict(self.headers)}, {self.body[:300]!r})"


def record_tokens(operator, count):
    """Mints many tokens offline, records them at the node, and returns their ids."""
    minted = operator.world.mint_each([("alice", "bob")[i % 2] for i in range(count)], expires="8h")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        bodies = [{"token": token.token} for token in minted]
        list(pool.map(lambda body: operator.must("POST", "records", body), bodies))
    return {token.id for token in minted}
