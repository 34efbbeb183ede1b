"""Backup and restore of the store: backup while the daemon runs, restore while it is stopped."""

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from bridge.lib.files import belongs_with, make_folders, sync_folder
from bridge.store.contract import StoreError, Unusable
from bridge.store.migrations import VERSION, migrate
from bridge.store.schema import drop_uncopied, make_private, read_only
from bridge.store.sqlite import lock

_KEEP_REVOKED = (
    "CREATE TEMP TABLE gone AS SELECT m.handle, m.kind, m.size, m.mime, m.until, coalesce(o.target, o.seq) AS seq"
    " FROM old.media AS m JOIN old.events AS o ON o.seq = m.event WHERE m.source = ''",
    "INSERT OR IGNORE INTO main.events (network, room, id, type, origin, sender, excerpt, thread, kind, removed)"
    " SELECT network, room, id, type, origin, sender, '', thread, kind, removed FROM old.events"
    " WHERE seq IN (SELECT seq FROM gone)",
    "INSERT INTO main.media (handle, event, kind, name, size, mime, source, until)"
    " SELECT g.handle, n.seq, g.kind, '', g.size, g.mime, '', g.until FROM gone AS g"
    " JOIN old.events AS o ON o.seq = g.seq JOIN main.events AS n ON n.network = o.network AND n.room = o.room"
    " AND n.id = o.id WHERE true ON CONFLICT (handle) DO UPDATE SET source = '', name = '', text = '',"
    " until = max(until, excluded.until)",
)
"""What was revoked in the store `old` is revoked in this one, too; also what this one hears of only later."""


def is_in_use(path: Path) -> bool:
    """Whether a daemon runs on the store at `path`."""
    try:
        descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def copy(path: Path, target: Path) -> None:
    """Copy a snapshot of the store at `path` into one new private file, which can be opened on read-only media too.
    What a network keeps under `UNCOPIED` is not in it.
    Raises `Unusable` if `path` is not a store, StoreError if copying fails; an incomplete copy is removed."""
    make_private(target)
    try:
        with closing(read_only(path)) as source, closing(sqlite3.connect(target)) as into:
            source.backup(into)
            into.execute("PRAGMA journal_mode = DELETE")
            drop_uncopied(into)
        with target.open("rb") as file:
            os.fsync(file.fileno())
    except (sqlite3.Error, OSError) as error:
        target.unlink(missing_ok=True)
        raise StoreError(f"{target}: the store cannot be copied ({error})") from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _keep_revoked(path: Path, new: Path) -> None:
    """Keep the links revoked that are so in the store at `path`, if it can be read and both are of today's version."""
    with suppress(Unusable, sqlite3.Error):
        for each in (path, new):
            with closing(read_only(each)) as sql:
                if sql.execute("PRAGMA user_version").fetchone() != (VERSION,):
                    return
        with closing(sqlite3.connect(new.absolute().as_uri(), uri=True, isolation_level=None)) as sql:
            sql.execute("ATTACH ? AS old", (f"{path.absolute().as_uri()}?mode=ro",))
            sql.execute("BEGIN")
            for statement in _KEEP_REVOKED:
                sql.execute(statement)
            sql.execute("COMMIT")


def restore(path: Path, source: Path, ending: str) -> Path | None:
    """Replace the store at `path` with the copy `source`, upgraded to today's version; links that were revoked since
    stay so. A copy of the replaced store is kept beside it, named with `.ending`: returns its path, or None if there
    was no store that could be read. Raises `Unusable`, and changes nothing, if a daemon runs on the store, or the copy
    is damaged or of a newer version."""
    try:
        make_folders(path.parent)
        held = lock(path)
    except OSError as error:
        raise Unusable(f"{path}: the store cannot be put there ({error})") from error
    kept = path.with_name(f"{path.name}.{ending}")
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)
        copy(source, new)
        _upgrade(new)
        _keep_revoked(path, new)
        is_kept = _keep(path, kept)
        belongs_with(new, path)
        for beside in (f"{path}-wal", f"{path}-shm"):
            Path(beside).unlink(missing_ok=True)  # of the replaced store
        sync_folder(path.parent)  # else a power cut could leave the new store with the old journal
        new.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Unusable(f"{path}: the store cannot be put there ({error})") from error
    finally:
        new.unlink(missing_ok=True)
        os.close(held)
    return kept if is_kept else None


def _upgrade(new: Path) -> None:
    """Upgrade a copy of a store to today's version. Raises StoreError."""
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as sql:
            (version,) = sql.execute("PRAGMA user_version").fetchone()
            if version < VERSION:
                sql.execute("BEGIN IMMEDIATE")
                migrate(sql, version)
                sql.execute("COMMIT")
    except sqlite3.Error as error:
        raise StoreError(f"{new}: the store of the backup cannot be upgraded ({error})") from error


def _keep(path: Path, kept: Path) -> bool:
    """Copy the store at `path`, which is about to be replaced, to `kept`; False if there is none that can be read."""
    if not path.exists():
        return False
    try:
        copy(path, kept)
    except Unusable:
        return False
    belongs_with(kept, path)
    return True
