"""An identd (RFC 1413): tells the servers to which puppets connect the user name of each, and strangers nothing."""

import asyncio
import ipaddress
import re
import socket
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import structlog

from bridge.irc.dialing.sources import Place
from bridge.lib import hosts
from bridge.lib.reasons import why

log = structlog.get_logger()

_QUERY = re.compile(rb"[ \t]*([0-9]{1,5})[ \t]*,[ \t]*([0-9]{1,5})[ \t]*\r?\n?")
_LONGEST = 64
"""Bytes of a query: two ports, and some blanks."""
_WITHIN_S = 5.0
"""Seconds for a query and its answer."""
_MOST_OF_STRANGERS = 16
"""Most connections at once of those who have no connection of a puppet, and so get no user name either."""
_MOST_OF_SERVERS = 256
"""Most connections at once of all servers to which puppets are connected."""
_AGAIN_S = 60.0
"""Seconds after which a port that was taken is tried again."""
_PORTS = range(1, 65536)


class Pairs:
    """Who has which connection: the user names of puppets by the two ends of their connections."""

    def __init__(self) -> None:
        self._users: dict[tuple[int, int, str], dict[str, str]] = {}
        self._servers: Counter[str] = Counter()
        self.told = 0
        """How often somebody asked for a connection that is here."""

    @contextmanager
    def owner(self, user: str) -> Iterator[Callable[[Place, Place], None]]:
        """Until the end of the block, the connections whose ends (ours, theirs) are told are those of `user`."""
        told: list[tuple[Place, Place]] = []

        def announce(ours: Place, theirs: Place) -> None:
            told.append((ours, theirs))
            self._users.setdefault(_key(ours, theirs), {})[_plain(ours[0])] = user
            self._servers[_plain(theirs[0])] += 1

        try:
            yield announce
        finally:
            for ours, theirs in told:
                self._remove(ours, theirs, user)

    def _remove(self, ours: Place, theirs: Place, user: str) -> None:
        key, here, server = _key(ours, theirs), _plain(ours[0]), _plain(theirs[0])
        users = self._users.get(key, {})
        if users.get(here) == user:
            del users[here]
        if not users:
            self._users.pop(key, None)
        self._servers[server] -= 1
        if not self._servers[server]:
            del self._servers[server]

    def is_server(self, peer: str) -> bool:
        """Whether a puppet is connected to that address."""
        return _plain(peer) in self._servers

    def user(self, here: str, peer: str, ours: int, theirs: int) -> str | None:
        """Whose connection it is from our port `ours` to the port `theirs` of `peer`, which asks at our address `here`.
        A kernel that redirects port 113 may change `here`: it decides only between several connections."""
        users = self._users.get((ours, theirs, _plain(peer)), {})
        user = users.get(_plain(here)) or (next(iter(users.values())) if len(users) == 1 else None)
        self.told += user is not None
        return user


def _key(ours: Place, theirs: Place) -> tuple[int, int, str]:
    return ours[1], theirs[1], _plain(theirs[0])


def _plain(address: str) -> str:
    """An address in one spelling: IPv4 within IPv6 as IPv4, without a scope."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)


def reply(query: bytes, here: str, peer: str, pairs: Pairs) -> bytes | None:
    """The answer to a line (RFC 1413, "FORMAL SYNTAX"); None if it is no query."""
    found = _QUERY.fullmatch(query)
    if found is None:
        return None
    ours, theirs = int(found[1]), int(found[2])
    if ours not in _PORTS or theirs not in _PORTS:
        said = "ERROR : INVALID-PORT"
    elif user := pairs.user(here, peer, ours, theirs):
        said = f"USERID : UNIX : {user}"
    else:
        said = "ERROR : NO-USER"
    return f"{ours}, {theirs} : {said}\r\n".encode()


class Identd:
    """The identd of a process: one for all networks, as there is one port 113. It listens where networks want it, as
    long as one of them does."""

    def __init__(self) -> None:
        self.pairs = Pairs()
        self._wanted: Counter[str] = Counter()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @asynccontextmanager
    async def listening(self, place: str) -> AsyncGenerator[None, None]:
        """Listen at `place`, as host:port, during the block. A port that is taken is logged, and tried again."""
        self._wanted[place] += 1
        if place not in self._tasks:
            self._tasks[place] = asyncio.create_task(_Server(place, self.pairs).run(), name=f"identd {place}")
        try:
            yield
        finally:
            self._wanted[place] -= 1
            if not self._wanted[place]:
                task = self._tasks.pop(place)
                task.cancel()
                await asyncio.wait([task])
                if not task.cancelled():
                    task.result()


def listener(place: str) -> socket.socket:
    """A socket that listens at `place`; at `[::]` for IPv4, too. Raises OSError."""
    host, port = hosts.address(place)
    is_v6 = ":" in host
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    return socket.create_server((host, port), family=family, dualstack_ipv6=host == "::")


class _Server:
    """One listening socket."""

    def __init__(self, place: str, pairs: Pairs) -> None:
        self._place = place
        self._pairs = pairs
        self._asking: Counter[bool] = Counter()
        self._writers: set[StreamWriter] = set()

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            async with await asyncio.start_server(self._serve, sock=await self._bound(), limit=_LONGEST) as server:
                log.info("identd_listens", listen=self._place)
                await server.serve_forever()
        finally:
            for writer in self._writers:
                writer.transport.abort()

    async def _bound(self) -> socket.socket:
        tries = 0
        while True:
            try:
                return listener(self._place)
            except OSError as error:
                if not tries:
                    hint = "servers take the user names of members for unproven (~) meanwhile; it is tried again"
                    log.error("identd_failed", listen=self._place, reason=why(error), hint=hint)
            tries += 1
            await asyncio.sleep(_AGAIN_S)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        ends = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        if not all(ends):
            writer.transport.abort()
            return
        here, peer = (str(end[0]) for end in ends)
        with self._admitted(peer) as is_admitted:
            if not is_admitted:
                writer.transport.abort()
                return
            self._writers.add(writer)
            try:
                with suppress(TimeoutError, OSError, ValueError):
                    async with asyncio.timeout(_WITHIN_S):
                        await self._answer(reader, writer, here, peer)
            finally:
                self._writers.discard(writer)
                writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter, here: str, peer: str) -> None:
        """Raises ValueError if the line is too long."""
        answer = reply(await reader.readline(), here, peer, self._pairs)
        if answer is not None:
            writer.write(answer)
            await writer.drain()

    @contextmanager
    def _admitted(self, peer: str) -> Iterator[bool]:
        """Whether somebody may ask now. Strangers take no place from servers."""
        is_server = self._pairs.is_server(peer)
        self._asking[is_server] += 1
        try:
            yield self._asking[is_server] <= (_MOST_OF_SERVERS if is_server else _MOST_OF_STRANGERS)
        finally:
            self._asking[is_server] -= 1
