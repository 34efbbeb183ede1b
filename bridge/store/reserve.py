"""Disk space reserved for delivery: a file beside the store, which is released when the disk is full."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from bridge.lib.files import open_private, sync_folder

SIZE = 8 * 2**20
"""Bytes: the journal takes up to 4 MB (SQLite checkpoints it after 1,000 pages), the rest is for the tables, in which a
sent message takes some hundred bytes."""

_STEP = SIZE // 8


def is_full(error: sqlite3.Error) -> bool:
    """Whether SQLite ran out of disk space. Being unable to grow the journal's index (`-shm`) counts, too: it holds no
    data, so that is not a disk error."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


class Reserve:
    """`SIZE` bytes of disk space that no other file can take. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """The reserve beside the store at `path`; it may be incomplete. Raises OSError if the file cannot be made."""
        file = Path(f"{path}.reserve")
        made = not file.exists()
        self._file = open_private(file, path)
        if made:
            sync_folder(file.parent)
        self.is_whole = False
        self.make()

    def make(self) -> bool:
        """Fill up the reserve, or leave it if there is not enough space for all of it. True if it is complete now."""
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
        """Release a part of the reserve; False if nothing is left. In parts, since others may take the free space."""
        size = os.fstat(self._file).st_size
        if not size:
            return False
        os.ftruncate(self._file, max(0, size - _STEP))
        self.is_whole = False
        with suppress(OSError):  # its content does not matter
            os.fsync(self._file)  # some file systems free the space only then
        return True

    def close(self) -> None:
        os.close(self._file)
