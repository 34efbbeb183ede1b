"""The user database and its audit log where several machines share them, in place of files."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from bridge.lib.files import write_new
from bridge.users import layout
from bridge.users.audit import Audit, line_of
from bridge.users.contract import UsersError, UsersUnavailable
from bridge.users.layout import Tables
from bridge.users.storage import AtomicFile, Stamp


class SharedText(Protocol):
    """One text, and the lines of a log, that all machines see. Each method raises OSError, with the reason in words,
    if they cannot be reached. Any thread may call."""

    name: str
    """What it is called in messages."""

    def revision(self) -> int:
        """A number that changes with the text; 0: there is none."""
        ...

    def read(self) -> str | None: ...

    def write(self, text: str) -> None:
        """Replace the text, when the context of `locked` ends."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """All that is written and appended in the context is there at its end, or nothing is; nobody else writes
        meanwhile."""
        ...

    def append(self, line: str) -> None: ...

    def lines(self) -> Iterator[str]: ...


class Slips(Protocol):
    """Short-lived slips of paper that all machines see; each kind has its own names, and as many as it may. Raises
    OSError, as `SharedText` does."""

    def keep(self, kind: str, name: str, body: str, until: float, now: float) -> None:
        """Keep a slip `until` then; forget those that have run out `now` (seconds since the epoch)."""
        ...

    def find(self, kind: str, name: str) -> tuple[str, float] | None:
        """The body of a slip, and until when it is kept."""
        ...

    def drop(self, kind: str, name: str) -> None: ...


class SharedFile:
    """What `bridge.users.storage.AtomicFile` is for a file."""

    def __init__(self, text: SharedText) -> None:
        self._text = text
        self.path = text.name

    def stamp(self) -> Stamp:
        """A value that changes when the database is written."""
        with self._told("cannot be read"):
            return (self._text.revision(), 0, 0)

    def read(self) -> Tables:
        """Read all tables. Raises UsersError if they are missing or broken."""
        with self._told("cannot be read"):
            text = self._text.read()
        if text is None:
            raise UsersError(f"{self.path}: there is no user database; make one with `quackbridge init-db`")
        try:
            return layout.parse(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise UsersError(f"{self.path}: the user database is broken; restore a backup ({error})") from error

    def write(self, data: Tables) -> None:
        """Replace the content with `data`. Raises UsersError, and keeps the old, if that fails."""
        with self._told():
            self._text.write(layout.written(data))

    def content(self) -> bytes:
        """The content, as a file would have it."""
        return layout.written(self.read()).encode()

    def replace_by(self, source: Path, ending: str) -> Path | None:
        """Replace the database with the content of `source`; returns the file with what was there before, which ends
        in `.ending` and is beside the `source` (None if there was none)."""
        new = AtomicFile(source).read()
        with self.locked():
            kept = None
            if self.stamp()[0]:
                kept = source.with_name(f"users-before.{ending}")
                write_new(kept, self.content())
            self.write(new)
        return kept

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let nobody else write. Raises UsersUnavailable if others do not let go, or the database is not reached."""
        with self._told(), self._text.locked():
            yield

    @contextmanager
    def _told(self, what: str = "nothing was changed") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsersUnavailable(f"{self.path}: {what}: {error}") from error


def file_of(place: Path | SharedText) -> AtomicFile | SharedFile:
    """The user database at `place`, as one file."""
    return AtomicFile(place) if isinstance(place, Path) else SharedFile(place)


class SharedAudit(Audit):
    """The audit log beside a shared database."""

    def __init__(self, text: SharedText, clock: Callable[[], float]) -> None:
        self._text = text
        self._clock = clock

    def record(self, by: str, what: str, details: str) -> None:
        """Append a line. Raises UsersUnavailable, and adds nothing, if that fails."""
        try:
            self._text.append(json.dumps(line_of(self._clock(), by, what, details), ensure_ascii=True))
        except OSError as error:
            raise UsersUnavailable(f"{self._text.name}: nothing was changed: {error}") from error

    def lines(self) -> Iterator[str]:
        """The lines, oldest first."""
        return self._text.lines()
