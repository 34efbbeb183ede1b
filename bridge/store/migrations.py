"""The tables of the store, and the migrations from each version to the next."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence

from bridge.store.tables.envelopes import wrap_messages

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE networks (name TEXT PRIMARY KEY, token TEXT, cursor TEXT) WITHOUT ROWID;
    CREATE TABLE memory (network TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (network, key)) WITHOUT ROWID;
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY, network TEXT NOT NULL, room TEXT NOT NULL, id TEXT NOT NULL,
        body TEXT,  -- NULL once all its deliveries are sent
        UNIQUE (network, room, id)
    );
    CREATE TABLE deliveries (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event INTEGER NOT NULL REFERENCES events,
        network TEXT NOT NULL, room TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued',
        since REAL NOT NULL, done REAL, reason TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX queued ON deliveries (network, room, seq) WHERE state = 'queued';
    CREATE INDEX deliveries_of ON deliveries (event);
    CREATE TABLE posts (  -- what is frozen and not sent yet
        network TEXT, room TEXT, part INTEGER, id TEXT NOT NULL, deliveries TEXT NOT NULL, payload TEXT NOT NULL,
        PRIMARY KEY (network, room, part)
    ) WITHOUT ROWID;
    CREATE TABLE rooms (  -- only those that wait
        network TEXT, room TEXT, until REAL NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL,
        PRIMARY KEY (network, room)
    ) WITHOUT ROWID;
    CREATE TABLE sent (  -- the message map
        delivery INTEGER NOT NULL REFERENCES deliveries ON DELETE CASCADE, part INTEGER NOT NULL, remote TEXT NOT NULL,
        network TEXT NOT NULL, room TEXT NOT NULL, PRIMARY KEY (delivery, part)
    ) WITHOUT ROWID;
    """,
    # Version 2: indexes to find the source of a reply by its remote id, and finished deliveries to expire;
    # both would read the whole table otherwise.
    """
    CREATE INDEX sources ON sent (network, room, remote);
    CREATE INDEX done ON deliveries (done) WHERE state = 'sent';
    """,
    # Version 3: dropped deliveries expire like sent ones. Part numbers are those of the plan, so that posts may be
    # confirmed in any order; posts frozen earlier get numbers behind all that were assigned by counting. Refusals are
    # counted.
    """
    DROP INDEX done;
    CREATE INDEX done ON deliveries (done) WHERE state IN ('sent', 'dropped');
    UPDATE posts SET part = part + 1000000;
    ALTER TABLE deliveries ADD COLUMN behind INTEGER NOT NULL DEFAULT 1;  -- 0: before all that waits
    DROP INDEX queued;
    CREATE INDEX queued ON deliveries (network, room, behind, seq) WHERE state = 'queued';
    CREATE TABLE tallies (  -- what leaves no delivery behind, by minutes since the epoch
        minute INTEGER, network TEXT, room TEXT, what TEXT, reason TEXT, number INTEGER NOT NULL,
        PRIMARY KEY (minute, network, room, what, reason)
    ) WITHOUT ROWID;
    """,
    # Version 4: losses that people were not told of yet.
    """
    CREATE TABLE losses (
        network TEXT, room TEXT, reason TEXT, number INTEGER NOT NULL, since REAL NOT NULL, until REAL NOT NULL,
        PRIMARY KEY (network, room, reason)
    ) WITHOUT ROWID;
    """,
    # Version 5: an event is an envelope around one tagged body. What SQL reads is a column: an event's type, origin,
    # sender, target and excerpt, and when a delivery was said. A network's worker is stored, so that a commit may plan
    # for other networks of the same worker. Frozen questions to bots hold events of the old format: they are removed,
    # to be frozen again.
    """
    ALTER TABLE networks ADD COLUMN worker TEXT;
    ALTER TABLE events ADD COLUMN type TEXT NOT NULL DEFAULT 'message';
    ALTER TABLE events ADD COLUMN origin TEXT NOT NULL DEFAULT 'live';
    ALTER TABLE events ADD COLUMN sender TEXT;  -- JSON; NULL of a private conversation
    ALTER TABLE events ADD COLUMN target INTEGER;  -- the event that an edit, a redaction or a reaction is about
    ALTER TABLE events ADD COLUMN excerpt TEXT NOT NULL DEFAULT '';
    CREATE INDEX events_about ON events (target) WHERE target IS NOT NULL;
    ALTER TABLE deliveries ADD COLUMN said REAL NOT NULL DEFAULT 0;
    UPDATE deliveries SET said = since;
    DELETE FROM posts WHERE network = 'bots';
    """,
    # Version 6: what waits for a room is bounded by its size, too. The index has all that adding it up needs.
    """
    ALTER TABLE deliveries ADD COLUMN size INTEGER NOT NULL DEFAULT 0;  -- bytes of the event's body, when it was queued
    UPDATE deliveries SET size = coalesce((SELECT length(CAST(body AS BLOB)) FROM events WHERE events.seq = event), 0)
        WHERE state = 'queued';
    DROP INDEX queued;
    CREATE INDEX queued ON deliveries (network, room, behind, seq, size) WHERE state = 'queued';
    """,
    # Version 7: reactions and edits wait for more of their type. An event has the root of its thread, and is known
    # once it is removed. Indexes to find what was said in a room last.
    """
    ALTER TABLE deliveries ADD COLUMN held REAL NOT NULL DEFAULT 0;  -- not due before
    DROP INDEX queued;
    CREATE INDEX queued ON deliveries (network, room, behind, seq, size, held) WHERE state = 'queued';
    ALTER TABLE events ADD COLUMN thread TEXT NOT NULL DEFAULT '';  -- an event's id in the same room
    ALTER TABLE events ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX events_in ON events (network, room, seq);
    CREATE INDEX sent_to ON deliveries (network, room, seq) WHERE state = 'sent';
    """,
    # Version 8: the edits of a message are found without reading through thousands of reactions to it.
    """
    DROP INDEX events_about;
    CREATE INDEX events_about ON events (target, type) WHERE target IS NOT NULL;
    """,
    # Version 9: a correction by hand keeps the kind of what it corrects.
    """
    ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';  -- of a message or an edit
    """,
    # Version 10: files to which links were made. They are kept as long as their links work, and their events as long.
    """
    CREATE TABLE media (
        handle TEXT PRIMARY KEY, event INTEGER NOT NULL REFERENCES events ON DELETE CASCADE, kind TEXT NOT NULL,
        name TEXT NOT NULL, size INTEGER, mime TEXT NOT NULL, source TEXT NOT NULL,  -- '' once it is revoked
        until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX media_of ON media (event);
    CREATE INDEX media_until ON media (until);
    """,
    # Version 11: whole texts, of which some networks got only the first lines, are files of a kind of their own. What
    # goes over the line is counted by days.
    """
    ALTER TABLE media ADD COLUMN text TEXT NOT NULL DEFAULT '';  -- '' once it is revoked
    CREATE TABLE traffic (
        day INTEGER, what TEXT, number INTEGER NOT NULL, bytes INTEGER NOT NULL,  -- days since the epoch, in UTC
        PRIMARY KEY (day, what)
    ) WITHOUT ROWID;
    """,
    # Version 12: outages and runs of the daemon are kept, to be told later. Dead deliveries are counted often.
    """
    CREATE TABLE outages (
        seq INTEGER PRIMARY KEY, network TEXT NOT NULL, room TEXT NOT NULL, began REAL NOT NULL,
        ended REAL,  -- NULL while it lasts
        reason TEXT NOT NULL
    );
    CREATE INDEX lasting ON outages (network, room) WHERE ended IS NULL;
    CREATE TABLE runs (
        seq INTEGER PRIMARY KEY, began REAL NOT NULL, ended REAL,  -- NULL while it runs, or if it was killed
        version TEXT NOT NULL
    );
    CREATE INDEX dead ON deliveries (network) WHERE state = 'dead';
    """,
    # Version 13: IRC networks keep the positions of their channels in the memory; an older quackbridge would not look
    # there.
    "",
)
VERSION = len(MIGRATIONS)
_CONVERSIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {5: wrap_messages}
"""What SQL alone cannot do, by version: runs after the statements of that version."""


def migrate(sql: sqlite3.Connection, version: int) -> None:
    """Migrate the tables from `version` (0: no tables) to `VERSION`, inside the open transaction."""
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        for statement in _statements(step):
            sql.execute(statement)
        if (convert := _CONVERSIONS.get(number)) is not None:
            convert(sql)
    sql.execute(f"PRAGMA user_version = {VERSION}")


def _statements(script: str) -> Iterator[str]:
    """The single statements of `script`. `executescript` would commit the open transaction."""
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
