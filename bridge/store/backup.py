"""Backup and restore of the store: backup while the daemon runs, restore while it is stopped."""

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.lib.files import sync_folder
from bridge.store.contract import StoreError, Unusable
from bridge.store.schema import drop_uncopied, make_private, read_only
from bridge.store.sqlite import lock


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


def restore(path: Path, source: Path) -> None:
    """Replace the store at `path` with the copy `source`. Raises `Unusable`, and changes nothing, if a daemon runs on
    the store or the copy is damaged."""
    held = lock(path)
    try:
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        copy(source, new)
        for beside in (f"{path}-wal", f"{path}-shm"):
            Path(beside).unlink(missing_ok=True)  # of the replaced store
        sync_folder(path.parent)  # else a power cut could leave the new store with the old journal
        new.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Unusable(f"{path}: the store cannot be put there ({error})") from error
    finally:
        os.close(held)
