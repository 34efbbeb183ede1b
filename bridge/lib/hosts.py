"""Hosts and ports as people write them."""

import ipaddress
import re

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOSE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_RESERVED = re.compile(r"(?:(?:^|\.)example\.(?:org|com|net)|\.(?:example|invalid))\.?$", re.IGNORECASE)


def address(text: str) -> tuple[str, int]:
    """Parse `host:port` (an IPv6 host in brackets) into host and port. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError(f"{text!r}: an IPv6 address goes in brackets: [::1]:6697")
    if not (colon and host and re.fullmatch(r"[0-9]{1,5}", port)) or _LOOSE.search(host):
        raise ValueError(f"{text!r} is not HOST:PORT")
    if not 0 < int(port) < 65536:
        raise ValueError(f"{text!r}: a port is a number from 1 to 65535")
    return host, int(port)


def network(text: str) -> Network:
    """Parse an address, or a network such as 10.0.0.0/8. Raises ValueError with a sentence."""
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError:
        pass
    try:
        wider = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an address nor a network, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8"
        ) from None
    raise ValueError(f"{text!r} is a host with the size of a network: write {wider}, or leave out the /")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine (a loopback address, or a localhost name)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")


def is_reserved(host: str) -> bool:
    """Whether `host` is a name reserved for examples (RFC 2606)."""
    return bool(_RESERVED.search(host))
