"""Errors that somebody could make in the store or on IRC, each small: tests of the simulation, which must find them."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from bridge.lib.ids import digest
from bridge.model.event import FOREVER, Edit, Event, Media, Message, Room
from bridge.model.outbox import Backlog, Delivery, Hosted, Owed, Post, handle
from bridge.rules import offers
from bridge.rules.case import Case, Refusal
from bridge.rules.gate import Gate
from bridge.store import Commit, Committed, Lease
from bridge.store.core import Core
from bridge.store.sqlite import SqliteStore
from bridge.store.tables.bodies import load
from bridge.store.tables.files import Files
from bridge.store.tables.messages import Messages
from bridge.store.tables.queue import Queue
from tests.simulation.world import Program


class CursorByItself(Lease):
    """The cursor is stored in a transaction of its own."""

    async def commit(self, commit: Commit) -> Committed:
        await super().commit(Commit(commit.expect, commit.cursor))
        return await super().commit(replace(commit, expect=commit.cursor))


class Counted(Core):
    """Deliveries, and with them transactions, are numbered."""

    def _queue(self, delivery: Delivery, event: Event, body: str, now: float) -> bool:
        known = self._sql.execute(
            "SELECT 1 FROM deliveries AS d JOIN events AS e ON e.seq = d.event"
            " WHERE (e.network, e.room, e.id, d.network, d.room) = (?, ?, ?, ?, ?)",
            (delivery.event.room.network, delivery.event.room.id, delivery.event.id, *_place(delivery.room)),
        ).fetchone()
        (count,) = self._sql.execute("SELECT count(*) FROM deliveries").fetchone()
        return known is None and super()._queue(replace(delivery, id=str(count)), event, body, now)


class Unfrozen(Lease):
    """The posts of a backlog are kept only in memory until they are sent, and rendered again by the next process."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._plans: dict[Room, list[Post]] = {}
        self._remote: dict[str, str] = {}

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self._plans[room] = list(posts)
        return posts

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        plan, store = self._plans[post.room], self.engine
        assert isinstance(store, SqliteStore)
        self._remote[post.id] = remote_id
        if not all(each.id in self._remote for each in plan):
            return True

        def done(core: Core) -> bool:
            core.plan(*self.own, post.room, plan)
            return all(core.sent(*self.own, each, self._remote[each.id]) for each in plan)

        return bool(await store.writer.write(done, store._ring))

    async def note_sent(self, post: Post, remote_id: str) -> bool:
        return await self.sent(post, remote_id)


class Disordered(Core):
    """The deliveries of a room are sent in any order."""

    def due(self, *args: Any, **named: Any) -> Sequence[Backlog]:
        found = super().due(*args, **named)
        return [replace(each, owed=tuple(sorted(each.owed, key=lambda owed: owed.delivery))) for each in found]


class Undeduped(Core):
    """Hearing an event again queues it again."""

    def _queue(self, delivery: Delivery, event: Event, body: str, now: float) -> bool:
        (count,) = self._sql.execute("SELECT count(*) FROM deliveries WHERE id = ?", (delivery.id,)).fetchone()
        return super()._queue(replace(delivery, id=f"{delivery.id}-{now}") if count else delivery, event, body, now)


class Deaf(Lease):
    """A wake-up between looking and waiting is lost, and nothing looks again without one."""

    async def wait(self, until: float) -> None:
        store = self.engine
        assert isinstance(store, SqliteStore)
        bell = store._bells.setdefault(self.network, asyncio.Event())
        bell.clear()
        await bell.wait()


class Blind(Core):
    """The cursor is set without checking the old one."""

    def commit(self, network: str, token: str, commit: Commit) -> Committed:
        return super().commit(network, token, replace(commit, expect=self.cursor(network, token)))


class Overtaking(Core):
    """Posts that come with a commit are sent first, whatever else the room has to deliver."""

    def _take_up(self, network: str, posts: Sequence[Post], new: Set[str]) -> frozenset[Room]:
        rooms = {post.room for post in posts}
        for room in rooms:
            self._plans.freeze(room, [post for post in posts if post.room == room])
        return frozenset(rooms)


class Trusting(Core):
    """Renewing a lease does not check the cursor."""

    def renew(self, network: str, token: str, cursor: str | None) -> None:
        self.cursor(network, token)


class SentTwice(Core):
    """An edit that is in its message already is delivered by itself, too."""

    def due(self, *args: Any, **named: Any) -> Sequence[Backlog]:
        found = super().due(*args, **named)
        return [replace(each, owed=tuple(replace(owed, also=()) for owed in each.owed)) for each in found]


class _Reversed(Queue):
    def _edits(self, seq: int, room: Room) -> Mapping[str, Event]:
        return dict(reversed([*super()._edits(seq, room).items()]))


class Overwritten(Core):
    """Of edits that wait with their message, an earlier one overwrites a later one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting = _Reversed(self._sql, self._messages)


class Leftover(Core):
    """A removal leaves the edits that wait."""

    def _drop_fruitless(self, seq: int) -> Iterator[str]:
        edits = "UPDATE events SET target = -target WHERE type = 'edit' AND abs(target) = ?"
        self._sql.execute(edits, (seq,))
        yield from super()._drop_fruitless(seq)
        self._sql.execute(edits, (seq,))


class GatheredInMemory(Core):
    """What gathers is gone when the process is."""

    def acquire(self, network: str, token: str, worker: str = "") -> bool:
        taken = super().acquire(network, token, worker)
        now = self._clock()
        self._sql.execute("UPDATE deliveries SET state = 'sent' WHERE held > ? AND network = ?", (now, network))
        return taken


class Talkative(Core):
    """A removal goes out where its message never did."""

    def _drop_fruitless(self, seq: int) -> Iterator[str]:
        self._sql.execute("UPDATE events SET type = 'removal' WHERE type = 'redaction'")
        removals = (
            "UPDATE deliveries SET state = ? WHERE state = ? AND event IN (SELECT seq FROM events WHERE type = ?)"
        )
        self._sql.execute(removals, ("hidden", "queued", "removal"))
        yield from super()._drop_fruitless(seq)
        self._sql.execute(removals, ("queued", "hidden", "removal"))
        self._sql.execute("UPDATE events SET type = 'redaction' WHERE type = 'removal'")


class _Remembering(Messages):
    def erase(self, target: int) -> None:
        self._sql.execute("UPDATE events SET removed = 1 WHERE seq = ?", (target,))


class Remembering(Core):
    """A removal forgets the excerpt."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._messages = _Remembering(self._sql)


class Rash(Core):
    """A removal drops what may have been sent."""

    def _drop_fruitless(self, seq: int) -> Iterator[str]:
        for delivery in super()._drop_fruitless(seq):
            self.drop(delivery)
            yield delivery


class _OfMessagesOnly(Files):
    def revoke_of(self, event: int) -> int:
        query = "UPDATE media SET source = '', name = '', text = '' WHERE event = ?"
        return self._sql.execute(query, (event,)).rowcount


class Halfhearted(Core):
    """A removal does not revoke the links to what its message was edited to."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._files = _OfMessagesOnly(self._sql)


class _OldText(Files):
    def keep(self, event: Event, seq: int, target: int | None) -> None:
        if event.text_until or not isinstance(event.body, Edit) or event.body.media:
            super().keep(event, seq, target)


class Nostalgic(Core):
    """The link to a long text goes on to open it after an edit to a short one."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._files = _OldText(self._sql)


class _WithoutTime(Queue):
    def owed(self, *args: Any) -> Iterator[Owed]:
        kept = "SELECT body FROM events WHERE network = ? AND room = ? AND id = ?"
        for owed in super().owed(*args):
            place = owed.event.room
            (body,) = self._sql.execute(kept, (place.network, place.id, owed.event.id)).fetchone()
            yield replace(owed, event=replace(owed.event, text_until=load(body).text_until))


class Unlinked(Core):
    """A message that waits with its edit has the link that it would have had without."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting = _WithoutTime(self._sql, self._messages)


class Forgetful(Core):
    """What is done is forgotten, whatever links work."""

    def expire(self, before: float) -> int:
        gone = self._sql.execute(
            "DELETE FROM deliveries WHERE state IN ('sent', 'dropped') AND NOT EXISTS"
            " (SELECT 1 FROM media WHERE media.event = deliveries.event AND source != '') RETURNING event"
        ).fetchall()
        self._sql.executemany(
            "DELETE FROM events WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq)", gone
        )
        return len(gone)


class Timeless(Core):
    """Links work for ever."""

    def file(self, handle: str) -> Hosted | None:
        return self._files.find(handle)


class Generous(Gate):
    """Links to what guests say cost them nothing."""

    def _offered(self, case: Case, refusal: Refusal | None, audience: Collection[Room]) -> Event:
        if refusal is not None or case.link is None:
            return offers.without(case.event)
        return offers.offered(case.event, case.link, self._clock(), most=case.event.max_lines)


def _named(event: Event, media: Media) -> str:
    return digest(event.room.network, handle(event, media))


class _Named(Files):
    def keep(self, event: Event, seq: int, target: int | None) -> None:
        super().keep(event, seq, target)
        media = event.body.media if isinstance(event.body, Message | Edit) else ()
        self._sql.executemany(
            "UPDATE OR REPLACE media SET handle = ? WHERE handle = ?",
            [(_named(event, each), handle(event, each)) for each in media],
        )


class Named(Core):
    """The handle of a file depends on the name of its network, which an operator may change."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._files = _Named(self._sql)


def _until_midnight(until: int) -> int:
    return until if until == FOREVER else until - until % 86_400


PLANTED: Mapping[str, Program] = {
    "cursor in its own transaction": Program(lease=CursorByItself),
    "counted ids": Program(core=Counted),
    "posts not frozen": Program(lease=Unfrozen),
    "no order": Program(core=Disordered),
    "no dedupe": Program(core=Undeduped),
    "a lost wake-up": Program(lease=Deaf),
    "a commit that does not compare": Program(core=Blind),
    "a renewal that does not look": Program(core=Trusting),
    "an offer that overtakes": Program(core=Overtaking),
    "no look at IRC's history": Program(settles=False),
    "a proof that is noted some time, and nobody knows the post": Program(recognises=True),
    "an edit that is merged and sent": Program(core=SentTwice),
    "an earlier edit over a later one": Program(core=Overwritten),
    "a removal that leaves the queued edit": Program(core=Leftover),
    "a gathered delivery that is lost at a crash": Program(core=GatheredInMemory),
    "a removal without a message": Program(core=Talkative),
    "an erasure that forgets the excerpt": Program(core=Remembering),
    "a removal that drops what may have been sent": Program(core=Rash),
    "a removal that revokes no edit's file": Program(core=Halfhearted),
    "a long text that was edited to a short one": Program(core=Nostalgic),
    "a long edit that waits with its short message": Program(core=Unlinked),
    "a message that is forgotten before its edit's link": Program(core=Forgetful),
    "a guest's links that cost nothing": Program(gate=Generous),
    "a handle that changes with the network's name": Program(core=Named, handle=_named),
    "a link that ends earlier than promised": Program(until=_until_midnight),
    "a link that never ends": Program(core=Timeless, until=lambda _: FOREVER),
}


def _place(room: Room) -> tuple[str, str]:
    return room.network, room.id
