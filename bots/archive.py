"""The archive: a bot that says nothing, and writes down what is said in its links, for training a brain later.

It is in a link only if the operator puts it there, and people are told so (`hears: all`). It has one file for each link
and day (UTC), with one message a line, so that a message that is removed is quickly taken out of its file.
"""

import asyncio
import json
import os
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import Field

from bots.api import Question, Said
from bridge.lib.files import make_folders, write_new
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict, LruSet
from bridge.lib.settings import FilePath, Section
from bridge.model.text import plain

log = structlog.get_logger()

_TEXT = 4000
"""Characters of a message; the rest is cut off."""
_WAITING = 10_000
"""Messages, and changes, that may wait to be written, such as while the disk is full. What comes then is not written;
removals are."""
_KNOWN = 50_000
"""Messages of which it is known in which file they are. Others are looked for in all files."""
_PAUSE_S = 10.0
"""Seconds between two looks at all files, or after the disk has refused."""
_DAY_S = 86_400.0
_TO_REMOVE = "removed.txt"
"""Ids of messages that have yet to be taken out: removals must outlast a crash."""
_TURN = threading.Lock()
"""One writes at a time: after a reload, there are two archives of one folder for a moment."""
_ID = re.compile(rb'^\{"id": "([^"]*)"', re.MULTILINE)


class Archive:
    """Writes `{"id", "time", "room", "who", "text"}` for each message that is carried, in `FOLDER/LINK/DAY.jsonl`."""

    hears_all = True

    class Settings(Section):
        """Where the archive is, and for how long."""

        folder: FilePath
        """The folder of the archive."""
        days: Annotated[int, Field(ge=1, le=36_500)] = 365
        """After so many days, what was said is forgotten."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._folder = settings.folder
        self._days = settings.days
        self._lines: deque[tuple[Question, str]] = deque()
        self._changes: dict[str, str | None] = {}  # the words of messages from now on; None: it was removed
        self._has_lines, self._has_changes = asyncio.Event(), asyncio.Event()
        self._files: LruDict[str, Path] = LruDict(_KNOWN)
        self._removed: LruSet[str] = LruSet(_KNOWN)
        self._left_out: LruSet[str] = LruSet(_KNOWN)
        self._swept = ""

    @property
    def announcement(self) -> str:
        """What people are told once in each link."""
        return (
            "I write down what members say here, so that a bot can learn from it later: until it is removed here, and"
            f" for {self._days} days at most. Who minds may ask an admin to change that."
        )

    async def answer(self, question: Question) -> Sequence[Said]:
        """Write it down; says nothing."""
        text = plain(question.text)[:_TEXT]
        is_public = question.link and question.carried and not question.private
        if is_public and text and len(self._lines) < _WAITING:
            self._left_out.discard(question.id)
            self._lines.append((question, text))
            self._has_lines.set()
        else:
            self._left_out.add(question.id)
        return ()

    def removed(self, message: str) -> None:
        """A message was removed. It may still be on its way to the archive."""
        self._removed.add(message)
        if message in self._left_out or self._changes.get(message, "") is None:
            return
        self._changes[message] = None
        self._has_changes.set()
        try:
            _note(self._folder / _TO_REMOVE, message)
        except OSError as error:
            log.error("archive_failed", reason=str(error), hint="a removal is lost if the bridge is killed right now")

    def edited(self, message: str, text: str) -> None:
        """A message has other words now."""
        is_new = message not in self._changes
        if message in self._left_out or message in self._removed or (is_new and len(self._changes) >= _WAITING):
            return
        self._changes[message] = text[:_TEXT]
        self._has_changes.set()

    async def run(self) -> None:
        """Write what comes, until cancelled; then write the rest. While the disk refuses, wait."""
        self._recall()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._write_lines())
                tasks.create_task(self._write_changes())
        finally:
            with suppress(OSError):
                self._write(self._changes)
                self._changes.clear()
                (self._folder / _TO_REMOVE).unlink(missing_ok=True)

    def _recall(self) -> None:
        """What was to be removed when the bridge was killed."""
        with suppress(OSError):
            for message in (self._folder / _TO_REMOVE).read_text(errors="replace").splitlines():
                self._removed.add(message)
                self._changes[message] = None
                self._has_changes.set()

    async def _write_lines(self) -> None:
        while True:
            await self._has_lines.wait()
            self._has_lines.clear()
            await self._written({})

    async def _write_changes(self) -> None:
        """A look at all files is made for all changes that wait: it takes a while."""
        while True:
            await self._has_changes.wait()
            self._has_changes.clear()
            changes = {**self._changes}
            await self._written(changes)
            self._changes = {each: text for each, text in self._changes.items() if changes.get(each, ...) != text}
            if not self._changes:
                with suppress(OSError):
                    (self._folder / _TO_REMOVE).unlink(missing_ok=True)
            if not all(each in self._files for each in changes):
                await asyncio.sleep(_PAUSE_S)

    async def _written(self, changes: Mapping[str, str | None]) -> None:
        while True:
            try:
                return await asyncio.to_thread(self._write, changes)
            except OSError as error:
                log.error("archive_failed", reason=str(error), hint="make room on the disk; what was said waits")
                await asyncio.sleep(_PAUSE_S)

    def _write(self, changes: Mapping[str, str | None]) -> None:
        """Write the lines that wait, then `changes`. Raises OSError; what was not written waits on."""
        with _TURN:
            while self._lines:
                try:
                    self._append(*self._lines[0])
                except (ValueError, OverflowError):  # of whatever a network lets through: the others must not wait
                    log.exception("archive_failed", hint="this message is not written down")
                self._lines.popleft()
            if changes:
                self._rewrite(changes)

    def _append(self, question: Question, text: str) -> None:
        day = datetime.fromtimestamp(question.time, UTC).date().isoformat()
        path = self._folder / _as_file(question.link) / f"{day}.jsonl"
        if self._swept != day:
            self._swept = day
            self._sweep(question.time)
        if question.id in self._removed:
            return
        who = question.user or question.asker.name
        line = {"id": question.id, "time": question.time, "room": str(question.room), "who": who, "text": text}
        make_folders(path.parent)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+b") as file:
            torn = file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + _as_line(line))
        self._files[question.id] = path

    def _rewrite(self, changes: Mapping[str, str | None]) -> None:
        """Take messages out of their files, or give them other words."""
        places = [self._files.peek(each) for each in changes]
        known = {place for place in places if place is not None}
        for path in self._folder.glob("*/*.jsonl") if None in places else known:
            if not path.exists() or changes.keys().isdisjoint(_ids(path)):
                continue
            kept = (_changed(line, changes) for line in read(path))
            _replace(path, b"".join(_as_line(line) for line in kept if line is not None))

    def _sweep(self, now: float) -> None:
        oldest = datetime.fromtimestamp(now - self._days * _DAY_S, UTC).date().isoformat()
        for path in self._folder.glob("*/*.jsonl"):
            if path.stem < oldest:
                path.unlink(missing_ok=True)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The messages in a file of the archive. Lines that are torn, or none of ours, are left out."""
    with suppress(FileNotFoundError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and isinstance(found.get("id"), str):
                    yield found


def _ids(path: Path) -> set[str]:
    """The ids of the messages in a file, without a look at the rest of it."""
    return {each.decode(errors="replace") for each in _ID.findall(path.read_bytes())}


def _as_line(line: Mapping[str, Any]) -> bytes:
    return (json.dumps(line, ensure_ascii=False) + "\n").encode(errors="replace")


def _note(path: Path, message: str) -> None:
    """Add a message to a private file of ids."""
    make_folders(path.parent)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
        file.write(f"{message}\n".encode(errors="replace"))


def _replace(path: Path, content: bytes) -> None:
    """Give the file another content, or, if it cannot be written, leave it as it is."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    write_new(beside, content)
    beside.replace(path)


def _changed(line: dict[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any] | None:
    if line["id"] not in changes:
        return line
    text = changes[line["id"]]
    return None if text is None else line | {"text": text}


def _as_file(link: str) -> str:
    """A name for the folder of a link."""
    safe = all(char.isalnum() or char in "-_" for char in link) and len(link) < 100
    return link if safe else digest(link)[:32]
