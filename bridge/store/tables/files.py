"""The table of files and whole texts that have links: kept until the links expire or are revoked."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection
from functools import lru_cache

from bridge.model.event import BOTS, Edit, Event, EventKey, Media, Message, Room
from bridge.model.outbox import Hosted, Revoked, handle, text_handle
from bridge.model.people import GUEST, Sender
from bridge.model.readable import readable
from bridge.store.tables.bodies import load_sender

_TEXT = "text"
"""The kind, and the source, of a whole text."""
_LONGEST = 65_536
"""Bytes of a text at most: as many as a Matrix event has (spec, "Size limits"). Only spelled out links add some."""
ALL_TEXTS, GUESTS_TEXTS = 1024 * 1024 * 1024, 64 * 1024 * 1024
"""Bytes of all texts that are kept, and of those of guests, at most: the usual budget allows one guest 500 MB a day.
They may take more until `fit` is called again."""
_OLD_TEXTS = (
    "SELECT handle, sum(m.size) OVER (ORDER BY m.event DESC, handle) AS total FROM media AS m"
    " JOIN events AS e ON e.seq = m.event WHERE m.kind = ?1 AND m.source != ''"
)
_OF_GUESTS = f" AND e.network != '{BOTS}' AND json_extract(e.sender, '$.note') = '{GUEST}'"
_SENDERS = 1000
"""Senders whose verdict is remembered while links are revoked."""
_REVOKE = "UPDATE media SET source = '', name = '', text = '' WHERE source != ''"
_OF_EVENT = (
    "(event IN (SELECT ?1 UNION SELECT seq FROM events WHERE target = ?1 AND type = 'edit')"
    " OR kind = ?2 AND event IN (SELECT target FROM events WHERE seq = ?1 AND type = 'edit' UNION"
    " SELECT e.seq FROM events AS o JOIN events AS e ON e.target = o.target AND e.type = 'edit'"
    " WHERE o.seq = ?1 AND o.type = 'edit'))"
)
"""What is of the event ?1, or of its edits; ?2 is the kind of a text."""


class Files:
    """The table of files. Begins and ends no transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def keep(self, event: Event, seq: int, target: int | None) -> None:
        """Keep the files of `event`, in row `seq`, which edits the one in row `target`. A revoked one stays revoked;
        nothing is kept of a removed message."""
        if not isinstance(event.body, Message | Edit):
            return
        self._keep_text(event, event.body, seq, target)
        kept = (each for each in event.body.media if each.until and each.source)
        self._sql.executemany(
            "INSERT INTO media (handle, event, kind, name, size, mime, source, until)"
            " SELECT ?1, ?2, ?3, ?4, CAST(?5 AS BIGINT), ?6, ?7, ?8"
            " WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq IN (?2, ?9) AND removed = 1)"
            " ON CONFLICT (handle) DO UPDATE SET until = max(media.until, excluded.until)",
            [
                (handle(event, each), seq, each.kind, each.name, each.size, each.mime, each.source, each.until, target)
                for each in kept
            ],
        )

    def _keep_text(self, event: Event, body: Message | Edit, seq: int, target: int | None) -> None:
        """Keep the text of `event` if a link to it is to be made. That of an edit replaces the one before it, however
        short it is now, unless a later one has done so."""
        until, name = event.text_until, text_handle(event)
        if not until and isinstance(body, Message):
            return
        text, about = kept_text(body), seq if target is None else target
        size = len(text.encode())
        if until:
            self._sql.execute(
                "INSERT INTO media (handle, event, kind, name, mime, source, text, until, size)"
                " SELECT ?1, ?2, ?3, '', 'text/plain', ?3, ?4, ?5, ?7"
                " WHERE NOT EXISTS (SELECT 1 FROM events WHERE seq IN (?2, ?6) AND removed = 1)"
                " ON CONFLICT (handle) DO UPDATE SET until = max(media.until, excluded.until)",
                (name, seq, _TEXT, text, until, target, size),
            )
        self._sql.execute(
            "UPDATE media SET text = ?1, size = ?5 WHERE handle = ?2 AND source != ''"
            " AND NOT EXISTS (SELECT 1 FROM events WHERE target = ?3 AND type = 'edit' AND seq > ?4)",
            (text, name, about, seq, size),
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
        """Revoke the links to the files and the text of the event in row `event`, and of its edits; of an edit, those
        to the text of its message, too, which may be the edit's. Returns how many."""
        return self._sql.execute(f"{_REVOKE} AND {_OF_EVENT}", (event, _TEXT)).rowcount

    def texts_of(self, event: int) -> int:
        """How many texts have links that `revoke_of` would revoke."""
        query = f"SELECT count(*) FROM media WHERE kind = ?2 AND source != '' AND {_OF_EVENT}"  # noqa: S608
        (number,) = self._sql.execute(query, (event, _TEXT)).fetchone()
        return int(number)

    def revoke_said(self, said: Callable[[Sender], bool], rooms: Collection[Room] | None) -> Revoked:
        """Revoke the links to what those said whom `said` accepts, in `rooms` (None: anywhere); returns how many."""

        @lru_cache(maxsize=_SENDERS)
        def is_theirs(sender: str) -> bool:
            return said(load_sender(sender))

        shared = self._sql.execute(
            "SELECT seq, network, room, sender FROM events WHERE sender IS NOT NULL"
            " AND seq IN (SELECT event FROM media WHERE source != '')"
        )
        theirs = [
            (seq,)
            for seq, network, room, sender in shared.fetchall()
            if (rooms is None or Room(network, room) in rooms) and is_theirs(sender)
        ]
        kinds = Counter(
            kind
            for event in theirs
            for (kind,) in self._sql.execute(f"{_REVOKE} AND event = ? RETURNING kind", event).fetchall()
        )
        return Revoked(kinds.total() - kinds[_TEXT], kinds[_TEXT])

    def revoke(self, name: str) -> int:
        """Revoke the link with the handle `name`; returns how many there were."""
        return self._sql.execute(f"{_REVOKE} AND handle = ?", (name,)).rowcount

    def expire(self, now: float, most: int) -> int:
        """Forget at most `most` files whose links have expired; returns how many."""
        return self._sql.execute(
            "DELETE FROM media WHERE handle IN (SELECT handle FROM media WHERE until < ? LIMIT ?)", (now, most)
        ).rowcount

    def fit(self, most: int) -> int:
        """Forget at most twice `most` texts, the oldest first, until all and those of guests take no more than they
        may; returns how many."""
        (used,) = self._sql.execute("SELECT sum(size) FROM media WHERE kind = ? AND source != ''", (_TEXT,)).fetchone()
        if (used or 0) <= min(ALL_TEXTS, GUESTS_TEXTS):  # as nearly always: the rest takes ten times as long
            return 0
        return sum(
            self._sql.execute(
                f"DELETE FROM media WHERE handle IN"  # noqa: S608
                f" (SELECT handle FROM ({_OLD_TEXTS}{of}) AS old WHERE total > ?2 ORDER BY total DESC LIMIT ?3)",
                (_TEXT, bound, most),
            ).rowcount
            for of, bound in ((_OF_GUESTS, GUESTS_TEXTS), ("", ALL_TEXTS))
        )


def kept_text(body: Message | Edit) -> str:
    """The text of `body` as people read it: in at most `_LONGEST` bytes, without half surrogate pairs, which UTF-8
    cannot hold."""
    return readable(body.text).encode(errors="replace")[:_LONGEST].decode(errors="ignore")
