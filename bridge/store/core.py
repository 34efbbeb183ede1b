"""What each verb of the store does to the tables, decided with nothing in between."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import NamedTuple

from bridge.model.accounting import Count, Ledger, Loss
from bridge.model.event import Event, EventKey, Room
from bridge.model.outbox import Backlog, Delivery, Entry, Owed, Post, State
from bridge.store.contract import LONGEST_WAIT, Committed, LeaseLost
from bridge.store.tables import ledger
from bridge.store.tables.bodies import dump, load
from bridge.store.tables.losses import Losses, Row
from bridge.store.tables.messages import Messages
from bridge.store.tables.networks import Networks
from bridge.store.tables.plans import Plans

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
    WHERE work.room IS NOT NULL AND work.room NOT IN (SELECT value FROM json_each(:without))
        AND (coalesce(rooms.until, :now) <= :now OR rooms.until > :now + :longest)
    ORDER BY head LIMIT :rooms
"""


class Offer(NamedTuple):
    """What the deliveries of one commit to `room` became; `token` is the lease of its network."""

    token: str
    room: Room
    posts: Sequence[Post]


class Core:
    """The verbs of the Store contract on one connection, synchronous. Whoever calls begins and ends the transaction;
    the time is handed in. A verb of a lease takes the lease's network and token first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._networks = Networks(connection)
        self._messages = Messages(connection)
        self._plans = Plans(connection)
        self._losses = Losses(connection)

    # Networks

    def acquire(self, network: str, token: str) -> None:
        """Make `token` the network's lease, whoever had it."""
        self._networks.acquire(network, token)

    def release(self, network: str, token: str) -> None:
        self._networks.release(network, token)

    def cursor(self, network: str, token: str) -> str | None:
        return self._networks.cursor(network, token)

    def renew(self, network: str, token: str, cursor: str | None) -> None:
        self._networks.expect(network, token, cursor, after=cursor)

    def recall(self, network: str, token: str) -> Mapping[str, str]:
        self.cursor(network, token)
        return self._networks.recall(network)

    def remember(self, network: str, token: str, changes: Mapping[str, str | None]) -> None:
        self.cursor(network, token)
        self._networks.remember(network, changes)

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
        offers: Sequence[Offer] = (),
    ) -> Committed:
        """See `Lease.commit`; `now` is when the deliveries were queued."""
        if not self._networks.expect(network, token, expect, after=cursor):
            return Committed()
        bodies = {event.key: dump(event) for event in events}
        new = {delivery.id for delivery in deliveries if self._queue(delivery, bodies[delivery.event], now)}
        ledger.count(self._sql, counts, now)
        if cursor != expect:
            self._networks.advance(network, cursor)
        return Committed(len(new), frozenset(offer.room for offer in offers if self._take_up(offer, new)))

    def _take_up(self, offer: Offer, new: Set[str]) -> bool:
        """Freeze what is offered, where its network is still run by whoever offers it."""
        with suppress(LeaseLost):
            self.cursor(offer.room.network, offer.token)
            return self._plans.take_up(offer.room, offer.posts, new)
        return False

    def count(self, network: str, token: str, counts: Iterable[Count], now: float) -> None:
        self.cursor(network, token)
        ledger.count(self._sql, counts, now)

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

    def owe(
        self,
        network: str,
        token: str,
        owed: Iterable[tuple[Event, Delivery]],
        changes: Mapping[str, str | None],
        now: float,
    ) -> int:
        self.remember(network, token, changes)
        return sum(self._queue(delivery, dump(event), now) for event, delivery in owed)

    # Delivering

    def waiting(self, network: str, token: str, room: Room) -> int:
        self.cursor(network, token)
        (number,) = self._sql.execute(
            "SELECT count(*) FROM deliveries AS d JOIN events ON events.seq = d.event"
            " WHERE state = 'queued' AND d.network = ? AND d.room = ? AND NOT json_extract(body, '$.private')",
            (room.network, room.id),
        ).fetchone()
        return int(number)

    def due(
        self, network: str, token: str, now: float, rooms: int, each: int, without: Collection[Room] = ()
    ) -> Sequence[Backlog]:
        self.cursor(network, token)
        wanted = {"network": network, "now": now, "rooms": rooms, "longest": LONGEST_WAIT}
        wanted["without"] = json.dumps([room.id for room in without if room.network == network])
        found = self._sql.execute(_WORK, wanted).fetchall()
        backlogs = []
        for name, attempts, _ in found:
            room = Room(network, name)
            posts = self._plans.frozen(room)
            backlogs.append(Backlog(room, posts, () if posts else tuple(self._owed(room, each, now)), attempts))
        return backlogs

    def plan(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self.cursor(network, token)
        return self._plans.freeze(room, posts)

    def sent(self, network: str, token: str, post: Post, remote_id: str, then: Sequence[Post], now: float) -> bool:
        self.cursor(network, token)
        frozen = self._plans.frozen(post.room)
        if all(each.id != post.id for each in frozen):
            return False
        where = (post.room.network, post.room.id)
        part = self._plans.take(post)
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
            self._plans.freeze(post.room, then)
        return True

    def postpone(self, network: str, token: str, room: Room, until: float, reason: str) -> None:
        self.cursor(network, token)
        self._sql.execute(
            "INSERT INTO rooms (network, room, until, attempts, reason) SELECT ?1, ?2, ?3, 1, ?4 WHERE EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)"
            " ON CONFLICT (network, room) DO UPDATE SET until = ?3, attempts = attempts + 1, reason = ?4",
            (network, room.id, until, reason),
        )

    def bury(self, network: str, token: str, deliveries: Iterable[str], reason: str, now: float) -> Sequence[Event]:
        self.cursor(network, token)
        return [event for each in deliveries if (event := self._bury(network, each, reason, now)) is not None]

    def _bury(self, network: str, delivery: str, reason: str, now: float) -> Event | None:
        row = self._sql.execute(
            "UPDATE deliveries SET state = 'dead', reason = ?, done = ?"
            " WHERE id = ? AND state = 'queued' AND network = ?"
            " RETURNING room, (SELECT body FROM events WHERE seq = event)",
            (reason, now, delivery, network),
        ).fetchone()
        if row is None:
            return None
        self._plans.let_go(delivery, Room(network, row[0]))
        return load(row[1])

    def give_up(self, network: str, token: str, deliveries: Iterable[str], reason: str, now: float) -> None:
        self.cursor(network, token)
        self._lose(reason, self._losses.queued(network, deliveries), now)

    def trim(self, network: str, token: str, before: float, most: int, now: float) -> int:
        """Some of it; 0 where there is no more."""
        self.cursor(network, token)
        return self._lose(*self._losses.excess(network, before, most), now)

    def _lose(self, reason: str, rows: Sequence[Row], now: float) -> int:
        for delivery, room, *_ in rows:
            self._done(delivery, now, State.DROPPED, reason)
            self._plans.let_go(delivery, room)
        self._losses.note(reason, rows)
        return len(rows)

    def losses(self, network: str, token: str) -> Sequence[Loss]:
        self.cursor(network, token)
        return self._losses.untold(network)

    def told(self, network: str, token: str, loss: Loss, owed: Iterable[tuple[Event, Delivery]], now: float) -> bool:
        self.cursor(network, token)
        if not self._losses.told(loss):
            return False
        for event, delivery in owed:
            self._queue(delivery, dump(event), now)
        return True

    def explain(self, network: str, token: str, room: Room, reason: str) -> None:
        self.cursor(network, token)
        self._sql.execute(
            "INSERT INTO rooms (network, room, until, attempts, reason) SELECT ?1, ?2, 0, 0, ?3 WHERE EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)"
            " ON CONFLICT (network, room) DO UPDATE SET reason = ?3",
            (network, room.id, reason),
        )

    def hasten(self, network: str, token: str, room: Room) -> None:
        self.cursor(network, token)
        self._sql.execute("UPDATE rooms SET until = 0 WHERE network = ? AND room = ?", (network, room.id))

    def shift(self, step: float) -> None:
        """The clock was set by `step` seconds: what waits is as old as before, and waits for as long."""
        self._sql.execute("UPDATE deliveries SET since = since + ? WHERE state = 'queued'", (step,))
        self._sql.execute("UPDATE rooms SET until = until + ? WHERE until > 0", (step,))

    def _owed(self, room: Room, each: int, now: float) -> Iterator[Owed]:
        rows = self._sql.execute(
            "SELECT d.id, body, since FROM deliveries AS d JOIN events ON events.seq = d.event"
            " WHERE state = 'queued' AND d.network = ? AND d.room = ? ORDER BY d.behind, d.seq LIMIT ?",
            (room.network, room.id, each),
        ).fetchall()
        for delivery, body, since in rows:
            event = load(body)
            refers = self._messages.refers(event.reply_to, room) if event.reply_to else ()
            yield Owed.of(delivery, room, event, tuple(refers), queued=since, now=now)

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

    # Without a lease

    def remote_ids(self, event: EventKey, room: Room) -> Sequence[str]:
        return self._messages.remote_ids(event, room)

    def source_of(self, room: Room, remote_id: str) -> EventKey | None:
        return self._messages.source_of(room, remote_id)

    def outbox(self) -> Sequence[Entry]:
        rows = self._sql.execute(
            "SELECT d.id, body, d.network, d.room, state, since, coalesce(attempts, 0),"
            " CASE state WHEN 'dead' THEN d.reason ELSE coalesce(rooms.reason, '') END"
            " FROM deliveries AS d JOIN events ON events.seq = d.event"
            " LEFT JOIN rooms ON rooms.network = d.network AND rooms.room = d.room AND state = 'queued'"
            " WHERE state IN ('queued', 'dead') ORDER BY d.network, d.room, d.seq"
        )
        return [
            Entry(delivery, load(body), Room(network, room), State(state), since, attempts, reason)
            for delivery, body, network, room, state, since, attempts, reason in rows
        ]

    def ledger(self, since: float) -> Ledger:
        return ledger.ledger(self._sql, since)

    def retry(self, delivery: str, now: float) -> bool:
        changed = self._sql.execute(
            "UPDATE deliveries SET state = 'queued', reason = '', done = NULL, since = ?"
            " WHERE id = ? AND state = 'dead' RETURNING event",
            (now, delivery),
        ).fetchone()
        if changed is not None:  # its age counts from now on, also where it was heard long after it was said
            self._sql.execute(
                "UPDATE events SET body = json_set(body, '$.replayed', json('false')) WHERE seq = ?", changed
            )
        return changed is not None

    def drop(self, delivery: str, now: float) -> bool:
        row = self._sql.execute(
            "SELECT network, room FROM deliveries WHERE id = ? AND state IN ('queued', 'dead')", (delivery,)
        ).fetchone()
        if row is None:
            return False
        self._done(delivery, now, State.DROPPED, "dropped by hand")
        self._plans.let_go(delivery, Room(*row))
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
        return len(rows) + ledger.expire(self._sql, before)

    def changes_of_others(self) -> int:
        """A number that is another one once another connection has changed something."""
        version: int = self._sql.execute("PRAGMA data_version").fetchone()[0]
        return version
