"""Opening the file of the store: new, as it is, or brought to the version of this program."""

import os
import sqlite3
from pathlib import Path

from bridge.lib.files import sync_folder
from bridge.store.contract import Full, Unusable
from bridge.store.migrations import VERSION, migrate
from bridge.store.reserve import is_full

BUSY_S = 10.0
"""Seconds that are waited while another program, such as a backup, has the file locked."""
_UNSOUND = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: Path, *, upgrade: bool, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection to the store at `path`, in autocommit mode, that any one thread may use, and that waits `busy_s` for
    what another program has locked.

    With `upgrade` a new file is made (readable by its owner alone) and an old one is brought to `VERSION`, after a copy
    of it was put beside it. `Unusable`, with the file as it was, where it cannot be used; `Full` where its disk is.
    SQLite gives the files that it makes beside it the same owner and mode, also when root is at work.
    """
    try:
        if upgrade and not path.exists():
            make_private(path)
        uri = f"{path.absolute().as_uri()}?mode=rw"  # never makes a file that others could read
        sql = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_s)
    except (OSError, sqlite3.Error) as error:
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    try:
        _prepare(sql, path, upgrade=upgrade)
    except sqlite3.DatabaseError as error:
        sql.close()
        if is_full(error):
            raise Full(f"{path}: there is no room for the store ({error}); free some disk space") from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNSOUND:
            raise Unusable(f"{path}: this is not a sound store ({error}); move it away, or restore a backup") from error
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    except BaseException:
        sql.close()
        raise
    return sql


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads the sound store at `path`, of this version or an older one. `Unusable` otherwise."""
    try:
        sql = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise Unusable(f"{path}: the store cannot be opened ({error})") from error
    try:
        version = _version(sql, path)
    except sqlite3.DatabaseError as error:
        sql.close()
        raise Unusable(f"{path}: this is not a sound store ({error})") from error
    except BaseException:
        sql.close()
        raise
    if not 0 < version <= VERSION:
        sql.close()
        raise Unusable(f"{path}: this is not a store that this quackbridge knows (version {version})")
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
    (mode,) = sql.execute("PRAGMA journal_mode = WAL").fetchone()  # where that fails, it answers with the old one
    if mode != "wal":
        raise Unusable(f"{path}: the store cannot keep a write-ahead journal there")
    sql.execute("PRAGMA synchronous = FULL")  # a commit that was answered survives a power cut
    sql.execute("PRAGMA foreign_keys = ON")


def make_private(path: Path) -> None:
    """An empty file at `path` that only its owner can read, whatever the umask."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    sync_folder(path.parent)


def _version(sql: sqlite3.Connection, path: Path) -> int:
    """The version of a sound store, 0 of an empty file."""
    version: int = sql.execute("PRAGMA user_version").fetchone()[0]
    tables = sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if version == 0 and tables:
        raise Unusable(f"{path}: this is a database of something else; name another file in store.path")
    (verdict,) = sql.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise Unusable(f"{path}: the store is damaged ({verdict}); move it away, or restore a backup")
    return version


def _upgrade(sql: sqlite3.Connection, path: Path, version: int) -> None:
    if version:
        copy = Path(f"{path}.v{version}.bak")
        copy.unlink(missing_ok=True)  # of an upgrade that was cut off
        make_private(copy)
        backup = sqlite3.connect(copy)
        sql.backup(backup)
        backup.close()
    try:
        sql.execute("BEGIN IMMEDIATE")
        migrate(sql, version)
        sql.commit()
    except sqlite3.Error:
        if sql.in_transaction:
            sql.rollback()
        raise
