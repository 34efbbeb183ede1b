"""Hosts and ports as people write them."""

import ipaddress
import re

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
