"""The store on PostgreSQL: any number of workers share it; each network is run by the one that has its lease."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from operator import methodcaller
from typing import Any, Self

import psycopg
import structlog
from psycopg import AsyncConnection

from bridge.lib.waiting import is_set_within
from bridge.store.contract import BELIEVED_S, Lease, LeaseLost, Store, Unusable
from bridge.store.core import EXCERPT, Core
from bridge.store.postgres.leases import TimedLeases
from bridge.store.postgres.schema import prepare
from bridge.store.postgres.sql import Sql, connect, conninfo, one_line
from bridge.store.postgres.writer import CHANNEL, PostgresWriter

log = structlog.get_logger()

_LOOK_S = 1.0
"""Seconds after which a network looks for work unasked: a doorbell may be lost."""
_AGAIN_S = 2.0
"""Seconds between tries to hear the doorbell again."""


class _Core(Core):
    leases = TimedLeases


class PostgresStore(Store):
    """The Store contract on a database. `open` is for the daemon, `attach` for the command line."""

    shared = True

    def __init__(
        self,
        url: str,
        connection: psycopg.Connection[tuple[Any, ...]],
        clock: Callable[[], float],
        *,
        steady: Callable[[], float] = time.monotonic,
        excerpt: int = EXCERPT,
        hears: bool = True,
    ) -> None:
        super().__init__(self)
        self.clock = clock
        self._steady = steady
        self._believed: dict[str, tuple[str, float]] = {}
        """By network: the token of our lease, and until when we believe in it."""
        self._asking: dict[str, str] = {}
        self._bells: dict[str, asyncio.Event] = {}
        core: Callable[[Any], Core] = partial(_Core, clock=clock, excerpt=excerpt)
        self.writer = PostgresWriter(url, connection, core, self._is_ours)
        self._listening = asyncio.create_task(self._listen(url), name="doorbell") if hears else None

    @classmethod
    async def open(cls, url: str, clock: Callable[[], float], *, excerpt: int = EXCERPT) -> Self:
        """Open the store, and create or migrate its tables. Raises `Unusable`."""
        connection = await asyncio.to_thread(_connected, url, upgrade=True)
        return cls(url, connection, clock, excerpt=excerpt)

    @classmethod
    async def attach(cls, url: str, clock: Callable[[], float]) -> Self:
        """Open a store that exists. Raises `Unusable` if it is missing, of a newer version, or of an older one, which
        the daemon will upgrade."""
        return cls(url, await asyncio.to_thread(_connected, url, upgrade=False), clock, hears=False)

    async def acquire(self, network: str, worker: str) -> Lease | None:
        """Ask for the lease. The same token is asked for until there is an answer: that of a request whose answer was
        lost is ours, too."""
        before = self._steady()
        token = self._asking.setdefault(network, secrets.token_hex(16))
        taken = await self.write("acquire", network, token, worker)
        del self._asking[network]
        if not taken:
            return None
        self._believed[network] = (token, before + BELIEVED_S)
        return Lease(self, network, token)

    async def aclose(self) -> None:
        self._believed.clear()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        await self.writer.aclose()

    # The engine

    async def read(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self._while_ours(args, self.writer.read(methodcaller(verb, *args, **named)))

    async def write(self, verb: str, *args: Any, **named: Any) -> Any:
        before = self._steady()
        result = await self._while_ours(args, self.writer.write(methodcaller(verb, *args, **named), self._ring))
        if verb == "keep":
            self._believed[args[0]] = (args[1], before + BELIEVED_S)
        return result

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self._while_ours(args, self.writer.take_in(methodcaller(verb, *args, **named), self._ring))

    async def _while_ours(self, args: tuple[Any, ...], verb: Awaitable[Any]) -> Any:
        """Do `verb`; if its lease is lost, we do not believe in it any more."""
        try:
            return await verb
        except LeaseLost:
            self.let_go(args[0], args[1])
            raise

    def holds(self, network: str, token: str) -> bool:
        held, until = self._believed.get(network, ("", 0.0))
        return held == token and self._steady() < until

    def let_go(self, network: str, token: str) -> None:
        if self._believed.get(network, ("", 0.0))[0] == token:
            del self._believed[network]

    async def wait(self, network: str, until: float) -> None:
        bell = self._bells.setdefault(network, asyncio.Event())
        await is_set_within(bell, min(_LOOK_S, max(0.0, until - self.clock())))
        bell.clear()

    def _is_ours(self, network: str) -> bool:
        return network in self._believed

    def _ring(self, networks: Collection[str]) -> None:
        for network in sorted(networks):
            self._bells.setdefault(network, asyncio.Event()).set()

    async def _listen(self, url: str) -> None:
        """Hear the doorbell of other workers, for ever."""
        while True:
            with contextlib.suppress(psycopg.Error):
                async with await AsyncConnection.connect(conninfo(url), autocommit=True) as bell:
                    await bell.execute(f"LISTEN {CHANNEL}".encode())
                    async for rung in bell.notifies():
                        self._ring([rung.payload])
            await asyncio.sleep(_AGAIN_S)


def _connected(url: str, *, upgrade: bool) -> psycopg.Connection[tuple[Any, ...]]:
    try:
        connection = connect(url)
    except psycopg.Error as error:
        raise Unusable(f"store.url: the database cannot be opened ({one_line(error)})") from error
    try:
        prepare(Sql(connection), upgrade=upgrade)
    except BaseException as error:
        connection.close()
        if isinstance(error, psycopg.Error):
            raise Unusable(f"store.url: the tables cannot be made ({one_line(error)})") from error
        raise
    return connection
