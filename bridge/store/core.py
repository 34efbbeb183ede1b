"""The only SQL in the bridge: what each verb of the store does to the tables, decided with nothing in between."""

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError

from bridge.model import (
    BOTS,
    Account,
    Backlog,
    Count,
    Delivery,
    Entry,
    Event,
    EventKey,
    Ledger,
    Owed,
    Post,
    Room,
    State,
    Tally,
)
from bridge.store.contract import LeaseLost, Rewound

_EVENT: TypeAdapter[Event] = TypeAdapter(Event)
_REASON = 200  # characters of a reason that are kept with a count
_EXPIRE_AT_ONCE = 500  # rows a transaction: some milliseconds, so that expiring never holds up a message

_WORK = """
    WITH RECURSIVE work (room) AS (
        SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = :network
        UNION ALL
        SELECT (SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = :network AND room > work.room)
        FROM work WHERE work.room IS NOT NULL
    )
    SELECT work.room, coalesce(rooms.attempts, 0),
        (SELECT seq FROM deliveries WHERE state = 'queued' AND network = :network AND room = work.room
            ORDER BY behind, seq LIMIT 1) AS head
    FROM work LEFT JOIN rooms ON rooms.network = :network AND rooms.room = work.room
    WHERE work.room IS NOT NULL AND coalesce(rooms.until, :now) <= :now
    ORDER BY head LIMIT :rooms
"""


class Core:
    """The verbs of the Store contract on one connection, synchronous. Whoever calls begins and ends the transaction;
    the time is handed in. A verb of a lease takes the lease's network and token first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    # Leases and cursors

    def acquire(self, network: str, token: str) -> None:
        """Make `token` the network's lease, whoever had it."""
        self._sql.execute(
            "INSERT INTO networks (name, token) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET token = excluded.token",
            (network, token),
        )

    def release(self, network: str, token: str) -> None:
        self._sql.execute("UPDATE networks SET token = NULL WHERE name = ? AND token = ?", (network, token))

    def cursor(self, network: str, token: str) -> str | None:
        row = self._sql.execute("SELECT token, cursor FROM networks WHERE name = ?", (network,)).fetchone()
        if row is None or row[0] != token:
            raise LeaseLost(f"another worker runs the network {network!r}")
        cursor: str | None = row[1]
        return cursor

    def renew(self, network: str, token: str, cursor: str | None) -> None:
        if (stored := self.cursor(network, token)) != cursor:
            raise Rewound(f"{network}: the stored cursor is {stored!r}, not {cursor!r}")

    # Intake

    def commit(
        self,
        network: str,
        token: str,
        expect: str | None,
        events: Iterable[Event],
        deliveries: Iterable[Delivery],
        cursor: str,
        now: float,
        counts: Iterable[Count] = (),
    ) -> int:
        """See `Lease.commit`; `now` is when the deliveries were queued."""
        stored = self.cursor(network, token)
        if stored != expect:
            if stored == cursor:
                return 0
            raise Rewound(f"{network}: the stored cursor is {stored!r}, not {expect!r}")
        bodies = {event.key: _dump(event) for event in events}
        new = sum(self._queue(delivery, bodies[delivery.event], now) for delivery in deliveries)
        self._count(counts, now)
        if stored != cursor:
            self._sql.execute("UPDATE networks SET cursor = ? WHERE name = ?", (cursor, network))
        return new

    def count(self, network: str, token: str, counts: Iterable[Count], now: float) -> None:
        self.cursor(network, token)
        self._count(counts, now)

    def _count(self, counts: Iterable[Count], now: float) -> None:
        self._sql.executemany(
            "INSERT INTO tallies VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET number = number + 1",
            [(int(now // 60), each.room.network, each.room.id, each.what, each.reason[:_REASON]) for each in counts],
        )

    def _queue(self, delivery: Delivery, body: str, now: float) -> bool:
        key = delivery.event
        seq = self._sql.execute(
            "INSERT INTO events (network, room, id) VALUES (?, ?, ?)"
            " ON CONFLICT (network, room, id) DO UPDATE SET id = id RETURNING seq",
            (key.room.network, key.room.id, key.id),
        ).fetchone()[0]
        inserted = self._sql.execute(
            "INSERT OR IGNORE INTO deliveries (id, event, network, room, since, behind) VALUES (?, ?, ?, ?, ?, ?)",
            (delivery.id, seq, delivery.room.network, delivery.room.id, now, not delivery.ahead),
        )
        if inserted.rowcount == 0:
            return False
        self._sql.execute("UPDATE events SET body = ? WHERE seq = ? AND body IS NULL", (body, seq))
        return True

    def owe(self, network: str, token: str, owed: Iterable[tuple[Event, Delivery]], now: float) -> int:
        self.cursor(network, token)
        return sum(self._queue(delivery, _dump(event), now) for event, delivery in owed)

    # Delivering

    def waiting(self, network: str, token: str, room: Room) -> int:
        self.cursor(network, token)
        (number,) = self._sql.execute(
            "SELECT count(*) FROM deliveries WHERE state = 'queued' AND network = ? AND room = ?",
            (room.network, room.id),
        ).fetchone()
        return int(number)

    def due(self, network: str, token: str, now: float, rooms: int, each: int) -> Sequence[Backlog]:
        self.cursor(network, token)
        found = self._sql.execute(_WORK, {"network": network, "now": now, "rooms": rooms}).fetchall()
        backlogs = []
        for name, attempts, _ in found:
            room = Room(network, name)
            posts = self._frozen(room)
            backlogs.append(Backlog(room, posts, () if posts else tuple(self._owed(room, each)), attempts))
        return backlogs

    def plan(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self.cursor(network, token)
        return self._plan(room, posts)

    def sent(self, network: str, token: str, post: Post, remote_id: str, then: Sequence[Post], now: float) -> bool:
        self.cursor(network, token)
        frozen = self._frozen(post.room)
        if all(each.id != post.id for each in frozen):
            return False
        where = (post.room.network, post.room.id)
        (part,) = self._sql.execute(
            "DELETE FROM posts WHERE network = ? AND room = ? AND id = ? RETURNING part", (*where, post.id)
        ).fetchone()
        self._sql.execute("DELETE FROM rooms WHERE network = ? AND room = ?", where)
        unfinished = {delivery for other in frozen if other.id != post.id for delivery in other.deliveries}
        for delivery in post.deliveries:
            self._sql.execute(
                "INSERT INTO sent (delivery, part, remote, network, room) SELECT seq, ?, ?, ?, ?"
                " FROM deliveries WHERE id = ?",
                (part, remote_id, *where, delivery),
            )
            if delivery not in unfinished:
                self._done(delivery, now)
        if then:
            self._plan(post.room, then)
        return True

    def postpone(self, network: str, token: str, room: Room, until: float, reason: str) -> None:
        self.cursor(network, token)
        self._sql.execute(
            "INSERT INTO rooms (network, room, until, attempts, reason) SELECT ?1, ?2, ?3, 1, ?4 WHERE EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)"
            " ON CONFLICT (network, room) DO UPDATE SET until = ?3, attempts = attempts + 1, reason = ?4",
            (network, room.id, until, reason),
        )

    def bury(self, network: str, token: str, deliveries: Iterable[str], reason: str, now: float) -> None:
        self.cursor(network, token)
        for delivery in deliveries:
            row = self._sql.execute(
                "UPDATE deliveries SET state = 'dead', reason = ?, done = ?"
                " WHERE id = ? AND state = 'queued' AND network = ? RETURNING room",
                (reason, now, delivery, network),
            ).fetchone()
            if row is not None:
                self._let_go(delivery, Room(network, row[0]))

    def give_up(self, network: str, token: str, deliveries: Iterable[str], reason: str, now: float) -> None:
        self.cursor(network, token)
        for delivery in deliveries:
            row = self._sql.execute(
                "SELECT room FROM deliveries WHERE id = ? AND state = 'queued' AND network = ?", (delivery, network)
            ).fetchone()
            if row is not None:
                self._done(delivery, now, State.DROPPED, reason)
                self._let_go(delivery, Room(network, row[0]))

    def hasten(self, network: str, token: str, room: Room) -> None:
        self.cursor(network, token)
        self._sql.execute("UPDATE rooms SET until = 0 WHERE network = ? AND room = ?", (network, room.id))

    def _plan(self, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        if frozen := self._frozen(room):
            return frozen
        if not all(self._is_queued(delivery) for post in posts for delivery in post.deliveries):
            return ()  # one was dropped since it was rendered: render again
        first = max((self._next_part(delivery) for post in posts for delivery in post.deliveries), default=0)
        self._sql.executemany(
            "INSERT INTO posts (network, room, part, id, deliveries, payload) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (room.network, room.id, part, post.id, json.dumps(post.deliveries), post.payload)
                for part, post in enumerate(posts, first)
            ),
        )
        return tuple(posts)

    def _next_part(self, delivery: str) -> int:
        """Behind what was sent of `delivery` before it was rendered again."""
        part: int = self._sql.execute(
            "SELECT coalesce(max(part), -1) + 1 FROM sent WHERE delivery = (SELECT seq FROM deliveries WHERE id = ?)",
            (delivery,),
        ).fetchone()[0]
        return part

    def _is_queued(self, delivery: str) -> bool:
        row = self._sql.execute("SELECT state FROM deliveries WHERE id = ?", (delivery,)).fetchone()
        return row is not None and row[0] == State.QUEUED

    def _frozen(self, room: Room) -> tuple[Post, ...]:
        rows = self._sql.execute(
            "SELECT id, deliveries, payload FROM posts WHERE network = ? AND room = ? ORDER BY part",
            (room.network, room.id),
        )
        return tuple(Post(post, room, tuple(json.loads(carried)), payload) for post, carried, payload in rows)

    def _owed(self, room: Room, each: int) -> Iterator[Owed]:
        rows = self._sql.execute(
            "SELECT d.id, body FROM deliveries AS d JOIN events ON events.seq = d.event"
            " WHERE state = 'queued' AND d.network = ? AND d.room = ? ORDER BY d.behind, d.seq LIMIT ?",
            (room.network, room.id, each),
        ).fetchall()
        for delivery, body in rows:
            event = _EVENT.validate_json(body)
            refers = self._refers(event.reply_to, room) if event.reply_to else ()
            yield Owed(delivery, room, event, tuple(refers))

    def _refers(self, target: EventKey, room: Room) -> Sequence[str]:
        """The ids in `room` of what is replied to; if we carried that ourselves, of where it came from."""
        source = self.source_of(target.room, target.id) or target
        return (source.id,) if source.room == room else self.remote_ids(source, room)

    def _done(self, delivery: str, now: float, state: State = State.SENT, reason: str = "") -> None:
        """Nothing is owed for `delivery` any more. It is kept: should its event be heard again, it is known."""
        row = self._sql.execute(
            "UPDATE deliveries SET state = ?, reason = ?, done = ?"
            " WHERE id = ? AND state IN ('queued', 'dead') RETURNING event",
            (state, reason, now, delivery),
        ).fetchone()
        if row is not None:  # the words are not kept for longer than they are owed to somebody
            self._sql.execute(
                "UPDATE events SET body = NULL WHERE seq = ?"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq AND state IN ('queued', 'dead'))",
                row,
            )

    def _let_go(self, delivery: str, room: Room) -> None:
        """Unfreeze what carries `delivery`, and forget that the room waits where nothing is left to wait for."""
        frozen = self._frozen(room)
        kept = _without(frozen, delivery)
        self._sql.executemany(
            "DELETE FROM posts WHERE network = ? AND room = ? AND id = ?",
            [(room.network, room.id, post.id) for post in frozen if post not in kept],
        )
        self._sql.execute(
            "DELETE FROM rooms WHERE network = ?1 AND room = ?2 AND NOT EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)",
            (room.network, room.id),
        )

    # A network's own state

    def recall(self, network: str, token: str) -> Mapping[str, str]:
        self.cursor(network, token)
        return dict(self._sql.execute("SELECT key, value FROM memory WHERE network = ?", (network,)).fetchall())

    def remember(self, network: str, token: str, changes: Mapping[str, str | None]) -> None:
        self.cursor(network, token)
        for key, value in changes.items():
            if value is None:
                self._sql.execute("DELETE FROM memory WHERE network = ? AND key = ?", (network, key))
            else:
                self._sql.execute(
                    "INSERT INTO memory VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                    (network, key, value),
                )

    # Without a lease

    def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        rows = self._sql.execute(
            "SELECT remote FROM sent JOIN deliveries ON deliveries.seq = sent.delivery WHERE id = ? ORDER BY part",
            (Delivery.of(event, room).id,),
        )
        return [row[0] for row in rows]

    def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        row = self._sql.execute(
            "SELECT events.network, events.room, events.id FROM sent"
            " JOIN deliveries ON deliveries.seq = sent.delivery JOIN events ON events.seq = deliveries.event"
            " WHERE sent.network = ? AND sent.room = ? AND remote = ? ORDER BY deliveries.seq LIMIT 1",
            (room.network, room.id, remote_id),
        ).fetchone()
        return EventKey(Room(row[0], row[1]), row[2]) if row else None

    def outbox(self) -> Sequence[Entry]:
        rows = self._sql.execute(
            "SELECT d.id, body, d.network, d.room, state, since, coalesce(attempts, 0),"
            " CASE state WHEN 'dead' THEN d.reason ELSE coalesce(rooms.reason, '') END"
            " FROM deliveries AS d JOIN events ON events.seq = d.event"
            " LEFT JOIN rooms ON rooms.network = d.network AND rooms.room = d.room AND state = 'queued'"
            " WHERE state IN ('queued', 'dead') ORDER BY d.network, d.room, d.seq"
        )
        return [
            Entry(delivery, _EVENT.validate_json(body), Room(network, room), State(state), since, attempts, reason)
            for delivery, body, network, room, state, since, attempts, reason in rows
        ]

    def ledger(self, since: float) -> Ledger:
        """Reads all deliveries: for the command line."""
        people = "since >= ? AND network != ?"
        fates: dict[Room, dict[str, int]] = {}
        for network, room, state, number in self._sql.execute(
            f"SELECT network, room, state, count(*) FROM deliveries WHERE {people} GROUP BY 1, 2, 3",  # noqa: S608
            (since, BOTS),
        ):
            fates.setdefault(Room(network, room), {})[state] = number
        (carried,) = self._sql.execute(
            f"SELECT count(DISTINCT event) FROM deliveries WHERE {people}",  # noqa: S608
            (since, BOTS),
        ).fetchone()
        lost = self._sql.execute(
            f"SELECT reason, count(*) FROM deliveries WHERE {people} AND state IN ('dead', 'dropped')"  # noqa: S608
            " GROUP BY 1 ORDER BY 2 DESC, 1",
            (since, BOTS),
        ).fetchall()
        counted = self._sql.execute(
            "SELECT network, room, what, reason, sum(number) FROM tallies WHERE minute >= ?"
            " GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4",
            (int(since // 60),),
        ).fetchall()
        return Ledger(
            carried,
            tuple(Account(room, **states) for room, states in sorted(fates.items())),
            tuple((Count(Room(n, r), Tally(what), reason), number) for n, r, what, reason, number in counted),
            tuple(lost),
        )

    def retry(self, delivery: str) -> bool:
        changed = self._sql.execute(
            "UPDATE deliveries SET state = 'queued', reason = '', done = NULL WHERE id = ? AND state = 'dead'",
            (delivery,),
        )
        return changed.rowcount == 1

    def drop(self, delivery: str, now: float) -> bool:
        row = self._sql.execute(
            "SELECT network, room FROM deliveries WHERE id = ? AND state IN ('queued', 'dead')", (delivery,)
        ).fetchone()
        if row is None:
            return False
        self._done(delivery, now, State.DROPPED, "dropped by hand")
        self._let_go(delivery, Room(*row))
        return True

    def expire(self, before: float) -> int:
        """Remove some of what was done before that time; how many rows. 0 when there are no more."""
        rows = self._sql.execute(
            "DELETE FROM deliveries WHERE seq IN"
            " (SELECT seq FROM deliveries WHERE state IN ('sent', 'dropped') AND done < ? LIMIT ?) RETURNING event",
            (before, _EXPIRE_AT_ONCE),
        ).fetchall()
        self._sql.executemany(
            "DELETE FROM events WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq)", rows
        )
        tallies = self._sql.execute(
            "DELETE FROM tallies WHERE minute IN (SELECT DISTINCT minute FROM tallies WHERE minute < ? LIMIT 20)",
            (int(before // 60),),
        )
        return len(rows) + tallies.rowcount

    def changes_of_others(self) -> int:
        """A number that is another one once another connection has changed something."""
        version: int = self._sql.execute("PRAGMA data_version").fetchone()[0]
        return version


def _dump(event: Event) -> str:
    try:
        return _EVENT.dump_json(event).decode()
    except PydanticSerializationError:  # half a surrogate pair: no character, and somebody else's to send
        return json.dumps(_EVENT.dump_python(event), ensure_ascii=False).encode(errors="replace").decode()


def _without(plan: Sequence[Post], delivery: str) -> Sequence[Post]:
    """What stays frozen of `plan` without `delivery`.

    Where a post carries it alone, all others. What it shares a post with is rendered again, and so is what follows, to
    stay in order; what comes before that may be half sent, and stays as it was cut.
    """
    entangled = {delivery}
    for _ in plan:  # a delivery cut in two may lead to another post, and so on
        for post in plan:
            if not entangled.isdisjoint(post.deliveries):
                entangled.update(post.deliveries)
    if entangled == {delivery}:
        return [post for post in plan if delivery not in post.deliveries]
    return list(itertools.takewhile(lambda post: entangled.isdisjoint(post.deliveries), plan))
