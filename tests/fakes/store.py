"""The store in memory: the real verbs and tables, without a file and without a thread."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from bridge.store import Lease
from bridge.store.core import Core
from bridge.store.migrations import migrate
from bridge.store.sqlite import SqliteStore
from bridge.store.writer import Ring

Result = TypeVar("Result")


class InlineWriter:
    """Runs each verb at once, in a transaction of its own."""

    def __init__(self, sql: sqlite3.Connection, clock: Callable[[], float]) -> None:
        self.sql = sql
        self._core = Core(sql, clock)

    async def read(self, verb: Callable[[Core], Any]) -> Any:
        return self._transacted(verb)

    async def write(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        result = self._transacted(verb)
        ring(frozenset(self._core.woken))
        return result

    async def take_in(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        return await self.write(verb, ring)

    async def note(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        return await self.write(verb, ring)

    async def aclose(self) -> None:
        """Keep the tables, as a file would."""

    def _transacted(self, verb: Callable[[Core], Any]) -> Any:
        self._core.woken.clear()
        self.sql.execute("BEGIN")
        try:
            result = verb(self._core)
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")
        return result


class MemoryStore(SqliteStore):
    """One process, one store; leases are taken over freely. `sql` is there for a look at what is stored."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        migrate(self.sql, 0)
        self.sql.execute("PRAGMA foreign_keys = ON")
        super().__init__(InlineWriter(self.sql, clock), clock, owns=True)

    async def acquire(self, network: str, worker: str) -> Lease:
        lease = await super().acquire(network, worker)
        assert lease is not None
        return lease

    def forget(self) -> None:
        """Go back to an empty store, as by restoring an old backup."""
        for table in ("posts", "sent", "deliveries", "events"):
            self.sql.execute(f"DELETE FROM {table}")
        self.sql.execute("UPDATE networks SET cursor = NULL")

    def count(self, table: str) -> int:
        """The number of rows of a table."""
        number: int = self.sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return number

    def remembered(self, network: str) -> dict[str, str]:
        """What the network remembers."""
        return dict(self.sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())
