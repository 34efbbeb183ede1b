"""The file of the user database: written whole or not at all, locked between processes, kept its owner's."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tinydb.storages import Storage

from bridge.users.contract import UsersError

_PATIENCE = 10.0  # seconds to wait for another process, which holds the lock for milliseconds

Tables = dict[str, dict[str, Any]]


class AtomicFile(Storage):
    """A TinyDB storage. What is written is on disk before it takes the old file's place, with its owner and mode."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Tables:
        """All tables. UsersError where the file is missing, cannot be read, or is broken; it is never changed here."""
        try:
            text = self.path.read_text()
        except FileNotFoundError as error:
            raise UsersError(f"{self.path}: there is no user database; make one with `quackbridge init-db`") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsersError(f"{self.path}: the user database cannot be read: {error}") from error
        try:
            tables = json.loads(text)
        except ValueError as error:
            place = f"{error.lineno}:{error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else error
            raise UsersError(
                f"{self.path}:{place}: the user database is broken; mend it or restore a backup"
            ) from error
        if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
            raise UsersError(f"{self.path}: this is not a user database")
        return tables

    def write(self, data: Tables) -> None:
        """Put `data` in the file's place. UsersError, and the old file stays, where that fails."""
        content = json.dumps(data, ensure_ascii=False, indent=1).encode()
        try:
            self._replace(content)
        except OSError as error:
            raise UsersError(f"{self.path}: cannot be written, nothing was changed: {error}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock between processes. UsersError where another holds it for long."""
        lock = Path(f"{self.path}.lock")
        if not lock.exists() and lock.parent.exists():
            self._make_lock(lock)
        try:
            with FileLock(lock, timeout=_PATIENCE, mode=0o600):
                yield
        except Timeout as error:
            raise UsersError(f"{self.path}: another process has kept it locked for {_PATIENCE:.0f} s") from error
        except PermissionError as error:
            raise UsersError(f"{self.path}: you may not change it: {error}") from error

    def _replace(self, content: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            try:
                self._dress(handle)
                _write_all(handle, content)
                os.fsync(handle)
            finally:
                os.close(handle)
            Path(name).rename(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # else a power cut could bring the old file back
        finally:
            os.close(folder)

    def _dress(self, handle: int) -> None:
        """Give a new file the owner, group and mode of the one whose place it takes; root gives a first one to whoever
        owns the folder, so that the daemon's own user is not locked out."""
        try:
            model = self.path.stat()
        except FileNotFoundError:
            _give(handle, self.path.parent.stat())
            return
        _give(handle, model)
        os.fchmod(handle, model.st_mode & 0o7777)

    def _make_lock(self, lock: Path) -> None:
        try:
            handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except (FileExistsError, PermissionError):
            return
        try:
            _give(handle, (self.path if self.path.exists() else self.path.parent).stat())
        finally:
            os.close(handle)


def _give(handle: int, model: os.stat_result) -> None:
    mine = os.fstat(handle)
    if (mine.st_uid, mine.st_gid) == (model.st_uid, model.st_gid):
        return
    if os.geteuid() == 0 or mine.st_uid == model.st_uid:
        os.fchown(handle, model.st_uid, model.st_gid)


def _write_all(handle: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(handle, view) :]
