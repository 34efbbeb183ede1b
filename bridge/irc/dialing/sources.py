"""Connections whose own address is chosen, and whose own port is known before the server sees them."""

import asyncio
import errno
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.lib.reasons import why

_EACH_S = 10.0
"""Seconds for one address of a server's name, before the next is tried."""
_FREEBIND = 15
"""`IP_FREEBIND` of Linux (ip(7)), for IPv6 as well: an address may be bound that no interface has, so that a whole
prefix can be used that is routed to this machine."""

Place = tuple[str, int]
"""An address and a port."""


def _to_nobody(_ours: Place, _theirs: Place) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """How a connection begins: at `address` (None: as the system chooses). `announce` is told both of its ends just
    before it is made; the own address is `0.0.0.0` or `::` if the system chooses it."""

    address: str | None = None
    announce: Callable[[Place, Place], None] = _to_nobody


async def connect(host: str, port: int, source: Source) -> socket.socket:
    """A socket that is connected to `host` from `source`, by the first of its addresses that answers. Raises OSError,
    in words, and TimeoutError."""
    loop = asyncio.get_running_loop()
    family = _family(source.address)
    try:
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if family == socket.AF_UNSPEC:
            raise
        kind = "IPv6" if family == socket.AF_INET6 else "IPv4"
        raise OSError(f"{host} has no {kind} address: {why(error)}") from error
    return await _first([(each[0], (str(each[4][0]), port)) for each in found], source)


async def _first(places: Sequence[tuple[int, Place]], source: Source) -> socket.socket:
    trouble: OSError = OSError("it has no address")
    for family, place in places:
        try:
            async with asyncio.timeout(_EACH_S if len(places) > 1 else None):
                return await _one(family, place, source)
        except OSError as error:
            trouble = error
    raise trouble


async def _one(family: int, place: Place, source: Source) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(0)
        bind(made, source.address)
        ours: tuple[str, int] = made.getsockname()[:2]
        source.announce(ours, place)
        await asyncio.get_running_loop().sock_connect(made, place)
    except BaseException:
        made.close()
        raise
    return made


def bind(made: socket.socket, address: str | None) -> None:
    """Give a socket its own address, and a port. Raises OSError, in words."""
    anywhere = "::" if made.family == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 - to connect, not to listen
    try:
        if address is not None and sys.platform == "linux":
            made.setsockopt(socket.SOL_IP, _FREEBIND, 1)
        made.bind((address or anywhere, 0))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise OSError(f"{address} is no address of this machine") from error
        raise


def _family(address: str | None) -> socket.AddressFamily:
    if address is None:
        return socket.AF_UNSPEC
    return socket.AF_INET6 if ":" in address else socket.AF_INET
