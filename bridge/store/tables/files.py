"""The files and whole texts to which links were made: kept as long as the links work, unless they are revoked."""

import sqlite3

from bridge.model.event import Edit, Event, EventKey, Media, Message, Room
from bridge.model.outbox import Hosted, handle, text_handle
from bridge.model.text import plain

_TEXT = "text"
"""The kind, and the source, of a whole text."""


class Files:
    """The table of files. Begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, event: Event, seq: int, target: int | None) -> None:
        """Keep the files of `event`, in row `seq`, which edits the one in row `target`. A revoked one stays revoked;
        nothing is kept of a removed message."""
        if not isinstance(event.body, Message | Edit):
            return
        if event.text_until:
            self._keep_text(event, event.body, seq, target)
        elif isinstance(event.body, Edit):  # what was said before is behind its link no more
            text = _storable(plain(event.body.text))
            self._sql.execute("UPDATE media SET text = ? WHERE handle = ? AND source != ''", (text, text_handle(event)))
        kept = (each for each in event.body.media if each.until and each.source)
        self._sql.executemany(
            "INSERT INTO media (handle, event, kind, name, size, mime, source, until)"
            " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
            " WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq IN (?2, ?9) AND removed)"
            " ON CONFLICT (handle) DO UPDATE SET until = max(until, excluded.until)",
            [
                (handle(event, each), seq, each.kind, each.name, each.size, each.mime, each.source, each.until, target)
                for each in kept
            ],
        )

    def _keep_text(self, event: Event, body: Message | Edit, seq: int, target: int | None) -> None:
        """Keep the text of `event`; that of an edit replaces the one before it."""
        self._sql.execute(
            "INSERT INTO media (handle, event, kind, name, mime, source, text, until)"
            " SELECT ?1, ?2, ?3, '', 'text/plain', ?3, ?4, ?5"
            " WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq IN (?2, ?6) AND removed)"
            " ON CONFLICT (handle) DO UPDATE SET until = max(until, excluded.until),"
            " text = iif(source = '', '', excluded.text)",
            (text_handle(event), seq, _TEXT, _storable(plain(body.text)), event.text_until, target),
        )

    def text(self, name: str) -> tuple[str, int] | None:
        """The text with the handle `name`, and until when its links work; None if there is none, or it was revoked."""
        row: tuple[str, int] | None = self._sql.execute(
            "SELECT text, until FROM media WHERE handle = ? AND kind = ? AND source != ''", (name, _TEXT)
        ).fetchone()
        return row

    def find(self, name: str) -> Hosted | None:
        """The file with the handle `name`; None if there is none, or it was revoked."""
        row = self._sql.execute(
            "SELECT e.network, e.room, e.id, f.kind, f.name, f.size, f.mime, f.source, f.until FROM media AS f"
            " JOIN events AS e ON e.seq = f.event WHERE f.handle = ? AND f.kind != ? AND f.source != ''",
            (name, _TEXT),
        ).fetchone()
        if row is None:
            return None
        network, room, event, kind, called, size, mime, source, until = row
        return Hosted(EventKey(Room(network, room), event), Media(kind, called, size, mime, source, until=until))

    def revoke_of(self, event: int) -> int:
        """Revoke the links to the files of the event in row `event`, and of its edits; returns how many."""
        return self._sql.execute(
            "UPDATE media SET source = '', name = '', text = '' WHERE source != ''"
            " AND event IN (SELECT ?1 UNION SELECT seq FROM events WHERE target = ?1 AND type = 'edit')",
            (event,),
        ).rowcount

    def revoke(self, name: str) -> int:
        """Revoke the link with the handle `name`; returns how many there were."""
        return self._sql.execute(
            "UPDATE media SET source = '', name = '', text = '' WHERE source != '' AND handle = ?", (name,)
        ).rowcount

    def expire(self, now: float, most: int) -> int:
        """Forget at most `most` files whose links have expired; returns how many."""
        return self._sql.execute(
            "DELETE FROM media WHERE handle IN (SELECT handle FROM media WHERE until < ? LIMIT ?)", (now, most)
        ).rowcount


def _storable(text: str) -> str:
    """`text` without half surrogate pairs, which UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()
