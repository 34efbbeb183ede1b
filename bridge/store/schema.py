"""Opens the store's file: creates a new one, and migrates an old one to the current version."""

import os
import sqlite3
from pathlib import Path

from bridge.lib.files import not_ours, sync_folder, write_new
from bridge.network import UNCOPIED
from bridge.store.contract import Full, Unusable
from bridge.store.migrations import VERSION, migrate
from bridge.store.reserve import is_full

BUSY_S = 10.0
"""Seconds to wait while another program, such as a backup, has the file locked."""
_HEADER = 28
"""Bytes of a rollback journal's header."""
_MAGIC = bytes.fromhex("d9d505f920a163d7")
_UNSOUND = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: Path, *, upgrade: bool, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """Connect to the store at `path`: in autocommit mode, for any one thread. `busy_s`: seconds to wait for locks of
    other programs.

    `upgrade` creates a missing file (readable by its owner only), and migrates an old one to `VERSION` after copying it
    to a file beside it. Raises `Unusable`, with the file unchanged, if it cannot be used; `Full` if its disk is full.
    SQLite gives the files that it makes beside it the same owner and mode, also when run as root.
    """
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise Unusable(f"{path}: {not_ours(path)}")
    try:
        _check_not_emptied(path)
        if upgrade and not path.exists():
            make_private(path)
        uri = f"{path.absolute().as_uri()}?mode=rw"  # never creates a file, which others could read
        sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_s)
    except (OSError, sqlite3.Error) as error:
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    try:
        _prepare(sql, path, upgrade=upgrade)
    except sqlite3.DatabaseError as error:
        sql.close()
        if is_full(error):
            raise Full(f"{path}: no space left for the store ({error}); free some disk space") from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNSOUND:
            raise Unusable(
                f"{path}: this is not an intact store ({error}); move it away, or restore a backup"
            ) from error
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    except BaseException:
        sql.close()
        raise
    return sql


def read_only(path: Path) -> sqlite3.Connection:
    """Open the store at `path` read-only. Raises `Unusable` if it is missing, damaged or of a newer version."""
    try:
        sql = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    try:
        version = _version(sql, path)
    except sqlite3.DatabaseError as error:
        sql.close()
        raise Unusable(f"{path}: this is not an intact store ({error})") from error
    except BaseException:
        sql.close()
        raise
    if not 0 < version <= VERSION:
        sql.close()
        raise Unusable(f"{path}: this quackbridge does not know this store's version ({version})")
    return sql


def _prepare(sql: sqlite3.Connection, path: Path, *, upgrade: bool) -> None:
    version = _version(sql, path)
    if version > VERSION:
        raise Unusable(
            f"{path}: the store is of version {version}, and this quackbridge knows up to {VERSION}:"
            " install the newer quackbridge again, or restore a backup"
        )
    if version < VERSION:
        if not upgrade:
            raise Unusable(f"{path}: the store is of version {version}: run the daemon once, it will upgrade it")
        _upgrade(sql, path, version)
    (mode,) = sql.execute("PRAGMA journal_mode = WAL").fetchone()  # returns the old mode if it fails
    if mode != "wal":
        raise Unusable(f"{path}: the store cannot keep a write-ahead journal there")
    sql.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    sql.execute("PRAGMA foreign_keys = ON")


def make_private(path: Path) -> None:
    """Create an empty file at `path` that only its owner can read, whatever the umask."""
    write_new(path, b"")
    sync_folder(path.parent)


def _check_not_emptied(path: Path) -> None:
    """Raises `Unusable` for an empty file with the journal of a store beside it: SQLite would take it for a new one,
    and throw the journal away."""
    if not path.exists() or path.stat().st_size:
        return
    for journal, is_of_a_store in ((Path(f"{path}-wal"), bool), (Path(f"{path}-journal"), _has_pages)):
        if journal.exists() and is_of_a_store(_begins(journal)):
            raise Unusable(
                f"{path}: the store is empty, but its journal {journal.name} is not: the store was damaged;"
                " keep both files, and restore a backup"
            )


def drop_uncopied(copy: sqlite3.Connection) -> None:
    """Remove from a copy of a store what is wrong once it is old (see `UNCOPIED`)."""
    deleted = copy.execute("DELETE FROM memory WHERE substr(key, 1, ?) = ?", (len(UNCOPIED), UNCOPIED))
    copy.commit()
    if deleted.rowcount:
        copy.execute("VACUUM")  # it would still be in unused pages


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEADER)


def _has_pages(header: bytes) -> bool:
    """Whether a rollback journal is of a database that had pages; of one without, its creation was cut short. See
    https://www.sqlite.org/fileformat.html, "The Rollback Journal": it begins with a magic string, or zeros until it is
    synced, and the initial size is at offset 16. What begins with neither is a sector that a power cut left."""
    return header[:8] in (_MAGIC, bytes(8)) and any(header[16:20])


def _version(sql: sqlite3.Connection, path: Path) -> int:
    """The version of the store, 0 if the file is empty. Raises `Unusable` if it is damaged or not a store."""
    version: int = sql.execute("PRAGMA user_version").fetchone()[0]
    tables = sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version == 0 and tables:
        raise Unusable(f"{path}: this is a database of something else; name another file in store.path")
    foreign = sql.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') OR sql LIKE 'CREATE VIRTUAL%'"
    ).fetchone()
    if foreign:
        kind, name = foreign
        raise Unusable(f"{path}: the store has the {kind} {name!r}, which is not ours: restore a backup without it")
    (verdict,) = sql.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise Unusable(f"{path}: the store is damaged ({verdict}); move it away, or restore a backup")
    return version


def _upgrade(sql: sqlite3.Connection, path: Path, version: int) -> None:
    if version:
        copy = Path(f"{path}.v{version}.bak")
        copy.unlink(missing_ok=True)  # left by an interrupted upgrade
        make_private(copy)
        backup = sqlite3.connect(copy)
        sql.backup(backup)
        drop_uncopied(backup)
        backup.close()
    try:
        sql.execute("BEGIN IMMEDIATE")
        migrate(sql, version)
        sql.commit()
    except sqlite3.Error:
        if sql.in_transaction:
            sql.rollback()
        raise
