"""The store in memory: the promises of bridge.store.contract with lists and dictionaries, and no promise to survive."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bridge.model.accounting import TOO_MANY, TOO_OLD, Account, Count, Ledger, Loss
from bridge.model.event import BOTS, Event, EventKey, Room
from bridge.model.outbox import Backlog, Delivery, Entry, Owed, Post, State
from bridge.store.contract import LONGEST_WAIT, Committed, LeaseLost, Rewound


@dataclass
class _Row:
    """A delivery and its fate."""

    delivery: Delivery
    event: Event
    since: float
    state: State = State.QUEUED
    reason: str = ""
    done: float = 0.0
    parts: dict[int, str] = field(default_factory=dict)

    @property
    def remote(self) -> list[str]:
        return [self.parts[part] for part in sorted(self.parts)]


@dataclass
class _Wait:
    until: float
    attempts: int
    reason: str


class MemoryStore:
    """One process, one store; leases are taken over freely."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.rows: dict[str, _Row] = {}
        self.posts: dict[Room, list[Post]] = {}
        self.waits: dict[Room, _Wait] = {}
        self.cursors: dict[str, str] = {}
        self.tokens: dict[str, int] = {}
        self.tallies: list[tuple[float, Count]] = []
        self.memory: dict[str, dict[str, str]] = {}
        self.bells: dict[str, asyncio.Event] = {}
        self.order: dict[str, int] = {}
        self.losses: dict[tuple[Room, str], list[float]] = {}
        self._numbers = itertools.count(1)

    async def acquire(self, network: str, worker: str) -> "MemoryLease":
        self.tokens[network] = next(self._numbers)
        return MemoryLease(self, network, self.tokens[network])

    async def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        row = self.rows.get(Delivery.of(event, room).id)
        return list(row.remote) if row else []

    async def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        return self.source(room, remote_id)

    async def outbox(self) -> Sequence[Entry]:
        open_rows = [row for row in self.rows.values() if row.state in (State.QUEUED, State.DEAD)]
        return [self._entry(row) for row in sorted(open_rows, key=lambda row: row.delivery.room)]

    async def retry(self, delivery: str) -> bool:
        row = self.rows.get(delivery)
        if row is None or row.state is not State.DEAD:
            return False
        row.state, row.reason, row.since = State.QUEUED, "", self.clock()
        row.event = replace(row.event, replayed=False)
        self.bell(row.delivery.room.network).set()
        return True

    async def drop(self, delivery: str) -> bool:
        row = self.rows.get(delivery)
        if row is None or row.state not in (State.QUEUED, State.DEAD):
            return False
        row.state, row.reason, row.done = State.DROPPED, "dropped by hand", self.clock()
        self.let_go(row)
        return True

    async def expire(self, before: float) -> int:
        old = [key for key, row in self.rows.items() if row.state in (State.SENT, State.DROPPED) and row.done < before]
        for key in old:
            del self.rows[key]
        self.tallies = [(at, count) for at, count in self.tallies if at // 60 >= before // 60]
        return len(old)

    async def ledger(self, since: float) -> Ledger:
        rows = [row for row in self.rows.values() if row.since >= since and row.delivery.room.network != BOTS]
        states = Counter((row.delivery.room, row.state) for row in rows)
        rooms = sorted({room for room, _ in states})
        counts = Counter(count for at, count in self.tallies if at // 60 >= since // 60)
        lost = Counter(row.reason for row in rows if row.state in (State.DEAD, State.DROPPED))
        return Ledger(
            len({row.delivery.event for row in rows}),
            tuple(Account(room, **{state: states[room, state] for state in State}) for room in rooms),
            tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0].room, pair[0].what, pair[0].reason))),
            tuple(sorted(lost.items(), key=lambda pair: (-pair[1], pair[0]))),
        )

    async def aclose(self) -> None:
        self.tokens.clear()

    # For the leases

    def number(self) -> int:
        return next(self._numbers)

    def bell(self, network: str) -> asyncio.Event:
        return self.bells.setdefault(network, asyncio.Event())

    def queued(self, room: Room) -> list[_Row]:
        queued = [row for row in self.rows.values() if row.delivery.room == room and row.state is State.QUEUED]
        return sorted(queued, key=lambda row: not row.delivery.ahead)

    def source(self, room: Room, remote_id: str) -> EventKey | None:
        found = (row for row in self.rows.values() if row.delivery.room == room and remote_id in row.remote)
        return next((row.delivery.event for row in found), None)

    def let_go(self, row: _Row) -> None:
        room = row.delivery.room
        plan, mixed = self.posts.get(room, []), {row.delivery.id}
        while more := {each for post in plan if mixed & set(post.deliveries) for each in post.deliveries} - mixed:
            mixed |= more
        touched = [number for number, post in enumerate(plan) if mixed & set(post.deliveries)]
        if len(mixed) > 1:  # what was put together is rendered again, and what follows it too
            self.posts[room] = plan[: touched[0]]
        else:
            self.posts[room] = [post for number, post in enumerate(plan) if number not in touched]
        if not self.queued(room):
            self.waits.pop(room, None)

    def _entry(self, row: _Row) -> Entry:
        wait = self.waits.get(row.delivery.room) if row.state is State.QUEUED else None
        reason = wait.reason if wait else row.reason
        attempts = wait.attempts if wait else 0
        return Entry(row.delivery.id, row.event, row.delivery.room, row.state, row.since, attempts, reason)


class MemoryLease:
    """A lease of `MemoryStore`."""

    def __init__(self, store: MemoryStore, network: str, token: int) -> None:
        self.network = network
        self._store = store
        self._token = token

    def valid(self) -> bool:
        return self._store.tokens.get(self.network) == self._token

    async def renew(self, cursor: str | None) -> None:
        if await self.cursor() != cursor:
            raise Rewound(self.network)

    async def release(self) -> None:
        if self.valid():
            del self._store.tokens[self.network]

    async def cursor(self) -> str | None:
        self._check()
        return self._store.cursors.get(self.network)

    async def owe(
        self, owed: Sequence[tuple[Event, Delivery]], changes: Mapping[str, str | None] = MappingProxyType({})
    ) -> int:
        await self.remember(changes)
        new = [(event, delivery) for event, delivery in owed if delivery.id not in self._store.rows]
        for event, delivery in new:
            self._store.rows[delivery.id] = _Row(delivery, event, self._store.clock())
            self._store.bell(delivery.room.network).set()
        return len(new)

    async def waiting(self, room: Room) -> int:
        self._check()
        return sum(not row.event.private for row in self._store.queued(room))

    async def count(self, counts: Sequence[Count]) -> None:
        self._check()
        self._store.tallies += [(self._store.clock(), count) for count in counts]

    async def commit(
        self,
        expect: str | None,
        events: Sequence[Event],
        deliveries: Sequence[Delivery],
        cursor: str,
        counts: Sequence[Count] = (),
        posts: Sequence[Post] = (),
    ) -> Committed:
        stored = await self.cursor()
        if stored != expect:
            if stored == cursor:
                return Committed()
            raise Rewound(self.network)
        known = {event.key: event for event in events}
        new = [delivery for delivery in deliveries if delivery.id not in self._store.rows]
        for delivery in new:
            self._store.rows[delivery.id] = _Row(delivery, known[delivery.event], self._store.clock())
        await self.count(counts)
        self._store.cursors[self.network] = cursor
        planned = {room for room in {post.room for post in posts} if self._take_up(room, posts, new)}
        for delivery in new:
            if delivery.room not in planned:
                self._store.bell(delivery.room.network).set()
        return Committed(len(new), frozenset(planned))

    def _take_up(self, room: Room, posts: Sequence[Post], new: Sequence[Delivery]) -> bool:
        offered = [post for post in posts if post.room == room]
        carried = {delivery for post in offered for delivery in post.deliveries}
        alone = {row.delivery.id for row in self._store.queued(room)} == carried
        if room.network not in self._store.tokens or not alone or not carried <= {delivery.id for delivery in new}:
            return False
        self._store.posts[room] = offered
        self._store.order.update((post.id, self._store.number()) for post in offered)
        return True

    async def due(
        self, now: float, rooms: int = 32, each: int = 20, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        self._check()
        working = dict.fromkeys(
            row.delivery.room
            for row in self._store.rows.values()
            if row.state is State.QUEUED and row.delivery.room.network == self.network
        )
        waits = {room: wait.until for room, wait in self._store.waits.items() if now < wait.until <= now + LONGEST_WAIT}
        ready = [room for room in working if room not in waits and room not in without]
        return [self._backlog(room, each, now) for room in ready[:rooms]]

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self._check()
        if self._store.posts.get(room):
            return list(self._store.posts[room])
        states = {row.delivery.id for row in self._store.queued(room)}
        if all(delivery in states for post in posts for delivery in post.deliveries):
            self._store.posts[room] = list(posts)
            self._store.order.update((post.id, self._store.number()) for post in posts)
        return list(self._store.posts.get(room, []))

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        self._check()
        plan = self._store.posts.get(post.room, [])
        if post.id not in [each.id for each in plan]:
            return False
        plan[:] = [each for each in plan if each.id != post.id]
        self._store.waits.pop(post.room, None)
        left = {delivery for later in plan for delivery in later.deliveries}
        for row in (self._store.rows[delivery] for delivery in post.deliveries):
            row.parts[self._store.order[post.id]] = remote_id
            if row.delivery.id not in left:
                row.state, row.done = State.SENT, self._store.clock()
        if then:
            await self.plan(post.room, then)
        return True

    async def postpone(self, room: Room, until: float, reason: str) -> None:
        self._check()
        if self._store.queued(room):
            before = self._store.waits.get(room)
            self._store.waits[room] = _Wait(until, before.attempts + 1 if before else 1, reason)

    async def bury(self, deliveries: Sequence[str], reason: str) -> Sequence[Event]:
        self._check()
        rows = self._mine(deliveries)
        for row in rows:
            row.state, row.reason = State.DEAD, reason
            self._store.let_go(row)
        return [row.event for row in rows]

    async def give_up(self, deliveries: Sequence[str], reason: str) -> None:
        self._check()
        self._lose(self._mine(deliveries), reason)

    async def trim(self, before: float, most: int) -> int:
        self._check()
        lost = 0
        for room in {row.delivery.room for row in self._mine(self._store.rows)}:
            queued = self._store.queued(room)
            frozen = {delivery for post in self._store.posts.get(room, []) for delivery in post.deliveries}
            free = [row for row in queued if row.delivery.id not in frozen and not row.delivery.ahead]
            if queued[0].since >= before and len(queued) <= most:
                continue
            old = [row for row in free if row.since < before]
            young = [row for row in free if row.since >= before]
            many = young[: max(0, len(queued) - len(old) - most)]
            self._lose(old, TOO_OLD)
            self._lose(many, TOO_MANY)
            lost += len(old) + len(many)
        return lost

    def _lose(self, rows: Sequence[_Row], reason: str) -> None:
        for row in rows:
            row.state, row.reason, row.done = State.DROPPED, reason, self._store.clock()
            self._store.let_go(row)
            if row.event.private:
                continue
            said = Owed.of("", row.delivery.room, row.event, (), queued=row.since, now=self._store.clock()).said
            self._store.losses.setdefault((row.delivery.room, reason), []).append(said)

    async def losses(self) -> Sequence[Loss]:
        self._check()
        mine = {key: said for key, said in self._store.losses.items() if key[0].network == self.network}
        return [Loss(*key, len(said), min(said), max(said)) for key, said in sorted(mine.items())]

    async def told(self, loss: Loss, owed: Sequence[tuple[Event, Delivery]]) -> bool:
        self._check()
        if len(self._store.losses.get((loss.room, loss.reason), [])) != loss.number:
            return False
        del self._store.losses[loss.room, loss.reason]
        await self.owe(owed)
        return True

    async def explain(self, room: Room, reason: str) -> None:
        self._check()
        if self._store.queued(room):
            self._store.waits.setdefault(room, _Wait(0.0, 0, reason)).reason = reason

    async def hasten(self, room: Room) -> None:
        self._check()
        if room in self._store.waits:
            self._store.waits[room].until = 0
        self._store.bell(self.network).set()

    async def wait(self, until: float) -> None:
        bell = self._store.bell(self.network)
        try:
            # Early, because made-up time may jump
            async with asyncio.timeout(min(0.02, max(0.0, until - self._store.clock()))):
                await bell.wait()
        except TimeoutError:
            return
        bell.clear()

    async def recall(self) -> Mapping[str, str]:
        self._check()
        return dict(self._store.memory.get(self.network, {}))

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        self._check()
        kept = self._store.memory.setdefault(self.network, {})
        for key, value in changes.items():
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = value

    def _check(self) -> None:
        if not self.valid():
            raise LeaseLost(self.network)

    def _mine(self, deliveries: Iterable[str]) -> list[_Row]:
        rows = (self._store.rows.get(delivery) for delivery in deliveries)
        return [row for row in rows if row and row.state is State.QUEUED and row.delivery.room.network == self.network]

    def _backlog(self, room: Room, each: int, now: float) -> Backlog:
        posts = tuple(self._store.posts.get(room, ()))
        wait = self._store.waits.get(room)
        owed = () if posts else tuple(self._owed(row, now) for row in self._store.queued(room)[:each])
        return Backlog(room, posts, owed, wait.attempts if wait else 0)

    def _owed(self, row: _Row, now: float) -> Owed:
        refers = self._refers(row.event.reply_to, row.delivery.room) if row.event.reply_to else ()
        return Owed.of(row.delivery.id, row.delivery.room, row.event, refers, queued=row.since, now=now)

    def _refers(self, target: EventKey, room: Room) -> tuple[str, ...]:
        source = self._store.source(target.room, target.id) or target
        known = self._store.rows.get(Delivery.of(source, room).id)
        return (source.id,) if source.room == room else tuple(known.remote if known else ())
