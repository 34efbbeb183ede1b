"""Tells who asks over HTTP, also behind our reverse proxies (`X-Forwarded-For`); an IPv6 /64 is one client. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from bridge.lib.hosts import Network, network

LOOPBACK: tuple[str, ...] = ("127.0.0.0/8", "::1")
_LONGEST = 64
"""Characters of what a proxy calls its client at most."""
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%]{2,60})\]|(\d{1,3}(?:\.\d{1,3}){3}))(?::\d{1,5})?", re.ASCII)
_PASSED_ON = {"forwarded", "x-real-ip", "via", "x-client-ip", "cf-connecting-ip", "true-client-ip"}
"""Headers of a request that a proxy has passed on, besides all `X-Forwarded-`."""


def neighbourhood(address: str) -> str:
    """What counts as one client: an IPv4 address, also written as IPv6 (`::ffff:192.0.2.1`); of IPv6 the /64, as each
    customer has at least that. What is no address stays as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_LONGEST]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    if found.is_loopback:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def is_own(peer: str, headers: Iterable[str]) -> bool:
    """Whether a request with these headers' names comes from this machine, and not through a proxy on it."""
    names = {name.lower() for name in headers}
    is_passed_on = not names.isdisjoint(_PASSED_ON) or any(name.startswith("x-forwarded-") for name in names)
    return _is_in(peer, [network(each) for each in LOOPBACK]) and not is_passed_on


class Proxies:
    """The reverse proxies that are believed when they name their client."""

    def __init__(self, addresses: Sequence[str] = LOOPBACK) -> None:
        """Raises ValueError if one is neither an address nor a network."""
        self._networks = [network(each) for each in addresses]

    def __contains__(self, peer: str) -> bool:
        return _is_in(peer, self._networks)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The client of a request from `peer`. `forwarded`: its `X-Forwarded-For` headers, in order. Each proxy has
        added the last name: the first from the end that is no proxy of ours is the client."""
        client = peer
        names = [name.strip() for name in ",".join(forwarded).split(",") if name.strip()]
        while client in self and names:
            client = _without_port(names.pop())
        return neighbourhood(client)


def _without_port(name: str) -> str:
    found = _WITH_PORT.fullmatch(name)
    return (found[1] or found[2]) if found else name[:_LONGEST]


def _is_in(address: str, networks: Iterable[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found.version == each.version and found in each for each in networks)
