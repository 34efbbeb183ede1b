"""The message map: each event's ids in the rooms it was sent to, its sender and its excerpt."""

import sqlite3
from collections.abc import Sequence

from bridge.model.event import EventKey, Kind, Room
from bridge.model.outbox import Delivery, Known
from bridge.store.tables.bodies import load_sender

_LOOKED_THROUGH = 200
"""Events before another at most, of which one may be the last that was said in a room."""


class Messages:
    """The tables of events and sent posts. Begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

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

    def source(self, key: EventKey) -> EventKey:
        """The event as first heard: in another room, if we carried it to this one ourselves."""
        return self.source_of(key.room, key.id) or key

    def seq(self, source: EventKey) -> int | None:
        """The row of an event; None if it is unknown."""
        row = self._sql.execute(
            "SELECT seq FROM events WHERE network = ? AND room = ? AND id = ?",
            (source.room.network, source.room.id, source.id),
        ).fetchone()
        return row[0] if row else None

    def known(self, key: EventKey, there: Room | None = None, by: int | None = None) -> Known | None:
        """What is known of an event, with its ids in the room `there`. Even an event that we never carried has an id in
        its own room. `by`: the row of the event that refers to it."""
        source = self.source(key)
        ids = () if there is None else self._ids(source, there)
        row = self._sql.execute(
            "SELECT seq, sender, excerpt, thread, removed, type, kind FROM events"
            " WHERE network = ? AND room = ? AND id = ?",
            (source.room.network, source.room.id, source.id),
        ).fetchone()
        if row is None:
            return Known(source, ids=ids) if ids else None
        seq, sender, excerpt, thread, removed, type_, kind = row
        went = self._sql.execute(
            "SELECT network, room FROM deliveries WHERE event = ? AND state IN ('queued', 'sent') ORDER BY seq", (seq,)
        )
        rooms = (source.room, *(Room(*place) for place in went))
        edited = None if removed else self._edited(seq)
        return Known(
            source,
            load_sender(sender) if sender else None,
            excerpt if edited is None else edited,
            rooms,
            ids,
            before="" if there is None else self._before(seq, excerpt, there),
            last=there is not None and by is not None and self._is_last(seq, by, there),
            thread=self._thread(EventKey(source.room, thread), there) if thread and there is not None else "",
            removed=bool(removed),
            type=type_,
            kind=Kind(kind),
        )

    def said_in(self, room: Room, since: float, most: int) -> Sequence[Known]:
        """The last messages that people saw in `room`, the newest first: said or sent there, heard after `since`."""
        rows = self._sql.execute(
            "SELECT network, room, id FROM events WHERE type = 'message' AND seq IN ("
            " SELECT seq FROM"
            " (SELECT seq FROM events WHERE network = ?1 AND room = ?2 ORDER BY seq DESC LIMIT ?4) AS said"
            " UNION SELECT event FROM (SELECT event FROM deliveries WHERE network = ?1 AND room = ?2"
            " AND state = 'sent' ORDER BY seq DESC LIMIT ?4) AS sent)"
            " AND EXISTS (SELECT 1 FROM deliveries WHERE event = events.seq AND said >= ?3) ORDER BY seq DESC LIMIT ?4",
            (room.network, room.id, since, most),
        ).fetchall()
        found = (self.known(EventKey(Room(network, name), event), room) for network, name, event in rows)
        return [known for known in found if known is not None]

    def erase(self, target: int) -> None:
        """Erase the excerpts of a redacted event and of the events about it."""
        self._sql.execute("UPDATE events SET excerpt = '' WHERE seq = ?1 OR target = ?1", (target,))
        self._sql.execute("UPDATE events SET removed = 1 WHERE seq = ?", (target,))

    def _ids(self, source: EventKey, there: Room) -> tuple[str, ...]:
        return (source.id,) if source.room == there else tuple(self.remote_ids(source, there))

    def _edited(self, seq: int) -> str | None:
        """The excerpt of the last edit of an event; None if it was not edited."""
        row = self._sql.execute(
            "SELECT excerpt FROM events WHERE target = ? AND type = 'edit' ORDER BY seq DESC LIMIT 1", (seq,)
        ).fetchone()
        return row[0] if row else None

    def _before(self, seq: int, excerpt: str, there: Room) -> str:
        """The excerpt of the last edit of an event that was sent to `there`, else its own."""
        row = self._sql.execute(
            "SELECT e.excerpt FROM events AS e CROSS JOIN deliveries AS d ON d.event = e.seq WHERE e.target = ?"
            " AND type = 'edit' AND state = 'sent' AND d.network = ? AND d.room = ? ORDER BY e.seq DESC LIMIT 1",
            (seq, there.network, there.id),
        ).fetchone()
        return row[0] if row else excerpt

    def _is_last(self, seq: int, by: int, there: Room) -> bool:
        """Whether the event in row `seq` was the last message said or sent in `there` before the event in row `by`; or,
        if it is the root of the thread of the latter, whether the last one was of that thread."""
        row = self._sql.execute(
            "SELECT e.seq, e.network, e.room, e.thread FROM events AS e WHERE e.seq > ?1 AND e.seq < ?2"
            " AND type = 'message' AND ((e.network = ?3 AND e.room = ?4) OR EXISTS (SELECT 1 FROM deliveries AS d"
            " WHERE d.event = e.seq AND d.network = ?3 AND d.room = ?4 AND state IN ('queued', 'sent')))"
            " ORDER BY e.seq DESC LIMIT 1",
            (by - _LOOKED_THROUGH, by, there.network, there.id),
        ).fetchone()
        if row is None:
            return False
        last, *thread = row
        return bool(last == seq or (*thread,) == self._thread_from(seq, by))

    def _thread_from(self, root: int, by: int) -> tuple[str, str, str] | tuple[None, None, None]:
        """The network, room and thread of the event in row `by`, if that thread begins with the one in row `root`."""
        network, room, thread = self._sql.execute(
            "SELECT network, room, thread FROM events WHERE seq = ?", (by,)
        ).fetchone()
        source = self.source(EventKey(Room(network, room), thread))
        begins = self._sql.execute("SELECT network, room, id FROM events WHERE seq = ?", (root,)).fetchone()
        same = thread and begins == (source.room.network, source.room.id, source.id)
        return (network, room, thread) if same else (None, None, None)

    def _thread(self, root: EventKey, there: Room) -> str:
        return next(iter(self._ids(self.source(root), there)), "")
