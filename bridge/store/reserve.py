"""Room on the disk that is kept for delivering: a file beside the store, given up when the disk is full."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from bridge.lib.files import sync_folder

SIZE = 8 * 2**20
"""Bytes: the journal grows to 4 MB before it begins anew (SQLite checkpoints it after 1,000 pages), and what is left is
for the tables, in which a message that was sent takes some hundred bytes."""

_STEP = SIZE // 8


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite found no room. Its index of the journal (`-shm`) is no data: that it cannot grow is no error of
    the disk."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


class Reserve:
    """`SIZE` bytes that no other file can take. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Beside the store at `path`; it may not be whole. OSError where no file can be there."""
        file = Path(f"{path}.reserve")
        made = not file.exists()
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if made:
            os.fchmod(self._file, 0o600)
            sync_folder(file.parent)
        self.is_whole = False
        self.make()

    def make(self) -> bool:
        """Whether it is whole now. Nothing is taken where there is not enough room for all of it."""
        if self.is_whole:
            return True
        size, disk = os.fstat(self._file).st_size, os.fstatvfs(self._file)
        if size < SIZE:
            if disk.f_bavail * disk.f_frsize < SIZE - size:
                return False
            try:
                os.posix_fallocate(self._file, 0, SIZE)
            except OSError:
                os.ftruncate(self._file, size)
                return False
        self.is_whole = True
        return True

    def give(self) -> bool:
        """Give some of it up; False where there is nothing left. In steps, since others may want what is free, too."""
        size = os.fstat(self._file).st_size
        if not size:
            return False
        os.ftruncate(self._file, max(0, size - _STEP))
        self.is_whole = False
        with suppress(OSError):  # nothing in it is needed
            os.fsync(self._file)  # on some file systems others can have the room only then
        return True

    def close(self) -> None:
        os.close(self._file)
