"""Errors that somebody could make in the store or on IRC, each small: tests of the simulation, which must find them."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from bridge.model.event import Event, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.store import Committed
from bridge.store.core import Core, Offer
from bridge.store.sqlite import SqliteLease, SqliteStore
from tests.simulation.world import Program


class CursorByItself(SqliteLease):
    """The cursor is stored in a transaction of its own."""

    async def commit(
        self,
        expect: str | None,
        events: Sequence[Event],
        deliveries: Sequence[Delivery],
        cursor: str,
        *args: Any,
        **kwargs: Any,
    ) -> Committed:
        await super().commit(expect, (), (), cursor)
        return await super().commit(cursor, events, deliveries, cursor, *args, **kwargs)


class Counted(Core):
    """Deliveries, and with them transactions, are numbered."""

    def _queue(self, delivery: Delivery, body: str, now: float) -> bool:
        known = self._sql.execute(
            "SELECT 1 FROM deliveries AS d JOIN events AS e ON e.seq = d.event"
            " WHERE (e.network, e.room, e.id, d.network, d.room) = (?, ?, ?, ?, ?)",
            (delivery.event.room.network, delivery.event.room.id, delivery.event.id, *_place(delivery.room)),
        ).fetchone()
        (count,) = self._sql.execute("SELECT count(*) FROM deliveries").fetchone()
        return known is None and super()._queue(replace(delivery, id=str(count)), body, now)


class Unfrozen(SqliteLease):
    """What a backlog became is kept in memory until it is sent, and rendered anew by whoever comes next."""

    def __init__(self, store: SqliteStore, network: str, token: str) -> None:
        super().__init__(store, network, token)
        self._plans: dict[Room, list[Post]] = {}
        self._remote: dict[str, str] = {}

    async def plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self._plans[room] = list(posts)
        return posts

    async def sent(self, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        plan, now = self._plans[post.room], self._store.clock()
        self._remote[post.id] = remote_id
        if not all(each.id in self._remote for each in plan):
            return True

        def done(core: Core) -> bool:
            core.plan(self.network, self._token, post.room, plan)
            return all(core.sent(self.network, self._token, each, self._remote[each.id], (), now) for each in plan)

        return await self._writer.write(done)


class Disordered(Core):
    """Whatever is owed may be sent first."""

    def _owed(self, room: Room, each: int, now: float) -> Iterator[Owed]:
        return iter(sorted(super()._owed(room, each, now), key=lambda owed: owed.delivery))


class Undeduped(Core):
    """Hearing an event again queues it again."""

    def _queue(self, delivery: Delivery, body: str, now: float) -> bool:
        (count,) = self._sql.execute("SELECT count(*) FROM deliveries WHERE id = ?", (delivery.id,)).fetchone()
        return super()._queue(replace(delivery, id=f"{delivery.id}-{now}") if count else delivery, body, now)


class Deaf(SqliteLease):
    """A ring that comes between looking and waiting is lost, and nobody looks by themselves."""

    async def wait(self, until: float) -> None:
        bell = self._store.bell(self.network)
        bell.clear()
        await bell.wait()


class Blind(Core):
    """The cursor is set without a look at what it was."""

    def commit(self, network: str, token: str, expect: str | None, *args: Any, **kwargs: Any) -> Committed:
        return super().commit(network, token, self.cursor(network, token), *args, **kwargs)


class Overtaking(Core):
    """What is offered for a room is sent, whatever the room has to do."""

    def _take_up(self, offer: Offer, new: Set[str]) -> bool:
        self._plans.freeze(offer.room, offer.posts)
        return True


class Trusting(Core):
    """Renewing a lease does not look at the cursor."""

    def renew(self, network: str, token: str, cursor: str | None) -> None:
        self.cursor(network, token)


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
}


def _place(room: Room) -> tuple[str, str]:
    return room.network, room.id
