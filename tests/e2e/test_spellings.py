"""A token has one spelling. Every other spelling either is the same token, with the same
count, or is refused. None adds a download."""

from jeton import REST, Case, World, request

CLOSE = b"Connection: close\r\n"


def percent(text):
    return "".join(f"%{ord(c):02X}" for c in text)


# Spellings of the target: name -> target for the token t.
TARGETS = {
    # The two forms, with parts that are ignored.
    "query": lambda t: f"{REST}?token={t}",
    "path": lambda t: f"{REST}/{t}",
    "other keys around": lambda t: f"{REST}?x=1&token={t}&y",
    "path with ?null": lambda t: f"{REST}/{t}?null",
    "path with a query": lambda t: f"{REST}/{t}?token=other",
    "both forms": lambda t: f"{REST}/{t}?token={t}",
    "query with a fragment": lambda t: f"{REST}?token={t}#here",
    "path with a fragment": lambda t: f"{REST}/{t}#here",
    "absolute form": lambda t: f"https://localhost{REST}?token={t}",
    "absolute form, other host": lambda t: f"http://elsewhere.test{REST}/{t}",
    # Other spellings of the token.
    "first character escaped": lambda t: f"{REST}?token={percent(t[0])}{t[1:]}",
    "last character escaped": lambda t: f"{REST}?token={t[:-1]}{percent(t[-1])}",
    "all characters escaped": lambda t: f"{REST}?token={percent(t)}",
    "escaped twice": lambda t: f"{REST}?token={percent(percent(t[0]))}{t[1:]}",
    "path, first escaped": lambda t: f"{REST}/{percent(t[0])}{t[1:]}",
    "path, all escaped": lambda t: f"{REST}/{percent(t)}",
    "path, escaped in lower case": lambda t: f"{REST}/{percent(t).lower()}",
    "broken escape": lambda t: f"{REST}?token={t}%4",
    "padding =": lambda t: f"{REST}?token={t}=",
    "padding ==": lambda t: f"{REST}?token={t}==",
    "padding escaped": lambda t: f"{REST}?token={t}%3D",
    "path, padding": lambda t: f"{REST}/{t}=",
    "upper case": lambda t: f"{REST}?token={t.upper()}",
    "lower case": lambda t: f"{REST}?token={t.lower()}",
    "case swapped": lambda t: f"{REST}/{t.swapcase()}",
    "standard alphabet": lambda t: f"{REST}?token={t.replace('-', '+').replace('_', '/')}",
    "one extra character": lambda t: f"{REST}?token={t}A",
    "one character missing": lambda t: f"{REST}?token={t[:-1]}",
    "twice in a row": lambda t: f"{REST}?token={t}{t}",
    # White space, NUL and other extra characters.
    "escaped space before": lambda t: f"{REST}?token=%20{t}",
    "escaped space after": lambda t: f"{REST}?token={t}%20",
    "plus before": lambda t: f"{REST}?token=+{t}",
    "plus after": lambda t: f"{REST}?token={t}+",
    "escaped tab": lambda t: f"{REST}?token={t}%09",
    "escaped line feed": lambda t: f"{REST}?token={t}%0A",
    "escaped line feed within": lambda t: f"{REST}?token={t[:9]}%0D%0A{t[9:]}",
    "escaped NUL": lambda t: f"{REST}?token={t}%00",
    "path, escaped NUL": lambda t: f"{REST}/{t}%00",
    "path, escaped space": lambda t: f"{REST}/{t}%20",
    "not UTF-8": lambda t: f"{REST}?token={t}%ff",
    "quoted": lambda t: f"{REST}?token=%22{t}%22",
    "dot after": lambda t: f"{REST}/{t}.",
    "file extension": lambda t: f"{REST}/{t}.ovpn",
    "comma": lambda t: f"{REST}?token={t},{t}",
    "raw NUL": lambda t: f"{REST}?token={t}\0",
    "path, raw NUL": lambda t: f"{REST}/{t}\0",
    "raw tab": lambda t: f"{REST}?token={t}\t",
    "raw space": lambda t: f"{REST}?token={t} ",
    "raw line feed": lambda t: f"{REST}?token={t}\n",
    "raw byte 0xff": lambda t: f"{REST}?token={t}\xff",
    # The key and the query.
    "key repeated, same": lambda t: f"{REST}?token={t}&token={t}",
    "key repeated, other first": lambda t: f"{REST}?token=x&token={t}",
    "key repeated, other last": lambda t: f"{REST}?token={t}&token=x",
    "key repeated, empty last": lambda t: f"{REST}?token={t}&token",
    "key repeated, escaped": lambda t: f"{REST}?token={t}&tok%65n={t}",
    "key escaped": lambda t: f"{REST}?tok%65n={t}",
    "key escaped in full": lambda t: f"{REST}?{percent('token')}={t}",
    "key in upper case": lambda t: f"{REST}?TOKEN={t}",
    "key as a list": lambda t: f"{REST}?token[]={t}",
    "key with a space": lambda t: f"{REST}?%20token={t}",
    "no key": lambda t: f"{REST}?{t}",
    "no value": lambda t: f"{REST}?token&{t}",
    "semicolon before": lambda t: f"{REST}?x;token={t}",
    "semicolon after": lambda t: f"{REST}?token={t};x",
    "two question marks": lambda t: f"{REST}??token={t}",
    "= escaped": lambda t: f"{REST}?token%3D{t}",
    "? escaped": lambda t: f"{REST}%3Ftoken={t}",
    # The path.
    "path, another segment": lambda t: f"{REST}/{t}/x",
    "path, trailing slash": lambda t: f"{REST}/{t}/",
    "path, twice": lambda t: f"{REST}/{t}/{t}",
    "path, two slashes": lambda t: f"{REST}//{t}",
    "query after a slash": lambda t: f"{REST}/?token={t}",
    "path, parameter": lambda t: f"{REST}/{t};x=1",
    "leading slashes": lambda t: f"//rest/GetProfileViaToken/{t}",
    "dot segment": lambda t: f"{REST}/./{t}",
    "dot segments": lambda t: f"/x/..{REST}/{t}",
    "dot segments to itself": lambda t: f"{REST}/../GetProfileViaToken/{t}",
    "dot segments escaped": lambda t: f"{REST}/%2e%2e/GetProfileViaToken/{t}",
    "route in lower case": lambda t: f"{REST.lower()}?token={t}",
    "route escaped": lambda t: f"/rest/%47etProfileViaToken?token={t}",
    "slash escaped": lambda t: f"/rest%2FGetProfileViaToken/{t}",
    "slash escaped before the token": lambda t: f"{REST}%2F{t}",
    "backslash": lambda t: f"{REST}\\{t}",
    "no leading slash": lambda t: f"{REST[1:]}/{t}",
}


def line(first, *rest):
    """Returns the bytes of a request with these lines that closes its connection."""
    return "\r\n".join([first, "Host: localhost", *rest, CLOSE.decode(), ""]).encode("latin-1")


# Spellings of the request around a valid target: name -> bytes for the target g.
REQUESTS = {
    "HTTP/1.0": lambda g: line(f"GET {g} HTTP/1.0"),
    "HTTP/1.0 without a host": lambda g: f"GET {g} HTTP/1.0\r\n\r\n".encode(),
    "HTTP/0.9": lambda g: f"GET {g}\r\n\r\n".encode(),
    "HTTP/1.2": lambda g: line(f"GET {g} HTTP/1.2"),
    "HTTP/2.0": lambda g: line(f"GET {g} HTTP/2.0"),
    "bare line feeds": lambda g: line(f"GET {g} HTTP/1.1").replace(b"\r\n", b"\n"),
    "empty line before": lambda g: b"\r\n" + line(f"GET {g} HTTP/1.1"),
    "folded header": lambda g: line(f"GET {g} HTTP/1.1", "X-A: 1", " 2"),
    "folded request line": lambda g: line("GET", f" {g} HTTP/1.1"),
    "two spaces": lambda g: line(f"GET  {g} HTTP/1.1"),
    "tab for a space": lambda g: line(f"GET\t{g} HTTP/1.1"),
    "method in lower case": lambda g: line(f"get {g} HTTP/1.1"),
    "POST": lambda g: line(f"POST {g} HTTP/1.1", "Content-Length: 0"),
    "PUT": lambda g: line(f"PUT {g} HTTP/1.1", "Content-Length: 0"),
    "OPTIONS": lambda g: line(f"OPTIONS {g} HTTP/1.1"),
    "method override": lambda g: line(f"HEAD {g} HTTP/1.1", "X-HTTP-Method-Override: GET"),
    "two hosts": lambda g: line(f"GET {g} HTTP/1.1", "Host: elsewhere.test"),
    "original URL": lambda g: line("GET / HTTP/1.1", f"X-Original-URL: {g}", f"X-Rewrite-URL: {g}"),
    "range request": lambda g: line(f"GET {g} HTTP/1.1", "Range: bytes=0-9"),
    "conditional request": lambda g: line(f"GET {g} HTTP/1.1", 'If-None-Match: "x"', "If-Match: *"),
    "a body": lambda g: line(f"GET {g} HTTP/1.1", "Content-Length: 4") + b"body",
    "length and chunks": lambda g: line(
        f"GET {g} HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked"
    )
    + b"0\r\n\r\n",
    "a request in the body": lambda g: line(
        f"GET {g} HTTP/1.1", f"Content-Length: {len(request(g))}"
    )
    + request(g),
    "pipelined": lambda g: f"GET {g} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() + request(g),
    "upgrade": lambda g: line(f"GET {g} HTTP/1.1", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
    "expect": lambda g: line(f"GET {g} HTTP/1.1", "Expect: 100-continue"),
}


def spellings(token):
    """Yields the name and the bytes of every spelling."""
    for name, target in TARGETS.items():
        yield name, line(f"GET {target(token)} HTTP/1.1")
    for name, wrapped in REQUESTS.items():
        yield f"{name}, query", wrapped(f"{REST}?token={token}")
        yield f"{name}, path", wrapped(f"{REST}/{token}")


class Spellings(Case):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World())
        cls.world.serve()

    def profiles(self, sent):
        """Sends raw bytes and returns the number of profiles in all responses on the
        connection. Asserts that none is a server error."""
        received = b""
        with self.world.connect() as connection:
            connection.sendall(sent)
            try:
                while chunk := connection.recv(1 << 16):
                    received += chunk
            except OSError:
                pass
        self.assertNotRegex(received, rb"(?m)^HTTP/1\.[01] 5")
        return received.count(b"</tls-crypt>")

    def test_one_use_gives_one_profile_over_all_spellings(self):
        token = self.world.mint().token
        counts = {name: self.profiles(sent) for name, sent in spellings(token)}
        self.assertEqual(sum(counts.values()), 1, counts)

    def test_no_spelling_adds_a_use(self):
        names = [name for name, _ in spellings("T")]
        tokens = self.world.mint_each(["alice"] * len(names))
        for number, (name, minted) in enumerate(zip(names, tokens)):
            with self.subTest(name):
                _, sent = list(spellings(minted.token))[number]
                first, second = self.profiles(sent), self.profiles(sent)
                plain = self.profiles(request(f"{REST}?token={minted.token}"))
                self.assertEqual((first + second + plain, second), (1, 0))

    def test_a_spelling_delivers_a_profile_or_spends_nothing(self):
        """A refused spelling leaves the count as it is; any other spends one use."""
        token = self.world.mint(uses=100_000)
        for name, sent in spellings(token.token):
            with self.subTest(name):
                before = self.used(token)
                profiles = self.profiles(sent)
                self.assertEqual(self.used(token) - before, profiles)

    def used(self, token):
        answer = self.world.get(f"{REST}?token={token.token}", method="HEAD")
        return 100_000 - int(answer.header("Jeton-Uses-Left"))
