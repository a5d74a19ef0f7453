#!/usr/bin/env python3
"""A second reader of token version 1, which checks the vectors.

It follows docs/token.md, shares no code with jeton, and needs Python 3.11 and
the openssl program. It judges every vector and fails if a verdict or a claim
differs from the vector's file.
"""

import hashlib
import ipaddress
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import unicodedata

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
CONTEXT = b"jeton token v1\0"
LAST_MOMENT = 253_402_207_200
SPKI_HEAD = bytes.fromhex("302a300506032b6570032100")

# The eight points of small order, which openssl accepts as R: order 1, 2, 4, 8.
ORDER_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
MINUS_ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
SMALL_ORDER = {
    bytes.fromhex(point)
    for point in (
        "01" + 31 * "00",
        "ec" + 30 * "ff" + "7f",
        32 * "00",
        31 * "00" + "80",
        ORDER_8 + "05",
        ORDER_8 + "85",
        MINUS_ORDER_8 + "7a",
        MINUS_ORDER_8 + "fa",
    )
}


class Refused(Exception):
    """The name of the check that fails."""


class Reader:
    """Reads claims from the front and notes if one is not canonical."""

    def __init__(self, data):
        self.data = data
        self.canonical = True

    def take(self, count):
        if count > len(self.data):
            raise Refused("Claims.Malformed")
        head, self.data = self.data[:count], self.data[count:]
        return head

    def varint(self, bits):
        value, groups = 0, -(-bits // 7)
        for group in range(groups):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * group)
            if byte < 0x80:
                if value >> bits:
                    raise Refused("Claims.Malformed")
                if byte == 0 and group > 0:
                    self.canonical = False
                return value
        raise Refused("Claims.Malformed")

    def choice(self, *names):
        tag = self.varint(32)
        if tag >= len(names):
            raise Refused("Claims.Malformed")
        return names[tag]


def decode_base64url(text):
    bits = "".join(format(ALPHABET.index(c), "06b") if c in ALPHABET else "?" for c in text)
    whole = len(bits) // 8 * 8
    if "?" in bits or len(text) % 4 == 1 or "1" in bits[whole:]:
        raise Refused("Base64")
    return bytes(int(bits[i : i + 8], 2) for i in range(0, whole, 8))


def signature_holds(public, signature, message):
    if signature[:32] in SMALL_ORDER:
        return False
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        (directory / "key").write_bytes(SPKI_HEAD + public)
        (directory / "signature").write_bytes(signature)
        (directory / "message").write_bytes(message)
        command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in message"
        command = [*command.split(), "-sigfile", "signature"]
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode == 0:
        return True
    # Any other output is an error of this script or of openssl.
    assert "Signature Verification Failure" in done.stdout + done.stderr, done
    return False


def read_user(reader):
    try:
        user = reader.take(reader.varint(64)).decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused("Claims.Malformed") from None
    bad = any(unicodedata.category(c) == "Cc" or c in "/\\" for c in user)
    if bad or user in (".", "..") or not 1 <= len(user.encode()) <= 128:
        raise Refused("Claims.Malformed")
    return user


def read_network(reader):
    option = reader.take(1)
    if option == b"\0":
        return None
    if option != b"\1":
        raise Refused("Claims.Malformed")
    family = reader.choice(ipaddress.IPv4Network, ipaddress.IPv6Network)
    address = reader.take(4 if family is ipaddress.IPv4Network else 16)
    prefix = reader.take(1)[0]
    try:
        network = family((address, prefix))
    except ValueError:
        raise Refused("Claims.Malformed") from None
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise Refused("Claims.Malformed")
    return str(network)


def read_claims(data):
    reader = Reader(data)
    if reader.choice("profile", "admin") == "profile":
        purpose = "profile:" + reader.choice("user-locked", "autologin", "server-locked")
    else:
        purpose = "admin:" + reader.choice("viewer", "operator", "admin")
    nonce = reader.take(16).hex()
    issued_at = reader.varint(64)
    lifetime = reader.varint(32)
    if not 1 <= lifetime <= 366 * 86_400:
        raise Refused("Claims.Malformed")
    uses = "unlimited"
    if reader.choice("limited", "unlimited") == "limited":
        uses = str(reader.varint(32))
    if uses == "0":
        raise Refused("Claims.Malformed")
    claims = {
        "purpose": purpose,
        "nonce": nonce,
        "issued_at": issued_at,
        "expires_at": issued_at + lifetime,
        "uses": uses,
        "user": read_user(reader),
        "network": read_network(reader),
    }
    if reader.data or not reader.canonical:
        raise Refused("Claims.NotCanonical")
    if claims["expires_at"] > LAST_MOMENT:
        raise Refused("Claims.Time")
    return claims


def judge(token, now, trusted):
    """Returns the claims of a valid token. Raises Refused for any other."""
    if len(token.encode()) > 512:
        raise Refused("TooLong")
    envelope = decode_base64url(token)
    if len(envelope) < 1 + 4 + 64:
        raise Refused("TooShort")
    signed, signature = envelope[:-64], envelope[-64:]
    if signed[0] != 1:
        raise Refused("Version")
    if signed[1:5] not in trusted:
        raise Refused("UnknownKey")
    purpose, public = trusted[signed[1:5]]
    if not signature_holds(public, signature, CONTEXT + signed):
        raise Refused("Signature")
    claims = read_claims(signed[5:])
    if not claims["purpose"].startswith(purpose + ":"):
        raise Refused("KeyPurpose")
    if now < claims["issued_at"] - 60:
        raise Refused("NotYet")
    if now >= claims["expires_at"]:
        raise Refused("Expired")
    return claims


def check(path):
    vector = tomllib.loads(path.read_text("ascii"))
    trusted = {}
    for key in vector.get("trusted", []):
        public = bytes.fromhex(key["public_key"])
        trusted[hashlib.sha256(public).digest()[:4]] = (key["purpose"], public)
    try:
        found = judge(vector["token"], vector["now"], trusted)
    except Refused as refused:
        found = str(refused)
    expected = vector.get("error") or {"network": None, **vector["claims"]}
    if found != expected:
        sys.exit(f"{path}: expected {expected}, found {found}")


def main():
    root = pathlib.Path(__file__).parent / "token-v1"
    counts = {}
    for verdict in ("accept", "refuse"):
        paths = sorted((root / verdict).glob("*.toml"))
        for path in paths:
            check(path)
        counts[verdict] = len(paths)
    print(f"{counts['accept']} accepted, {counts['refuse']} refused")


if __name__ == "__main__":
    main()
