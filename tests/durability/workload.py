"""The real store at work: `python -m tests.durability.workload FOLDER SEED BATCHES [PLANTED]`.

Each verb is said on the standard output twice: what it will change, before it is called, and `done` after the store has
answered. What is said is the record that the disks of a power cut are held against (promises.py). Ends with 0 when all
was delivered; whatever the store raises that it does not expect ends it with 1.
"""

import asyncio
import itertools
import os
import random
import sqlite3
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

from bridge.model.accounting import TOO_OLD, Count, Tally
from bridge.model.event import Edit, Event, Redaction, Room
from bridge.model.outbox import Backlog, Delivery, Post, State
from bridge.model.text import words
from bridge.store import Commit, Committed, Dead, Dropped, Lease, Shown, Waits, reserve
from bridge.store.sqlite import SqliteStore
from tests.durability.crypto import Crypto, named
from tests.durability.planted import PLANTED
from tests.durability.record import Record
from tests.events import HOME, LIBERA, OFTC, matrix, said

TARGETS = (LIBERA, OFTC)
IDLE = Room("lake", "#lake")
"""What is owed there is planned in the commit, and sent before the next: it has nothing else to do."""
STORE = Path("data", "store.sqlite")
"""Below the folder that is given: the store makes its folder itself."""
RESERVE = 2**16
"""Bytes of the store's reserve here; megabytes would be on every simulated disk."""

_MODES = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")
_BETWEEN_KEYS = (0.0, 0.002, 0.01)  # seconds
_KEEP = 40.0  # seconds of made-up time for which what is done is remembered; every verb takes one


class Work:
    """One network hears and sends keys, two deliver, all at the same time: so their verbs are committed together."""

    def __init__(self, store: SqliteStore, record: Record, rng: random.Random, batches: int) -> None:
        self._store = store
        self._record = record
        self._rng = rng
        self._batches = batches
        self._heard = False
        self._done: dict[str, float] = {}  # deliveries that are sent or dropped, and when
        self._odd: set[str] = set()  # deliveries that stand before older ones, or are not given up on
        self._remotes: dict[str, list[str]] = {}
        self._words: dict[str, str] = {}
        self._counted: dict[str, float] = {}
        self._lost = dict.fromkeys(TARGETS, 0)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear(), name="hear")
            for room in TARGETS:
                tasks.create_task(self._deliver(room), name=f"deliver {room}")

    async def _lease(self, network: str) -> Lease:
        lease = await self._store.acquire(network, "test")
        assert lease is not None
        return lease

    # Hearing

    async def _hear(self) -> None:
        lease, lake = await self._lease(HOME.network), await self._lease(IDLE.network)
        crypto = Crypto(lease, self._record, self._rng)
        sending = asyncio.create_task(self._send_keys(crypto), name="send keys")
        cursor = None
        for number in range(self._batches):
            if number % 5 == 2:
                cursor = await self._planned(lease, lake, number, cursor)
            if number % 4 == 3:
                cursor = await self._removed(lease, lake, number, cursor)
            new = cursor if cursor and self._rng.random() < 0.1 else f"c{number}"  # a long gap, in several commits
            await self._commit(lease, crypto, number, cursor, new)
            cursor = new
            if number % 7 == 3:
                changes = {f"memory of {HOME.network}": f"m{number}"}
                await self._record.making(changes, lambda n=number: lease.remember({"since": f"m{n}"}))  # type: ignore[misc]
            if number % 6 == 1:
                await self._owe(lease, number)
            if number % 15 == 14:
                await asyncio.to_thread(_checkpoint, self._rng.choice(_MODES))
            if number % 20 == 19:
                await self._expire()
        self._heard = True
        await sending
        self._store._ring({room.network for room in TARGETS})

    async def _send_keys(self, crypto: Crypto) -> None:
        for number in itertools.count():
            if self._heard:
                return
            await crypto.send(number)
            await asyncio.sleep(self._rng.choice(_BETWEEN_KEYS))

    async def _commit(self, lease: Lease, crypto: Crypto, number: int, cursor: str | None, new: str) -> None:
        sizes = self._rng.choices((5, 200, 3_000), (8, 3, 1), k=self._rng.randint(0, 3))
        events = [
            said(HOME, matrix("alice"), f"{number}/{part} {'x' * size}", f"${number}/{part}")
            for part, size in enumerate(sizes)
        ]
        rooms = self._rng.choice([TARGETS, TARGETS, TARGETS[:1]])
        deliveries = [Delivery.of(event.key, room) for event in events for room in rooms]
        counts = [Count(HOME, Tally.REFUSED, f"batch {number}")]
        crypto.hear(number)
        rows = await crypto.rows.take()
        changes: dict[str, object] = {_state(delivery.id): State.QUEUED for delivery in deliveries}
        changes |= {f"cursor of {HOME.network}": new, f"count of batch {number}": 1, **named(rows)}
        commit = Commit(cursor, new, events, deliveries, counts=counts, changes=rows)
        _, at = await self._record.making(changes, lambda: lease.commit(commit))
        crypto.rows.stored()
        self._counted[f"batch {number}"] = at

    async def _planned(self, lease: Lease, lake: Lease, number: int, cursor: str | None) -> str:
        """One message to the room that is idle: queued, frozen, and the cursor moved, in one."""
        event, new = said(HOME, matrix("alice"), f"{number}/lake", f"${number}/lake"), f"c{number}/lake"
        delivery = Delivery.of(event.key, IDLE)
        parts = range(self._rng.randint(1, 2))
        posts = [Post.of(IDLE, (delivery.id,), part, f"part {part} at once") for part in parts]
        changes: dict[str, object] = {_frozen(post): post.payload for post in posts}
        changes |= {_state(delivery.id): State.QUEUED, f"cursor of {HOME.network}": new}
        committed, _ = await self._record.making(
            changes, lambda: lease.commit(Commit(cursor, new, [event], [delivery], posts=posts))
        )
        assert committed == Committed(1, frozenset({IDLE}))
        for sent, post in enumerate(posts, 1):
            await self._send(lake, post, posts[sent:])
        return new

    async def _removed(self, lease: Lease, lake: Lease, number: int, cursor: str | None) -> str:
        """A message to the room that is idle and an edit of it, which gathers; half the time both are removed before
        they are sent, and with them their words; else there is nothing to be shown of them."""
        message = said(HOME, matrix("alice"), f"{number}/oops", f"$slip{number}")
        edit = replace(message, id=f"$slip{number}/edit", body=Edit(message.key, words(f"{number}/edited")))
        removal = replace(message, id=f"$slip{number}/gone", body=Redaction(message.key))
        deliveries = [Delivery.of(each.key, IDLE, gather=9.0) for each in (message, edit, removal)]
        ids = [delivery.id for delivery in deliveries]
        changes: dict[str, object] = {_state(each): State.QUEUED for each in ids[:2]}
        changes |= {_excerpt(message): f"{number}/oops", _excerpt(edit): f"{number}/edited"}
        changes[f"cursor of {HOME.network}"] = heard = f"c{number}/slip"
        queued = Commit(cursor, heard, [message, edit], deliveries[:2])
        await self._record.making(changes, lambda: lease.commit(queued))
        if self._rng.random() < 0.5:
            shown, at = await self._record.making(
                dict.fromkeys(map(_state, ids[:2]), State.SENT), lambda: lake.settle(Shown(ids[:2]))
            )
            assert not shown
            self._done |= dict.fromkeys(ids[:2], at)
            new = heard
        else:
            new = f"{heard}/gone"
            changes = dict.fromkeys(map(_state, ids), State.DROPPED)
            changes |= {_excerpt(message): "", _excerpt(edit): "", f"cursor of {HOME.network}": new}
            gone = Commit(heard, new, [removal], deliveries[2:])
            committed, at = await self._record.making(changes, lambda: lease.commit(gone))
            assert committed == Committed(erased=frozenset(ids))
            self._done |= dict.fromkeys(ids, at)
        self._words |= {ids[0]: _excerpt(message), ids[1]: _excerpt(edit)}
        return new

    async def _owe(self, lease: Lease, number: int) -> None:
        """A notice to one room, and that it was told, in one."""
        notice = said(HOME, matrix("duck"), f"away {number}", f"$away {number}")
        delivery = Delivery.of(notice.key, self._rng.choice(TARGETS), ahead=self._rng.random() < 0.5)
        changes: dict[str, object] = {_state(delivery.id): State.QUEUED, f"what {HOME.network} told": f"away {number}"}
        told = {"told": f"away {number}"}
        self._odd.add(delivery.id)
        await self._record.making(changes, lambda: lease.commit(Commit(None, None, [notice], [delivery], changes=told)))

    async def _expire(self) -> None:
        before = self._record.between_verbs(min(self._record.now - _KEEP, self._record.settled))
        gone = [delivery for delivery, at in self._done.items() if at < before]
        changes: dict[str, object] = {_state(delivery): None for delivery in gone}
        changes |= {_remotes(delivery): None for delivery in gone if delivery in self._remotes}
        changes |= {self._words[delivery]: None for delivery in gone if delivery in self._words}
        changes |= {f"count of {what}": None for what, at in self._counted.items() if at // 60 < before // 60}
        await self._record.making(changes, lambda: self._store.expire(before))

    # Delivering

    async def _deliver(self, room: Room) -> None:
        lease = await self._lease(room.network)
        while True:
            heard = self._heard
            backlogs = await lease.due(1e12, each=self._rng.randint(1, 4))
            for backlog in backlogs:
                await self._carry(lease, backlog)
            if not backlogs and heard:
                return
            if not backlogs:
                await lease.wait(1e12)

    async def _carry(self, lease: Lease, backlog: Backlog) -> None:
        room, ids = backlog.room, [owed.delivery for owed in backlog.owed]
        fate = self._rng.random()
        if fate < 0.06:
            dead = {_state(each): State.DEAD for each in ids[:1]}
            await self._record.making(dead, lambda: lease.settle(Dead(ids[:1], "never")))
            if fate < 0.03:
                await self._drop_or_retry(ids[0])
            return
        if fate < 0.12:
            await self._give_up(lease, room, ids)
            return
        if fate < 0.2 and await self._trim(lease, backlog):
            return
        posts = self._render(room, ids)
        planned = {_frozen(post): post.payload for post in posts}
        frozen, _ = await self._record.making(planned, lambda: lease.plan(room, posts))
        assert frozen == posts
        if fate < 0.25:
            await self._record.making({f"attempts of {room}": 1}, lambda: lease.settle(Waits(room, 2e9, "away")))
        for number, post in enumerate(posts):
            await self._send(lease, post, posts[number + 1 :])

    async def _give_up(self, lease: Lease, room: Room, ids: Sequence[str]) -> None:
        """Drop deliveries without telling of the first few."""
        gone = self._losing(room, ids)
        _, at = await self._record.making(gone, lambda: lease.settle(Dropped(ids, TOO_OLD)))
        self._done |= dict.fromkeys(ids, at)
        if self._lost[room] > 3:
            (loss,) = await lease.losses()
            notice = said(HOME, matrix("duck"), f"{loss.number} were too old", f"$lost by {room} at {at}")
            delivery = Delivery.of(notice.key, room)
            changes: dict[str, object] = {f"losses of {room}": None, _state(delivery.id): State.QUEUED}
            commit = Commit(None, None, [notice], [delivery], told=[loss])
            assert (await self._record.making(changes, lambda: lease.commit(commit)))[0].new == 1
            self._lost[room] = 0

    async def _trim(self, lease: Lease, backlog: Backlog) -> bool:
        """Give up on what is older than the last that is due; False where that cannot be told, or nothing is."""
        ids = {owed.delivery for owed in backlog.owed}
        before = backlog.owed[-1].said
        old = [owed.delivery for owed in backlog.owed if owed.said < before]
        if not old or not ids.isdisjoint(self._odd):
            return False
        trimmed, at = await self._record.making(
            self._losing(backlog.room, old), lambda: lease.trim(before, most=1_000_000)
        )
        assert trimmed == len(old)
        self._done |= dict.fromkeys(old, at)
        return True

    def _losing(self, room: Room, ids: Sequence[str]) -> Mapping[str, object]:
        """What giving up on `ids` changes."""
        self._lost[room] += len(ids)
        return {_state(each): State.DROPPED for each in ids} | {f"losses of {room}": self._lost[room]}

    def _render(self, room: Room, ids: Sequence[str]) -> Sequence[Post]:
        """One merged post for all deliveries, or several posts for the first."""
        if self._rng.random() < 0.6:
            return (Post.of(room, tuple(ids), 0, "together"),)
        return tuple(Post.of(room, (ids[0],), part, f"part {part}") for part in range(self._rng.randint(1, 3)))

    async def _send(self, lease: Lease, post: Post, others: Sequence[Post]) -> None:
        remote = f"r-{post.id}"
        unfinished = {delivery for other in others for delivery in other.deliveries}
        finished = [delivery for delivery in post.deliveries if delivery not in unfinished]
        changes: dict[str, object] = {_state(delivery): State.SENT for delivery in finished}
        for delivery in post.deliveries:
            self._remotes.setdefault(delivery, []).append(remote)
            changes[_remotes(delivery)] = list(self._remotes[delivery])
        changes |= {_frozen(post): None, f"attempts of {post.room}": None}
        was_planned, at = await self._record.making(changes, lambda: lease.sent(post, remote))
        assert was_planned
        self._done |= dict.fromkeys(finished, at)

    async def _drop_or_retry(self, delivery: str) -> None:
        if self._rng.random() < 0.5:
            changes = {_state(delivery): State.QUEUED}
            self._odd.add(delivery)
            assert (await self._record.making(changes, lambda: self._store.retry(delivery)))[0]
        else:
            changes = {_state(delivery): State.DROPPED}
            dropped, self._done[delivery] = await self._record.making(changes, lambda: self._store.drop(delivery))
            assert dropped


def _state(delivery: str) -> str:
    return f"delivery {delivery}"


def _excerpt(event: Event) -> str:
    return f"excerpt of {event.id}"


def _remotes(delivery: str) -> str:
    return f"remote ids of {delivery}"


def _frozen(post: Post) -> str:
    return f"frozen post {post.id}"


def _checkpoint(mode: str) -> None:
    """As another program might, that looks at the file; what troubles it is not the store's trouble."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(STORE, timeout=0.05)) as sql:
        sql.execute(f"PRAGMA wal_checkpoint({mode})")


@asynccontextmanager
async def _opened(record: Record) -> AsyncGenerator[SqliteStore, None]:
    store = SqliteStore.open(STORE, record.clock)
    yield store
    await store.aclose()  # where something failed, the process ends as it is


async def main(seed: int, batches: int) -> None:
    record = Record()
    async with _opened(record) as store:
        await Work(store, record, random.Random(seed), batches).run()


if __name__ == "__main__":
    reserve.SIZE = RESERVE
    folder, seed, batches, *planted = sys.argv[1:]
    os.chdir(folder)
    for name in planted:
        PLANTED[name]()
    asyncio.run(main(int(seed), int(batches)))
