"""The real SQL of the store in memory, behind the real lease, with a writer that needs no thread and has bad days."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from typing import Any

from bridge.store import Lease, StoreError, Unavailable
from bridge.store.core import Core
from bridge.store.migrations import migrate
from bridge.store.sqlite import SqliteStore
from bridge.store.writer import Ring
from tests.simulation.weather import Stir

_SLOWEST = 0.03  # seconds that a sync takes
_NOTED_WITHIN = 0.25  # seconds that a note waits, unless something else is asked for
_KEPT = 8  # older states to be rewound to


def _empty(more: str = "") -> bytes:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    migrate(sql, 0)
    sql.executescript(more)
    return sql.serialize()


_EMPTY = _empty()
_SHARED = _empty("ALTER TABLE networks ADD COLUMN until REAL NOT NULL DEFAULT 0")
"""For several workers: leases have a time."""


class Disk:
    """What outlives the process: every transaction that was committed, until an older copy is put in its place."""

    def __init__(self, rng: random.Random, *, shared: bool = False) -> None:
        self.rng = rng
        self.available = True
        self.loses = 0.0
        """How likely an answer is to be lost: the verb is done, and `Unavailable` is raised."""
        self.countdown = 0
        """After so many more transactions the process that asked for them is gone; 0: it stays."""
        self.struck = Stir()
        self._older: list[bytes] = []
        self.sql = opened(_SHARED if shared else _EMPTY)

    def crash(self) -> None:
        """Whatever is open now sees nothing any more and changes nothing; what was committed is there."""
        image = self.sql.serialize()
        self.sql.close()
        self.sql = opened(image)

    def keep(self) -> None:
        """Keep a copy that `rewind` may put back."""
        self._older = [*self._older, self.sql.serialize()][-_KEPT:]

    def rewind(self) -> bool:
        """Put an older copy in the place of what is there, under whoever uses it; later copies never were."""
        if not self._older:
            return False
        chosen = self.rng.randrange(len(self._older))
        self.sql.deserialize(self._older[chosen])
        del self._older[chosen + 1 :]
        return True


class SimulatedWriter:
    """Verbs one after another, each in a transaction of its own, each some made-up milliseconds after the last."""

    def __init__(self, disk: Disk, core: type[Core], clock: Callable[[], float]) -> None:
        self._disk = disk
        self._sql = disk.sql
        self._core = core(disk.sql, clock)
        self._free = 0.0
        self._closed = False
        self._notes: list[tuple[Callable[[Core], Any], Ring, asyncio.Future[Any]]] = []
        self.reached = True
        """Whether this process reaches the store."""

    async def read(self, verb: Callable[[Core], Any]) -> Any:
        return await self._queued(verb, None)

    async def write(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        return await self._queued(verb, ring)

    async def take_in(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        return await self._queued(verb, ring)

    async def note(self, verb: Callable[[Core], Any], ring: Ring) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._notes.append((verb, ring, answer))
        loop.call_later(_NOTED_WITHIN, self._serve_notes)
        return await answer

    def _serve_notes(self) -> None:
        notes, self._notes = self._notes, []
        for verb, ring, answer in notes:
            self._serve(verb, ring, answer)

    async def aclose(self) -> None:
        """The process has ended: waiting and later calls are not done."""
        self._closed = True

    def _queued(self, verb: Callable[[Core], Any], ring: Ring | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._serve_notes()
        self._serve(verb, ring, answer)
        return answer

    def _serve(self, verb: Callable[[Core], Any], ring: Ring | None, answer: asyncio.Future[Any]) -> None:
        if self._closed:
            return  # who asks is gone
        self._free = max(self._free, asyncio.get_running_loop().time()) + self._disk.rng.uniform(0.0005, _SLOWEST)
        asyncio.get_running_loop().call_at(self._free, self._serve_one, verb, ring, answer)

    def _serve_one(self, verb: Callable[[Core], Any], ring: Ring | None, answer: asyncio.Future[Any]) -> None:
        if self._closed:
            return
        result: Any = None
        error: Exception | None = None
        if not (self._disk.available and self.reached):
            error = Unavailable("the store is away")
        else:
            try:
                result = self._transacted(verb)
                if ring is not None and self._strikes():
                    return
                if ring is not None and self._core.woken:
                    ring(frozenset(self._core.woken))
            except StoreError as refused:
                error = refused
            if error is None and self._disk.rng.random() < self._disk.loses:
                error = Unavailable("the answer was lost")
        if answer.done():  # cancelled meanwhile, which does not undo it
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _strikes(self) -> bool:
        """Whether the process ends between this transaction and its answer."""
        if self._disk.countdown:
            self._disk.countdown -= 1
            self._closed = not self._disk.countdown
            if self._closed:
                self._disk.struck.ring()
        return self._closed

    def _transacted(self, verb: Callable[[Core], Any]) -> Any:
        self._core.woken.clear()
        self._sql.execute("BEGIN")
        try:
            result = verb(self._core)
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")
        return result


class SimulatedStore(SqliteStore):
    """The store as a process opens it on `disk`. Tests that plant errors hand in another core or another lease."""

    def __init__(
        self,
        disk: Disk,
        clock: Callable[[], float],
        core: type[Core] = Core,
        lease: type[Lease] = Lease,
    ) -> None:
        def token() -> str:
            return f"{disk.rng.getrandbits(64):x}"

        super().__init__(SimulatedWriter(disk, core, clock), clock, token, owns=True)
        self._lease = lease

    async def acquire(self, network: str, worker: str) -> Lease | None:
        lease = await super().acquire(network, worker)
        return None if lease is None else self._lease(self, *lease.own)


def opened(image: bytes) -> sqlite3.Connection:
    sql = sqlite3.connect(":memory:", isolation_level=None)
    sql.deserialize(image)
    sql.execute("PRAGMA foreign_keys = ON")
    return sql
