"""Decides which addresses may be fetched from: web addresses whose hosts are public. Pure."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

IP = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

PORTS = frozenset({80, 443})
"""Ports of public web servers. At others, admin pages listen, where even a GET may change something."""
LONGEST = 2_000
"""Characters of an address at most."""

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",
        ),
    )
)
"""https://www.iana.org/assignments/iana-ipv4-special-registry, multicast, what is reserved, and what tells machines on
Azure of themselves (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16)."""
_PUBLIC_6 = IPv6Network("2000::/3")
"""All that is assigned to hosts (https://www.iana.org/assignments/ipv6-address-space). So none of: loopback,
IPv4-mapped and IPv4-compatible, link-local, site-local, unique local, multicast."""
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")))
"""Of these: protocols (Teredo, ORCHID, benchmarks), documentation, 6to4, AS112."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""How an IPv4 host looks where there is only IPv6 (RFC 6052)."""
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)\.?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.IGNORECASE)
_NOT_IN_DNS = (".onion", ".alt", ".local", ".localhost", ".internal", ".home.arpa")
"""Names that are to be looked up by other means than DNS, or only in a network of one's own (RFC 6761)."""


class Unfit(Exception):
    """Nothing is fetched from this address. The text is for the log."""


def web_address(text: str) -> URL:
    """`text` as an address that may be fetched from, if its host turns out to be public. Raises Unfit.

    A host that is a number is an IP address in its usual form, or refused: `127.1`, `0x7f.1` and `2130706433` are
    127.0.0.1 to some.
    """
    if len(text) > LONGEST or not text.isprintable():
        raise Unfit("not an address")
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError as error:
        raise Unfit("not an address") from error
    if url.scheme not in ("http", "https") or not host or port is None:
        raise Unfit("not a web address")
    if url.raw_user is not None or url.raw_password is not None:
        raise Unfit("an address with a name or a password")
    if ip_of(host) is None:
        _check_name(host)
    return url.with_fragment(None)


def ip_of(host: str) -> IP | None:
    """`host` as an IP address; None if it is a name. With a scope (`fe80::1%eth0`) it is no address of a server."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_reach(address: str, port: int, private: Iterable[IPNetwork] = ()) -> bool:
    """Whether a file may be fetched from an IP address at a port. `private`: networks from which it may be, too, at any
    port."""
    if is_within(address, private):
        return True
    ip = ip_of(address)
    return ip is not None and port in PORTS and is_public(ip)


def is_public(ip: IP) -> bool:
    """Whether `ip` is that of one host on the internet, and of nothing on this machine or in a network around it."""
    if isinstance(ip, IPv4Address):
        return ip.is_global and not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None:
        return False
    if ip in _NAT64:
        return is_public(IPv4Address(int(ip) & 0xFFFF_FFFF))
    return ip in _PUBLIC_6 and ip.is_global and not any(ip in network for network in _NOT_PUBLIC_6)


def is_near(address: str, own: str) -> bool:
    """Whether a public address is of this machine, or of one beside it, behind the same firewall: `own` is the address
    from which we would connect to it. With IPv6, machines in a home have public addresses, too."""
    ip, ours = ip_of(address), ip_of(own)
    if isinstance(ip, IPv6Address) and isinstance(ours, IPv6Address):
        return int(ip) >> 64 == int(ours) >> 64
    return ip == ours


def is_within(address: str, networks: Iterable[IPNetwork]) -> bool:
    ip = ip_of(address)
    return ip is not None and any(ip in network for network in networks)


def _check_name(host: str) -> None:
    last = host.rstrip(".").rpartition(".")[2]
    if _NUMBER.fullmatch(last) or len(host) > 253 or not _NAME.fullmatch(host):
        raise Unfit("not the name of a host")
    name = "." + host.rstrip(".").lower()
    if name.count(".") < 2 or name.endswith(_NOT_IN_DNS):
        raise Unfit("a name of a local network")
