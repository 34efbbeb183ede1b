"""The audit log: who changed what, when; logins and failed attempts. Append-only, one JSON object per line."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bridge.users.contract import UsersError, UsersUnavailable

_LARGEST = 8 << 20
"""Bytes after which a new file is begun; the previous one is kept as `.1`, so that a year of it stays readable."""
_WORD = 500
"""Characters of a field at most: what people type is cut, so that a line fits in one write."""


@dataclass(frozen=True, slots=True)
class Record:
    """A line of the log: at `time` (seconds since the epoch) `by` did `what`; `details` never hold a secret."""

    time: float
    by: str
    what: str
    details: str


class Audit:
    """The audit log of the user database at `database`: a file beside it, of the same owner."""

    def __init__(self, database: Path, clock: Callable[[], float]) -> None:
        database = database.resolve()
        self.path = database.with_name(f"{database.stem}.audit.jsonl")
        self._database = database
        self._clock = clock

    def record(self, by: str, what: str, details: str) -> None:
        """Append a line; it is on disk when this returns. Raises UsersError or UsersUnavailable, and adds nothing, if
        that fails."""
        line = line_of(self._clock(), by, what, details)
        data = (json.dumps(line, ensure_ascii=True) + "\n").encode()
        try:
            self._append(data)
        except PermissionError as error:
            owner = self.path.stat().st_uid if self.path.exists() else self._database.parent.stat().st_uid
            raise UsersError(
                f"{self.path}: cannot be written, nothing was changed: run this command as user {owner}, or as root"
            ) from error
        except OSError as error:
            raise UsersUnavailable(f"{self.path}: cannot be written, nothing was changed: {error.strerror}") from error

    def read(self) -> Iterator[Record]:
        """All kept records, oldest first. Broken lines (from a power cut or a full disk) are left out."""
        yield from filter(None, map(_record, self.lines()))

    def lines(self) -> Iterator[str]:
        """The lines as they are in the files, oldest first."""
        for path in (self._older, self.path):
            if path.exists():
                with path.open(encoding="utf-8", errors="replace") as lines:
                    yield from (line.rstrip("\n") for line in lines)

    @property
    def _older(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    def _append(self, data: bytes) -> None:
        handle = self._open()
        try:
            before = os.fstat(handle).st_size
            if before and os.pread(handle, 1, before - 1) != b"\n":
                data = b"\n" + data  # after a line cut off by a power cut
            try:
                written = os.write(handle, data)
                if written < len(data):
                    raise OSError(28, "no space left on device")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)
        if before + len(data) > _LARGEST:
            with suppress(OSError):  # the line is written; the file grows until it can be moved
                self.path.rename(self._older)

    def _open(self) -> int:
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if os.geteuid() == 0 and self._database.exists():
            model = self._database.stat()
            os.fchown(handle, model.st_uid, model.st_gid)
        return handle


def line_of(time: float, by: str, what: str, details: str) -> Mapping[str, str]:
    """A line of the log, for `time` (seconds since the epoch)."""
    stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    return {"time": stamp, "by": by[:_WORD], "what": what[:_WORD], "details": details[:_WORD]}


def _record(line: str) -> Record | None:
    try:
        found = json.loads(line)
        time = datetime.fromisoformat(found["time"]).timestamp()
        return Record(time, str(found["by"]), str(found["what"]), str(found["details"]))
    except (ValueError, KeyError, TypeError):
        return None
