"""Schemathesis hooks: a generator for the `ip-network` format, and a filter for
limits on user names and bodies that the schema cannot express.
"""

import ipaddress
import json

import schemathesis
from hypothesis import strategies as st

NAME_BYTES_MAX = 128
BODY_BYTES_MAX = 16 * 1024


@st.composite
def networks(draw):
    version = draw(st.sampled_from([4, 6]))
    address = draw(st.ip_addresses(v=version))
    prefix = draw(st.integers(0, address.max_prefixlen))
    return str(ipaddress.ip_network((address, prefix), strict=False))


def is_not_mapped(network):
    """Rejects ::ffff:0:0/96: jeton accepts IPv4 networks only in IPv4 notation."""
    address = ipaddress.ip_network(network).network_address
    return getattr(address, "ipv4_mapped", None) is None


schemathesis.openapi.format("ip-network", networks().filter(is_not_mapped))


@schemathesis.hook
def filter_case(context, case):
    """Skips names that are too long only in bytes: the schema limits characters,
    jeton limits bytes. Skips bodies that are too large: schemathesis does not count
    their 413 as a rejection."""
    parts = (case.path_parameters, case.query, case.body)
    names = [part.get("user") for part in parts if isinstance(part, dict)]
    if any(isinstance(name, str) and is_long_by_bytes(name) for name in names):
        return False
    return not is_too_large(case.body)


def is_long_by_bytes(name):
    return len(name) <= NAME_BYTES_MAX < len(name.encode("utf-8", "surrogatepass"))


def is_too_large(body):
    is_json = isinstance(body, (dict, list, str))
    return is_json and len(json.dumps(body)) > BODY_BYTES_MAX
