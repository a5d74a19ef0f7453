"""What schemathesis has to know of the API beyond its document: how to make the
one format of our own, and what no schema can say of a user's name.
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


def is_no_disguise(network):
    """::ffff:0:0/96 is IPv4 in disguise, which jeton takes undisguised only."""
    address = ipaddress.ip_network(network).network_address
    return getattr(address, "ipv4_mapped", None) is None


schemathesis.openapi.format("ip-network", networks().filter(is_no_disguise))


@schemathesis.hook
def filter_case(context, case):
    """A schema counts characters, jeton counts bytes: what is too long by bytes
    alone is neither right nor wrong by the document. And a body that is too large
    is refused as that (413), which schemathesis does not count as refused."""
    places = (case.path_parameters, case.query, case.body)
    names = [place.get("user") for place in places if isinstance(place, dict)]
    if any(isinstance(name, str) and is_long_by_bytes(name) for name in names):
        return False
    return not is_too_large(case.body)


def is_long_by_bytes(name):
    return len(name) <= NAME_BYTES_MAX < len(name.encode("utf-8", "surrogatepass"))


def is_too_large(body):
    is_json = isinstance(body, (dict, list, str))
    return is_json and len(json.dumps(body)) > BODY_BYTES_MAX
