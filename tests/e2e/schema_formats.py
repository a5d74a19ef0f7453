"""What schemathesis has to know of the API beyond its document: how to make the
two formats of our own, which no pattern can say.
"""

import ipaddress

import schemathesis
from hypothesis import strategies as st

LETTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\")


def is_user_name(name):
    return name not in (".", "..") and len(name.encode()) <= 128


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


schemathesis.openapi.format(
    "user-name", st.text(LETTERS, min_size=1, max_size=128).filter(is_user_name)
)
schemathesis.openapi.format("ip-network", networks().filter(is_no_disguise))
