"""The message map: each event's ids in the rooms it was sent to, its sender and its excerpt."""

import sqlite3
from collections.abc import Sequence

from bridge.model.event import EventKey, Room
from bridge.model.outbox import Delivery, Known
from bridge.store.tables.bodies import load_sender


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

    def known(self, key: EventKey, there: Room | None = None) -> Known | None:
        """What is known of an event, with its ids in the room `there`. Even an event that we never carried has an id in
        its own room."""
        source = self.source(key)
        ids = () if there is None else (source.id,) if source.room == there else tuple(self.remote_ids(source, there))
        row = self._sql.execute(
            "SELECT seq, sender, excerpt FROM events WHERE network = ? AND room = ? AND id = ?",
            (source.room.network, source.room.id, source.id),
        ).fetchone()
        if row is None:
            return Known(source, ids=ids) if ids else None
        seq, sender, excerpt = row
        went = self._sql.execute(
            "SELECT network, room FROM deliveries WHERE event = ? AND state IN ('queued', 'sent') ORDER BY seq", (seq,)
        )
        rooms = (source.room, *(Room(*place) for place in went))
        return Known(source, load_sender(sender) if sender else None, excerpt, rooms, ids)

    def erase(self, target: int) -> None:
        """Erase the excerpts of a redacted event and of the events about it."""
        self._sql.execute("UPDATE events SET excerpt = '' WHERE seq = ?1 OR target = ?1", (target,))
