"""The store on SQLite: one file, which one daemon owns, and beside which the command line works."""

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

from bridge.lib.files import make_folders
from bridge.model.accounting import Count, Ledger, Loss
from bridge.model.event import Event, EventKey, Room
from bridge.model.outbox import Backlog, Delivery, Entry, Post
from bridge.store.contract import Committed, Full, Unusable
from bridge.store.core import Core, Offer
from bridge.store.reserve import Reserve
from bridge.store.schema import connect
from bridge.store.steps import Steps
from bridge.store.writer import Writer

_LOOK = 1.0  # seconds between looks for what another process has changed
_TRIES, _PAUSE = 4, 0.05  # how often the lock is tried, and seconds between: before anything runs


def _random_token() -> str:
    return secrets.token_hex(16)


class SqliteStore:
    """The Store contract on a file. `open` is for the daemon, `attach` for the command line beside it."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Callable[[], float],
        lock: int | None,
        token: Callable[[], str] = _random_token,
        reserve: Reserve | None = None,
        steps: Steps | None = None,
    ) -> None:
        self.clock = clock
        self.writer = Writer(connection, reserve, steps)
        self._lock = lock
        self._token = token
        self._tokens: dict[str, str] = {}
        self._bells: dict[str, asyncio.Event] = {}
        self._version: int | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        clock: Callable[[], float],
        token: Callable[[], str] = _random_token,
        steady: Callable[[], float] | None = None,
    ) -> Self:
        """Open or create the store at `path`, and bring it to the version of this program.

        For as long as it is open no other daemon can: the lock goes with the process, however that ends. `Unusable`
        where another daemon has it, where it is damaged, or of a newer version; the file is then as it was. `Full`
        where the disk is, and nothing was reserved. `token` names a lease; no two may be alike. By `steady` it sees
        that `clock` was set.
        """
        try:
            make_folders(path.parent)
            held = lock(path)
        except OSError as error:
            raise Unusable(f"{path}: the store cannot be opened ({error})") from error
        reserve = None
        try:
            with suppress(OSError):  # it goes without
                reserve = Reserve(path)
            steps = Steps(clock, steady) if steady is not None else None
            return cls(_connected(path, reserve), clock, held, token, reserve, steps)
        except BaseException:
            if reserve is not None:
                reserve.close()
            os.close(held)
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
        token = self._token()
        await self.writer.write(lambda core: core.acquire(network, token))
        self._tokens[network] = token
        return SqliteLease(self, network, token)

    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        return await self.writer.read(lambda core: core.remote_ids(event, room))

    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        return await self.writer.read(lambda core: core.source_of(room, remote_id))

    async def outbox(self) -> Sequence[Entry]:
        return await self.writer.read(Core.outbox)

    async def retry(self, delivery: str) -> bool:
        now = self.clock()
        return await self.writer.write(lambda core: core.retry(delivery, now), self._ring_all)

    async def drop(self, delivery: str) -> bool:
        now = self.clock()
        return await self.writer.write(lambda core: core.drop(delivery, now), self._ring_all)

    async def ledger(self, since: float) -> Ledger:
        return await self.writer.read(lambda core: core.ledger(since))

    async def expire(self, before: float) -> int:
        """See `Store.expire`. The dead are kept until they are dropped: they are the operator's to decide on."""
        total = 0
        while some := await self.writer.write(lambda core: core.expire(before)):
            total += some
        return total

    async def aclose(self) -> None:
        self._tokens.clear()
        await self.writer.aclose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # For the leases

    def holds(self, network: str, token: str) -> bool:
        return self._tokens.get(network) == token

    def let_go(self, network: str, token: str) -> None:
        if self.holds(network, token):
            del self._tokens[network]

    def offers(self, posts: Iterable[Post]) -> Sequence[Offer]:
        """`posts` by room, of the networks that are ours."""
        rooms: dict[Room, list[Post]] = {}
        for post in posts:
            rooms.setdefault(post.room, []).append(post)
        tokens = self._tokens
        return [Offer(tokens[room.network], room, tuple(of)) for room, of in rooms.items() if room.network in tokens]

    def bell(self, network: str) -> asyncio.Event:
        """Set when something may be due on `network`."""
        return self._bells.setdefault(network, asyncio.Event())

    def ringing(self, deliveries: Iterable[Delivery]) -> Callable[[], None]:
        """What rings the bells of where `deliveries` go."""
        bells = [self.bell(network) for network in {delivery.room.network for delivery in deliveries}]

        def ring() -> None:
            for bell in bells:
                bell.set()

        return ring

    async def look(self) -> None:
        """Ring every bell where another process has changed something since the last look."""
        version = await self.writer.read(Core.changes_of_others)
        if version != self._version:
            self._version = version
            self._ring_all()

    def _ring_all(self) -> None:
        for bell in self._bells.values():
            bell.set()


class SqliteLease:
    """One network is ours. The promises are those of `bridge.store.contract.Lease`."""

    def __init__(self, store: SqliteStore, network: str, token: str) -> None:
        self.network = network
        self._store = store
        self._token = token
        self._writer = store.writer

    def valid(self) -> bool:
        return self._store.holds(self.network, self._token)

    async def renew(self, cursor: str | None) -> None:
        await self._writer.read(lambda core: core.renew(self.network, self._token, cursor))

    async def release(self) -> None:
        self._store.let_go(self.network, self._token)
        await self._writer.write(lambda core: core.release(self.network, self._token))

    async def cursor(self) -> str | None:
        return await self._writer.read(lambda core: core.cursor(self.network, self._token))

    async def commit(
        self,
        expect: str | None,
        events: Sequence[Event],
        deliveries: Sequence[Delivery],
        cursor: str,
        counts: Sequence[Count] = (),
        posts: Sequence[Post] = (),
    ) -> Committed:
        now, offers = self._store.clock(), self._store.offers(posts)
        offered = {offer.room for offer in offers}
        ring = self._store.ringing(delivery for delivery in deliveries if delivery.room not in offered)
        ours = (self.network, self._token)
        committed = await self._writer.take_in(
            lambda core: core.commit(*ours, expect, events, deliveries, cursor, now, counts, offers), ring
        )
        self._store.ringing(delivery for delivery in deliveries if delivery.room in offered - committed.planned)()
        return committed

    async def owe(
        self, owed: Sequence[tuple[Event, Delivery]], changes: Mapping[str, str | None] = MappingProxyType({})
    ) -> int:
        now = self._store.clock()
        ring = self._store.ringing(delivery for _, delivery in owed)
        return await self._writer.write(lambda core: core.owe(self.network, self._token, owed, changes, now), ring)

    async def waiting(self, room: Room) -> int:
        return await self._writer.read(lambda core: core.waiting(self.network, self._token, room))

    async def count(self, counts: Sequence[Count]) -> None:
        now = self._store.clock()
        await self._writer.write(lambda core: core.count(self.network, self._token, counts, now))

    async def due(
        self, now: float, rooms: int = 32, each: int = 20, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        return await self._writer.read(lambda core: core.due(self.network, self._token, now, rooms, each, without))

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        return await self._writer.write(lambda core: core.plan(self.network, self._token, room, posts))

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        now = self._store.clock()
        return await self._writer.write(lambda core: core.sent(self.network, self._token, post, remote_id, then, now))

    async def postpone(self, room: Room, until: float, reason: str) -> None:
        await self._writer.write(lambda core: core.postpone(self.network, self._token, room, until, reason))

    async def bury(self, deliveries: Sequence[str], reason: str) -> Sequence[Event]:
        now = self._store.clock()
        return await self._writer.write(lambda core: core.bury(self.network, self._token, deliveries, reason, now))

    async def give_up(self, deliveries: Sequence[str], reason: str) -> None:
        now = self._store.clock()
        await self._writer.write(lambda core: core.give_up(self.network, self._token, deliveries, reason, now))

    async def trim(self, before: float, most: int) -> int:
        now, total = self._store.clock(), 0
        while some := await self._writer.write(lambda core: core.trim(self.network, self._token, before, most, now)):
            total += some
        return total

    async def losses(self) -> Sequence[Loss]:
        return await self._writer.read(lambda core: core.losses(self.network, self._token))

    async def told(self, loss: Loss, owed: Sequence[tuple[Event, Delivery]]) -> bool:
        now = self._store.clock()
        ring = self._store.ringing(delivery for _, delivery in owed)
        return await self._writer.write(lambda core: core.told(self.network, self._token, loss, owed, now), ring)

    async def explain(self, room: Room, reason: str) -> None:
        await self._writer.write(lambda core: core.explain(self.network, self._token, room, reason))

    async def hasten(self, room: Room) -> None:
        bell = self._store.bell(self.network)
        await self._writer.write(lambda core: core.hasten(self.network, self._token, room), bell.set)

    async def wait(self, until: float) -> None:
        bell = self._store.bell(self.network)
        while not await _is_set_within(bell, min(_LOOK, until - self._store.clock())):
            if self._store.clock() >= until:
                return
            await self._store.look()
        bell.clear()

    async def recall(self) -> Mapping[str, str]:
        return await self._writer.read(lambda core: core.recall(self.network, self._token))

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        await self._writer.write(lambda core: core.remember(self.network, self._token, changes))


def _connected(path: Path, reserve: Reserve | None) -> sqlite3.Connection:
    """SQLite needs some room to open a store, too."""
    try:
        return connect(path, upgrade=True)
    except Full:
        if reserve is None or not reserve.give():
            raise
    return connect(path, upgrade=True)


async def _is_set_within(bell: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            return await bell.wait()
    except TimeoutError:
        return False


def lock(path: Path) -> int:
    """Lock the store at `path` for this process; the file descriptor holds it. `Unusable` while another has it."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        _take(descriptor)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise
        raise Unusable(f"{path}: another quackbridge is running on this store; stop it first") from error
    return descriptor


def _take(descriptor: int) -> None:
    """The lock; whoever only looks whether a daemon runs has it for an instant. BlockingIOError where another keeps
    it."""
    for _ in range(_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
