"""The message map: what each event is called where it was sent."""

import sqlite3
from collections.abc import Sequence

from bridge.model.event import EventKey, Room
from bridge.model.outbox import Delivery


class Messages:
    """The table of what was sent."""

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

    def refers(self, target: EventKey, room: Room) -> Sequence[str]:
        """The ids in `room` of what is replied to; if we carried that ourselves, of where it came from."""
        source = self.source_of(target.room, target.id) or target
        return (source.id,) if source.room == room else self.remote_ids(source, room)
