"""The store on PostgreSQL: any number of workers share it; each network is run by the one that has its lease."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from bridge.store.contract import Unusable
from bridge.store.core import EXCERPT, Core
from bridge.store.postgres.leases import ServerLeases
from bridge.store.postgres.schema import prepare
from bridge.store.postgres.sql import Sql, connect, conninfo, one_line
from bridge.store.postgres.writer import CHANNEL, PostgresWriter
from bridge.store.shared import SharedStore

_AGAIN_S = 2.0
"""Seconds between tries to hear the doorbell again."""


class _Core(Core):
    leases = ServerLeases


class PostgresStore(SharedStore):
    """The Store contract on a database. `open` is for the daemon, `attach` for the command line."""

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
        super().__init__(clock, steady)
        core: Callable[[Any], Core] = partial(_Core, clock=clock, excerpt=excerpt)
        self.writer = PostgresWriter(url, connection, core, self.is_ours)
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

    async def aclose(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        await super().aclose()

    async def _listen(self, url: str) -> None:
        """Hear the doorbell of other workers, for ever."""
        while True:
            with contextlib.suppress(psycopg.Error):
                async with await AsyncConnection.connect(conninfo(url), autocommit=True) as bell:
                    await bell.execute(f"LISTEN {CHANNEL}".encode())
                    async for rung in bell.notifies():
                        self.ring([rung.payload])
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
