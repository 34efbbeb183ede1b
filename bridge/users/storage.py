"""The file of the user database: written atomically, locked between processes, and its owner never changes."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from tinydb.storages import Storage

from bridge.lib.files import not_ours, sync_folder, write_all, write_new
from bridge.users import layout
from bridge.users.contract import UsersError, UsersUnavailable
from bridge.users.layout import Tables

_PATIENCE = 10.0  # seconds to wait for the lock; other processes hold it for milliseconds

Stamp = tuple[int, int, int]


class Held(Storage):
    """A TinyDB storage in memory: collects the changes to `tables`, which are written to a file afterwards."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def read(self) -> Tables:
        return self.tables

    def write(self, data: Tables) -> None:
        self.tables = data


class AtomicFile:
    """A file that is replaced atomically: new content is on disk first. Keeps the old file's owner and mode."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # if `path` is a link, its target is written, and the link stays
        self._lock = Path(f"{self.path}.lock")

    def stamp(self) -> Stamp:
        """A value that changes when the file is written; cheap."""
        try:
            found = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def read(self) -> Tables:
        """Read all tables. Raises UsersError if the file is missing, unreadable or broken; never changes it."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise self._missing() from error
        except PermissionError as error:
            raise UsersError(f"{self.path}: {not_ours(self.path)}") from error
        except (OSError, UnicodeDecodeError) as error:
            raise UsersError(f"{self.path}: the user database cannot be read: {_reason(error)}") from error
        try:
            return layout.parse(text)
        except (ValueError, RecursionError) as error:
            place = f"{error.lineno}:{error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else error
            raise UsersError(
                f"{self.path}:{place}: the user database is broken; mend it or restore a backup"
            ) from error
        except TypeError as error:
            raise UsersError(f"{self.path}: {error}") from error

    def write(self, data: Tables) -> None:
        """Replace the file's content with `data`. Raises UsersError, and keeps the old file, if that fails."""
        content = layout.written(data).encode()
        with self._told("cannot be written, nothing was changed"):
            self._replace(content)

    def make_folder(self) -> None:
        """Make the file's folder if it is missing; root gives it to the owner of the parent folder."""
        missing = [folder for folder in self.path.parents if not folder.exists()]
        with self._told("its folder cannot be made"):
            for folder in reversed(missing):
                folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(folder.parent)
                if os.geteuid() == 0:
                    owner = folder.parent.stat()
                    os.chown(folder, owner.st_uid, owner.st_gid)

    def move_aside(self, ending: str) -> Path:
        """Rename the file to end in `.ending`, without overwriting another; returns the new path. Raises UsersError if
        the file is missing."""
        if not self.path.exists():
            raise UsersError(f"{self.path}: there is no user database")
        with self.locked(), self._told("cannot be moved"):
            kept = self._beside(ending)
            self.path.rename(kept)
        return kept

    def replace_by(self, source: Path, ending: str) -> Path | None:
        """Replace the file with the content of `source`; returns the path of the old file's copy, named as in
        `move_aside` (None if there was no file)."""
        content = AtomicFile(source).content()
        self.make_folder()
        with self.locked(), self._told("cannot be written, nothing was changed"):
            kept = self._beside(ending) if self.path.exists() else None
            if kept is not None:
                write_new(kept, self.path.read_bytes())
            self._replace(content)
        return kept

    def content(self) -> bytes:
        """The file's content. Raises UsersError if it cannot be read."""
        if not self.path.exists():
            raise self._missing()
        with self._told("cannot be read"):
            return self.path.read_bytes()

    def _missing(self) -> UsersError:
        return UsersError(f"{self.path}: there is no user database; make one with `quackbridge init-db`")

    def _beside(self, ending: str) -> Path:
        """An unused name beside the file."""
        name, number = self.path.with_name(f"{self.path.name}.{ending}"), 1
        while name.exists():
            number += 1
            name = self.path.with_name(f"{self.path.name}.{number}.{ending}")
        return name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock between processes. Raises UsersUnavailable if another holds it for `_PATIENCE` seconds."""
        lock = FileLock(self._lock, timeout=_PATIENCE, mode=0o600)
        with self._told("cannot be locked"):
            self._make_lock()
            try:
                lock.acquire()
            except Timeout as error:
                raise UsersUnavailable(f"{self.path}: another process has locked it for {_PATIENCE:.0f} s") from error
        try:
            yield
        finally:
            lock.release()

    def _replace(self, content: bytes) -> None:
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)  # left by a killed process: the writer holds the lock
        handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            try:
                self._dress(handle)
                write_all(handle, content)
                os.fsync(handle)
            finally:
                os.close(handle)
            new.rename(self.path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        sync_folder(self.path.parent)  # else a power cut could bring the old file back

    def _dress(self, handle: int) -> None:
        """Give a new file the owner, group and mode of the one that it replaces. If there is none, root gives it to the
        owner of the folder, so that the daemon's user is not locked out."""
        try:
            model = self.path.stat()
        except FileNotFoundError:
            if os.geteuid() == 0:
                _give(handle, self.path.parent.stat())
            return
        try:
            _give(handle, model)
        except PermissionError as error:
            raise UsersError(
                f"{self.path}: it would become yours, and its owner might be locked out:"
                f" run this command as user {model.st_uid}, or as root"
            ) from error
        os.fchmod(handle, model.st_mode & 0o7777)

    def _make_lock(self) -> None:
        """As root, make the lock file, and give it to the owner of the database. For others, `FileLock` makes it."""
        if os.geteuid() != 0:
            return
        with suppress(FileExistsError):
            handle = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                _give(handle, (self.path if self.path.exists() else self.path.parent).stat())
            finally:
                os.close(handle)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise UsersError(f"{self.path}: {what}: {_reason(error)}") from error
        except OSError as error:
            raise UsersUnavailable(f"{self.path}: {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _give(handle: int, model: os.stat_result) -> None:
    mine = os.fstat(handle)
    if (mine.st_uid, mine.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(handle, model.st_uid, model.st_gid)
