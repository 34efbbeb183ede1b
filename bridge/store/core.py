"""The verbs of the Store contract in SQL: synchronous, so that nothing happens in between."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import assert_never

from bridge.model.accounting import REDACTED, Ledger, Loss, Traffic, TrafficKind
from bridge.model.event import Edit, Event, EventKey, Kind, Message, Redaction, Room
from bridge.model.health import Lines
from bridge.model.health import Queue as Waiting
from bridge.model.history import PastOutage, Run
from bridge.model.outbox import Backlog, Delivery, Entry, Hosted, Known, Owed, Post, Revoked, State
from bridge.model.people import Sender
from bridge.store.contract import LONGEST_WAIT_S, Commit, Committed, Dead, Dropped, Fate, Owner, Shown, Waits
from bridge.store.tables import history, ledger, queues, traffic
from bridge.store.tables.bodies import dump, dump_sender, excerpt, load
from bridge.store.tables.files import Files
from bridge.store.tables.losses import Losses, Row
from bridge.store.tables.messages import Messages
from bridge.store.tables.networks import REPORT, Networks, waiting
from bridge.store.tables.plans import Plans
from bridge.store.tables.queue import IS_DUE, Queue
from bridge.store.tables.removals import fruitless, removed

EXCERPT = 300
"""Default number of characters kept of each carried message."""

_EXPIRE_AT_ONCE = 500  # rows per transaction: takes milliseconds, so that expiring never delays a message

_WORK = f"""
    WITH RECURSIVE work (room) AS (
        SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = :network
        UNION ALL
        SELECT (SELECT min(room) FROM deliveries WHERE state = 'queued' AND network = :network AND room > work.room)
        FROM work WHERE work.room IS NOT NULL
    )
    SELECT * FROM (
        SELECT work.room, coalesce(rooms.attempts, 0),
            (SELECT seq FROM deliveries WHERE state = 'queued' AND network = :network AND room = work.room
                AND {IS_DUE} ORDER BY behind, seq LIMIT 1) AS head
        FROM work LEFT JOIN rooms ON rooms.network = :network AND rooms.room = work.room
        WHERE work.room NOT IN (SELECT value FROM json_each(:without))
            AND (coalesce(rooms.until, :now) <= :now OR rooms.until > :now + :longest)
    ) AS found WHERE head IS NOT NULL ORDER BY head LIMIT :rooms
"""  # noqa: S608


class Core:
    """Runs the verbs of `bridge.store.contract`, under the same names, on one connection. Verbs of a lease take its
    network and token first.

    The caller begins and ends the transaction. `clock` gives seconds since the epoch. `excerpt` is how many characters
    of each carried message are kept. `woken` are the networks that may have new work after the last verbs: the caller
    wakes them after the transaction, and clears it.
    """

    leases: type[Networks] = Networks
    """How leases are kept: an engine that several workers share has its own."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float], excerpt: int = EXCERPT) -> None:
        self._sql = connection
        self._clock = clock
        self._excerpt = excerpt
        self._networks = self.leases(connection)
        self._messages = Messages(connection)
        self._files = Files(connection)
        self._waiting = Queue(connection, self._messages)
        self._plans = Plans(connection)
        self._losses = Losses(connection)
        self.woken: set[str] = set()

    # Networks

    def acquire(self, network: str, token: str, worker: str = "") -> bool:
        """Make `token` the network's lease; False if another worker has it."""
        return self._networks.acquire(network, token, worker)

    def release(self, network: str, token: str) -> None:
        self._networks.release(network, token)

    def cursor(self, network: str, token: str) -> str | None:
        return self._networks.cursor(network, token)

    def keep(self, network: str, token: str) -> None:
        self._networks.keep(network, token)

    def report(self, network: str, token: str, words: str) -> None:
        self.cursor(network, token)
        self._networks.remember(network, {REPORT: words})

    def renew(self, network: str, token: str, cursor: str | None) -> None:
        self._networks.expect(network, token, cursor, after=cursor)

    def recall(self, network: str, token: str) -> Mapping[str, str]:
        self.cursor(network, token)
        return self._networks.recall(network)

    def remember(self, network: str, token: str, changes: Mapping[str, str | None]) -> None:
        self.cursor(network, token)
        self._networks.remember(network, changes)

    # Intake

    def commit(self, network: str, token: str, commit: Commit) -> Committed:
        if commit.cursor is None:
            self.cursor(network, token)
        elif not self._networks.expect(network, token, commit.expect, after=commit.cursor):
            return Committed()
        now = self._clock()
        new, erased = self._store(commit, now)
        ledger.count(self._sql, commit.counts, now)
        self._networks.remember(network, commit.changes)
        if new or not commit.deliveries:  # else the call is repeated because its answer was lost
            self._losses.told(commit.told)
        if commit.cursor is not None and commit.cursor != commit.expect:
            self._networks.advance(network, commit.cursor)
        planned = self._take_up(network, commit.posts, new) if commit.posts else frozenset()
        self.woken.update(delivery.room.network for delivery in commit.deliveries if delivery.room not in planned)
        return Committed(len(new), planned, erased)

    def _store(self, commit: Commit, now: float) -> tuple[Set[str], frozenset[str]]:
        """Store events and deliveries; returns the ids of the new deliveries, and of those that were erased."""
        events = {event.key: event for event in commit.events}
        bodies = {key: dump(event) for key, event in events.items()}
        new = {each.id for each in commit.deliveries if self._queue(each, events[each.event], bodies[each.event], now)}
        removals = (event.body for event in events.values() if isinstance(event.body, Redaction))
        erased = {each for body in removals for each in self._erase(body.target)}  # perhaps of the same commit
        return new - erased, frozenset(erased)

    def _take_up(self, network: str, posts: Sequence[Post], new: Set[str]) -> frozenset[Room]:
        """Freeze the posts of rooms whose network is run by the worker of `network`; returns the rooms frozen."""
        offers: dict[Room, list[Post]] = {}
        for post in posts:
            offers.setdefault(post.room, []).append(post)
        ours = self._networks.of_worker_of(network)
        return frozenset(
            room
            for room, of in offers.items()
            if room.network in ours and self._plans.take_up(room, of, new, self._clock())
        )

    def _queue(self, delivery: Delivery, event: Event, body: str, now: float) -> bool:
        """Queue `delivery` if it is new; returns whether it is."""
        seq, has_body = self._event(event, body)
        if not self._waiting.add(delivery, seq, event, len(body.encode()), now):
            return False
        if not has_body:
            self._sql.execute("UPDATE events SET body = ? WHERE seq = ?", (body, seq))
        return True

    def _event(self, event: Event, body: str) -> tuple[int, bool]:
        """Store `event` if it is new; returns its row and whether it has a body. Private events get no sender and no
        excerpt, so nothing of them is kept once the body is gone."""
        key, kind, sender, begins, target = event.key, event.body.type, None, "", None
        thread = event.body.thread.id if isinstance(event.body, Message) and event.body.thread else ""
        how = event.body.kind if isinstance(event.body, Message | Edit) else Kind.TEXT
        if not event.private:
            sender, begins = dump_sender(event.sender), excerpt(event, self._excerpt)
        if event.target is not None:
            target = self._messages.seq(self._messages.source(event.target))
        row: tuple[int, bool] = self._sql.execute(
            "INSERT INTO events (network, room, id, type, origin, sender, target, excerpt, thread, kind, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (network, room, id) DO UPDATE SET id = events.id RETURNING seq, body IS NOT NULL",
            (
                key.room.network,
                key.room.id,
                key.id,
                kind,
                event.origin,
                sender,
                target,
                begins,
                thread,
                how,
                body,
            ),
        ).fetchone()
        self._files.keep(event, row[0], target)
        return row

    def _erase(self, target: EventKey) -> Iterator[str]:
        """Erase a redacted event: its excerpts, and what waits to be delivered of it. Yields the deliveries, also those
        that are frozen, which stay."""
        if (seq := self._messages.seq(self._messages.source(target))) is None:
            return
        self._messages.erase(seq)
        self._files.revoke_of(seq)
        yield from self._drop_fruitless(seq)

    def _drop_fruitless(self, seq: int) -> Iterator[str]:
        """Drop what makes no sense any more, as the event in row `seq` is removed, unless it is frozen. Yields all."""
        for delivery, room, frozen in fruitless(self._sql, seq):
            if not frozen:
                self._done(delivery, self._clock(), State.DROPPED, REDACTED)
                self._plans.let_go({delivery}, room)
            yield delivery
            self.woken.add(room.network)

    def known(self, network: str, token: str, events: Collection[EventKey]) -> Mapping[EventKey, Known]:
        self.cursor(network, token)
        found = {key: self._messages.known(key) for key in events}
        return {key: known for key, known in found.items() if known is not None}

    # Delivering

    def waiting(self, network: str, token: str, room: Room) -> int:
        self.cursor(network, token)
        (number,) = self._sql.execute(
            "SELECT count(*) FROM deliveries AS d JOIN events ON events.seq = d.event"
            " WHERE state = 'queued' AND d.network = ?1 AND d.room = ?2 AND origin != 'ours'"
            " AND d.id NOT IN (SELECT value FROM posts, json_each(deliveries) WHERE network = ?1 AND room = ?2)",
            (room.network, room.id),
        ).fetchone()
        return int(number)

    def due(
        self,
        network: str,
        token: str,
        now: float,
        rooms: int = 32,
        each: int = 20,
        without: Collection[Room] = (),
    ) -> Sequence[Backlog]:
        self.cursor(network, token)
        wanted = {"network": network, "now": now, "rooms": rooms, "longest": LONGEST_WAIT_S}
        wanted["without"] = json.dumps([room.id for room in without if room.network == network])
        found = self._sql.execute(_WORK, wanted).fetchall()
        backlogs = []
        for name, attempts, _ in found:
            room = Room(network, name)
            posts = self._plans.frozen(room)
            backlogs.append(Backlog(room, posts, () if posts else tuple(self._waiting.owed(room, each, now)), attempts))
        return backlogs

    def plan(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self.cursor(network, token)
        return self._plans.freeze(room, posts)

    def append(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Sequence[Post]:
        self.cursor(network, token)
        return self._plans.append(room, posts)

    def thaw(self, network: str, token: str, room: Room) -> bool:
        self.cursor(network, token)
        return self._plans.thaw(room)

    def behind(self, network: str, token: str, room: Room) -> Owed | None:
        self.cursor(network, token)
        frozen = {delivery for post in self._plans.frozen(room) for delivery in post.deliveries}
        return next(self._waiting.owed(room, 1, self._clock(), frozen), None)

    def sent(self, network: str, token: str, post: Post, remote_id: str, then: Sequence[Post] = ()) -> bool:
        self.cursor(network, token)
        frozen = self._plans.frozen(post.room)
        if all(each.id != post.id for each in frozen):
            return False
        where, now = (post.room.network, post.room.id), self._clock()
        part = self._plans.remove(post)
        self._sql.execute("DELETE FROM rooms WHERE network = ? AND room = ?", where)
        unfinished = {delivery for other in frozen if other.id != post.id for delivery in other.deliveries}
        for delivery in post.deliveries:
            remote_id and self._sql.execute(
                "INSERT INTO sent (delivery, part, remote, network, room) SELECT seq, ?, ?, ?, ?"
                " FROM deliveries WHERE id = ?",
                (part, remote_id, *where, delivery),
            )
            if delivery not in unfinished:
                self._done(delivery, now)
        if then:
            self._plans.freeze(post.room, then)
        return True

    def note_sent(self, network: str, token: str, post: Post, remote_id: str) -> bool:
        return self.sent(network, token, post, remote_id)

    def settle(self, network: str, token: str, fate: Fate) -> Sequence[Event]:
        self.cursor(network, token)
        match fate:
            case Waits(room, until, reason):
                self._postpone(network, room, until, reason)
                return ()
            case Dead(deliveries, reason):
                now = self._clock()
                buried = [self._bury(network, each, reason, now) for each in deliveries]
                self._let_go((room, each) for each, room, _ in filter(None, buried))
                return [event for _, _, event in filter(None, buried)]
            case Shown(deliveries):
                for delivery in deliveries:
                    self._done(delivery, self._clock())
                return ()
            case Dropped(deliveries, reason):
                self._lose(reason, self._losses.queued(network, deliveries))
                return ()
            case _ as never:
                assert_never(never)

    def _postpone(self, network: str, room: Room, until: float, reason: str) -> None:
        self._sql.execute(
            "INSERT INTO rooms (network, room, until, attempts, reason) SELECT ?1, ?2, ?3, 1, ?4 WHERE EXISTS"
            " (SELECT 1 FROM deliveries WHERE state = 'queued' AND network = ?1 AND room = ?2)"
            " ON CONFLICT (network, room) DO UPDATE SET until = ?3, attempts = rooms.attempts + 1, reason = ?4",
            (network, room.id, until, reason),
        )

    def _let_go(self, ended: Iterable[tuple[Room, str]]) -> None:
        """Unfreeze deliveries that end together."""
        rooms: dict[Room, set[str]] = {}
        for room, delivery in ended:
            rooms.setdefault(room, set()).add(delivery)
        for room, deliveries in rooms.items():
            self._plans.let_go(deliveries, room)

    def _bury(self, network: str, delivery: str, reason: str, now: float) -> tuple[str, Room, Event] | None:
        row = self._sql.execute(
            "UPDATE deliveries SET state = 'dead', reason = ?, done = ?"
            " WHERE id = ? AND state = 'queued' AND network = ?"
            " RETURNING room, (SELECT body FROM events WHERE seq = event)",
            (reason, now, delivery, network),
        ).fetchone()
        if row is None:
            return None
        return delivery, Room(network, row[0]), load(row[1])

    def trim(self, network: str, token: str, before: float, most: int, most_bytes: int = 2**62) -> int:
        """Drop some of them; returns 0 once none are left."""
        self.cursor(network, token)
        return self._lose(*self._losses.excess(network, before, most, most_bytes))

    def _lose(self, reason: str, rows: Sequence[Row]) -> int:
        now = self._clock()
        for row in rows:
            self._done(row.delivery, now, State.DROPPED, reason)
        self._let_go((row.room, row.delivery) for row in rows)
        if reason != REDACTED:
            self._losses.note(reason, rows)
            return len(rows)
        for seq in removed(self._sql, [row.delivery for row in rows]):  # the removal itself, too, if nothing was sent
            _ = [*self._drop_fruitless(seq)]
        return len(rows)

    def losses(self, network: str, token: str) -> Sequence[Loss]:
        self.cursor(network, token)
        return self._losses.untold(network)

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
        self.woken.add(network)

    def shift(self, step: float) -> None:
        """Adapt to a clock that was set by `step` seconds: ages and remaining waits in the queue do not change."""
        self._sql.execute(
            "UPDATE deliveries SET since = since + ?1, said = said + ?1,"
            " held = CASE WHEN held > 0 THEN held + ?1 ELSE 0 END WHERE state = 'queued'",
            (step,),
        )
        self._sql.execute("UPDATE rooms SET until = until + ? WHERE until > 0", (step,))

    def _done(self, delivery: str, now: float, state: State = State.SENT, reason: str = "") -> None:
        """Finish `delivery`. Its row stays, so that its event is recognised if it is heard again."""
        row = self._sql.execute(
            "UPDATE deliveries SET state = ?, reason = ?, done = ?"
            " WHERE id = ? AND state IN ('queued', 'dead') RETURNING event",
            (state, reason, now, delivery),
        ).fetchone()
        if row is not None:  # the text is kept only while some delivery needs it
            self._sql.execute(
                "UPDATE events SET body = NULL WHERE seq = ?"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq AND state IN ('queued', 'dead'))",
                row,
            )

    def said_in(self, network: str, token: str, room: Room, since: float, most: int) -> Sequence[Known]:
        self.cursor(network, token)
        return self._messages.said_in(room, since, most)

    def begin_outage(self, network: str, token: str, room: Room, began: float, reason: str) -> None:
        self.cursor(network, token)
        history.begin_outage(self._sql, room, began, reason)

    def end_outage(self, network: str, token: str, room: Room, ended: float) -> None:
        self.cursor(network, token)
        history.end_outage(self._sql, room, ended)

    def lasting_outages(self, network: str, token: str) -> Sequence[PastOutage]:
        self.cursor(network, token)
        return history.lasting(self._sql, network)

    # Without a lease

    def try_to_write(self) -> None:
        """The transaction itself is the trial."""

    def try_to_take_in(self) -> None:
        """The transaction itself is the trial."""

    def queues(self) -> Mapping[str, Waiting]:
        return queues.queues(self._sql)

    def last_lines(self, rooms: Collection[Room]) -> Mapping[Room, Lines]:
        return queues.last_lines(self._sql, rooms)

    def outages(self, since: float) -> Sequence[PastOutage]:
        return history.outages(self._sql, since)

    def begin_run(self, version: str) -> None:
        history.begin_run(self._sql, version, self._clock())

    def end_run(self, version: str = "") -> None:
        history.end_run(self._sql, self._clock(), version)

    def owners(self) -> Mapping[str, Owner]:
        return self._networks.owners()

    def agree(self, name: str, value: str) -> str:
        return self._networks.agree(name, value)

    def runs(self, since: float) -> Sequence[Run]:
        return history.runs(self._sql, since)

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

    def networks(self) -> Mapping[str, int]:
        return waiting(self._sql)

    def ledger(self, since: float) -> Ledger:
        return ledger.ledger(self._sql, since)

    def retry(self, delivery: str) -> bool:
        revived = [
            row
            for each in self._with_edits(delivery)
            for row in self._sql.execute(
                "UPDATE deliveries SET state = 'queued', reason = '', done = NULL, since = ?1, said = ?1"
                " WHERE id = ?2 AND state = 'dead' RETURNING network",
                (self._clock(), each),
            ).fetchall()
        ]
        self.woken.update(network for (network,) in revived)
        return bool(revived)

    def _with_edits(self, delivery: str) -> Sequence[str]:
        """`delivery`, which is queued or dead, and the edits of its message that are so, too, in the same room."""
        rows = self._sql.execute(
            "SELECT d.id FROM deliveries AS m CROSS JOIN events AS e ON e.target = m.event AND e.type = 'edit'"
            " CROSS JOIN deliveries AS d ON d.event = e.seq AND d.network = m.network AND d.room = m.room"
            " AND d.state = m.state WHERE m.id = ? ORDER BY d.seq",
            (delivery,),
        )
        return [delivery, *(each for (each,) in rows.fetchall())]

    def drop(self, delivery: str) -> bool:
        row = self._sql.execute(
            "SELECT network, room FROM deliveries WHERE id = ? AND state IN ('queued', 'dead')", (delivery,)
        ).fetchone()
        if row is None:
            return False
        dropped = self._with_edits(delivery)
        for each in dropped:
            self._done(each, self._clock(), State.DROPPED, "dropped by hand")
        self._plans.let_go(set(dropped), Room(*row))
        self.woken.add(row[0])
        return True

    def file(self, handle: str) -> Hosted | None:
        found = self._files.find(handle)
        return found if found is not None and found.media.until > self._clock() else None

    def text(self, handle: str) -> str | None:
        found = self._files.text(handle)
        return found[0] if found is not None and found[1] > self._clock() else None

    def count_traffic(self, used: Mapping[TrafficKind, Traffic]) -> None:
        traffic.count(self._sql, used, self._clock())

    def traffic_since(self, since: float) -> Mapping[TrafficKind, Traffic]:
        return traffic.since(self._sql, since)

    def revoke(self, handle: str) -> int:
        return self._files.revoke(handle)

    def revoke_of(self, event_id: str, network: str = "") -> Revoked:
        rows = self._sql.execute(
            "SELECT seq FROM events WHERE id = ?1 AND (?2 = '' OR network = ?2)", (event_id, network)
        ).fetchall()
        texts = sum(self._files.texts_of(seq) for (seq,) in rows)
        return Revoked(sum(self._files.revoke_of(seq) for (seq,) in rows) - texts, texts)

    def revoke_said(self, said: Callable[[Sender], bool], rooms: Collection[Room] | None = None) -> Revoked:
        return self._files.revoke_said(said, rooms)

    def expire(self, before: float) -> int:
        """Remove some of the rows; returns 0 once none are left."""
        files = self._files.expire(self._clock(), _EXPIRE_AT_ONCE) + self._files.fit(_EXPIRE_AT_ONCE)
        rows = self._sql.execute(
            "DELETE FROM deliveries WHERE seq IN"
            " (SELECT seq FROM deliveries AS d WHERE state IN ('sent', 'dropped') AND done < ?"
            " AND NOT EXISTS (SELECT 1 FROM media WHERE media.event = d.event AND source != '')"
            " AND NOT EXISTS (SELECT 1 FROM events AS e CROSS JOIN media ON media.event = e.seq"
            " WHERE e.target = d.event AND e.type = 'edit' AND source != '') LIMIT ?)"
            " RETURNING event",
            (before, _EXPIRE_AT_ONCE),
        ).fetchall()
        self._sql.executemany(
            "DELETE FROM events WHERE seq = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq)", rows
        )
        counted = ledger.expire(self._sql, before) + traffic.expire(self._sql, before)
        return files + len(rows) + counted + history.expire(self._sql, self._clock())

    def changes_of_others(self) -> int:
        """A number that changes when another connection has changed something."""
        version: int = self._sql.execute("PRAGMA data_version").fetchone()[0]
        return version
