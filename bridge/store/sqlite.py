"""The store on SQLite: one file, one thread that writes, and what waits at the same time committed together."""

import asyncio
import fcntl
import os
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from bridge.model import Backlog, Delivery, Entry, Event, EventKey, Post, Room
from bridge.store.contract import Full, StoreError, Unusable
from bridge.store.core import Core
from bridge.store.schema import connect

Result = TypeVar("Result")
_TOGETHER = 64  # verbs in one transaction: more would make the first wait noticeably for the last


class SqliteStore:
    """The Store contract on a file. `open` is for the daemon, `attach` for the command line beside it."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float], lock: int | None) -> None:
        self._clock = clock
        self._lock = lock
        self._writer = _Writer(connection)
        self._bells: dict[str, asyncio.Event] = {}

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float]) -> Self:
        """Open or create the store at `path`, and bring it to the version of this program.

        For as long as it is open no other process can: the lock goes with the process, however that ends. `Unusable`
        where another daemon has it, where it is damaged, or of a newer version; the file is then as it was.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(path)
        try:
            return cls(connect(path, upgrade=True), clock, lock)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def attach(cls, path: Path, clock: Callable[[], float]) -> Self:
        """Open an existing store beside a daemon that may be running. It gives no leases. `Unusable` as in `open`, and
        where there is no store, or one of an older version, which the daemon will upgrade."""
        if not path.exists():
            raise Unusable(f"{path}: there is no store yet: the daemon makes it when it first runs")
        return cls(connect(path, upgrade=False), clock, None)

    async def acquire(self, network: str, worker: str) -> "SqliteLease | None":
        """The lock on the file is the proof that nobody else has the lease; `worker` needs no name here."""
        if self._lock is None:
            return None
        token = secrets.token_hex(16)
        await self.do(lambda core: core.acquire(network, token))
        return SqliteLease(self, network, token)

    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        return await self.do(lambda core: core.remote_ids(event, room))

    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        return await self.do(lambda core: core.source_of(room, remote_id))

    async def outbox(self) -> Sequence[Entry]:
        return await self.do(Core.outbox)

    async def retry(self, delivery: str) -> bool:
        done = await self.do(lambda core: core.retry(delivery))
        self.ring(*self._bells)
        return done

    async def drop(self, delivery: str) -> bool:
        return await self.do(lambda core: core.drop(delivery))

    async def expire(self, before: float) -> int:
        total = 0
        while some := await self.do(lambda core: core.expire(before)):
            total += some
        return total

    async def aclose(self) -> None:
        await asyncio.to_thread(self._writer.close)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # For the leases

    async def do(self, verb: Callable[[Core], Result]) -> Result:
        """Run `verb` in the writer's thread and return when it is on disk. Cancelling does not undo it."""
        return await self._writer.do(verb)

    def is_open(self) -> bool:
        return self._lock is not None

    def bell(self, network: str) -> asyncio.Event:
        return self._bells.setdefault(network, asyncio.Event())

    def ring(self, *networks: str) -> None:
        """Something may be due on `networks`."""
        for network in networks:
            self.bell(network).set()

    def now(self) -> float:
        return self._clock()


class SqliteLease:
    """One network is ours. The promises are those of `bridge.store.contract.Lease`."""

    def __init__(self, store: SqliteStore, network: str, token: str) -> None:
        self.network = network
        self._store = store
        self._token = token
        self._released = False

    def valid(self) -> bool:
        return not self._released and self._store.is_open()

    async def renew(self, cursor: str | None) -> None:
        await self._store.do(lambda core: core.renew(self.network, self._token, cursor))

    async def release(self) -> None:
        self._released = True
        await self._store.do(lambda core: core.release(self.network, self._token))

    async def cursor(self) -> str | None:
        return await self._store.do(lambda core: core.cursor(self.network, self._token))

    async def commit(
        self, expect: str | None, events: Sequence[Event], deliveries: Sequence[Delivery], cursor: str
    ) -> int:
        now = self._store.now()
        new = await self._store.do(
            lambda core: core.commit(self.network, self._token, expect, events, deliveries, cursor, now)
        )
        self._store.ring(*{delivery.room.network for delivery in deliveries})
        return new

    async def due(self, now: float, rooms: int = 32, each: int = 20) -> Sequence[Backlog]:
        return await self._store.do(lambda core: core.due(self.network, self._token, now, rooms, each))

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        return await self._store.do(lambda core: core.plan(self.network, self._token, room, posts))

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        now = self._store.now()
        return await self._store.do(lambda core: core.sent(self.network, self._token, post, remote_id, then, now))

    async def postpone(self, room: Room, until: float, reason: str) -> None:
        await self._store.do(lambda core: core.postpone(self.network, self._token, room, until, reason))

    async def bury(self, deliveries: Sequence[str], reason: str) -> None:
        now = self._store.now()
        await self._store.do(lambda core: core.bury(self.network, self._token, deliveries, reason, now))

    async def wait(self, until: float) -> None:
        bell = self._store.bell(self.network)
        try:
            async with asyncio.timeout(max(0.0, until - self._store.now())):
                await bell.wait()
        except TimeoutError:
            return
        bell.clear()

    async def recall(self) -> Mapping[str, str]:
        return await self._store.do(lambda core: core.recall(self.network, self._token))

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        await self._store.do(lambda core: core.remember(self.network, self._token, changes))


@dataclass(slots=True)
class _Call:
    """A verb on its way to the writer, and who waits for what it gives."""

    verb: Callable[[Core], Any]
    answer: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class _Writer:
    """The one thread that touches the connection. Its queue needs no bound of its own: whoever calls waits for the
    answer, so it holds at most one verb for each task of the relay."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._core = Core(connection)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    async def do(self, verb: Callable[[Core], Result]) -> Result:
        if not self._thread.is_alive():
            raise StoreError("the store is closed")
        call = _Call(verb, asyncio.get_running_loop().create_future())
        self._calls.put(call)
        result: Result = await call.answer
        return result

    def close(self) -> None:
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._calls.get()) is not None:
            calls, end = [first], False
            while len(calls) < _TOGETHER and not end and not self._calls.empty():
                more = self._calls.get()
                if more is None:
                    end = True
                else:
                    calls.append(more)
            self._serve(calls)
            if end:
                break
        self._sql.close()

    def _serve(self, calls: Sequence[_Call]) -> None:
        try:
            self._transact(calls)
        except sqlite3.Error as error:
            if self._sql.in_transaction:
                self._sql.rollback()
            if len(calls) > 1:  # one of them is too big for the disk, or wrong: let the others pass
                for call in calls:
                    self._serve([call])
                return
            calls[0].error = Full(f"the disk is full: {error}") if _is_full(error) else error
        for call in calls:
            loop = call.answer.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, call)

    def _transact(self, calls: Sequence[_Call]) -> None:
        """Run the verbs in one transaction; one that refuses leaves no trace and does not stop the others."""
        self._sql.execute("BEGIN IMMEDIATE")
        for call in calls:
            self._sql.execute("SAVEPOINT verb")
            call.result = call.error = None
            try:
                call.result = call.verb(self._core)
            except sqlite3.Error:
                raise
            except Exception as error:  # it is the caller's: `_answer` raises it there
                call.error = error
                self._sql.execute("ROLLBACK TO verb")
            self._sql.execute("RELEASE verb")
        self._sql.execute("COMMIT")


def _answer(call: _Call) -> None:
    if call.answer.done():  # cancelled meanwhile
        return
    if call.error is not None:
        call.answer.set_exception(call.error)
    else:
        call.answer.set_result(call.result)


def _is_full(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL  # only errors of the engine have one


def _lock(path: Path) -> int:
    """Lock the store for this process; the file descriptor holds the lock."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Unusable(f"{path}: another quackbridge is running on this store; stop it first") from error
    return descriptor
