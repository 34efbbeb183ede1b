"""The archive: a bot that says nothing, and writes down what is said in its links, for training a brain later.

It is in a link only if the operator puts it there, and people are told so (`hears: all`). It has one file for each link
and day (UTC), with one message a line, so that a message that is removed is quickly taken out of its file.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

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
"""Messages that may wait to be written, such as while the disk is full. What comes then is not written."""
_KNOWN = 50_000
"""Messages of which it is known in which file they are. Others are looked for in all files."""
_PAUSE_S = 10.0
_DAY_S = 86_400.0


class Archive:
    """Writes `{"id", "time", "room", "who", "text"}` for each message that is carried, in `FOLDER/LINK/DAY.jsonl`."""

    hears_all = True

    class Settings(Section):
        """Where the archive is, and for how long."""

        folder: FilePath
        """The folder of the archive."""
        days: int = 365
        """After so many days, what was said is forgotten."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self._folder = settings.folder
        self._days = settings.days
        self._steps: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._files: LruDict[str, Path] = LruDict(_KNOWN)
        self._removed: LruSet[str] = LruSet(_KNOWN)
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
        if is_public and text and self._steps.qsize() < _WAITING:
            self._steps.put_nowait(lambda: self._append(question, text))
        return ()

    def removed(self, message: str) -> None:
        """A message was removed. It may still be on its way to the archive."""
        self._removed.add(message)
        self._steps.put_nowait(lambda: self._rewrite(message, None))

    def edited(self, message: str, text: str) -> None:
        """A message has other words now."""
        self._steps.put_nowait(lambda: self._rewrite(message, text[:_TEXT]))

    async def run(self) -> None:
        """Write what waits, one after the other, until cancelled; then write the rest. While the disk refuses, wait."""
        try:
            while True:
                await self._written(await self._steps.get())
        finally:
            with suppress(OSError):
                while not self._steps.empty():
                    self._steps.get_nowait()()

    async def _written(self, step: Callable[[], None]) -> None:
        while True:
            try:
                return await asyncio.to_thread(step)
            except OSError as error:
                log.error("archive_failed", reason=str(error), hint="make room on the disk; what was said waits")
                await asyncio.sleep(_PAUSE_S)

    def _append(self, question: Question, text: str) -> None:
        day = datetime.fromtimestamp(question.time, UTC).date().isoformat()
        path = self._folder / _as_file(question.link) / f"{day}.jsonl"
        if self._swept != day:
            self._swept = day
            self._sweep(question.time)
        who = question.user or question.asker.name
        line = {"id": question.id, "time": question.time, "room": str(question.room), "who": who, "text": text}
        if question.id in self._removed:
            return
        make_folders(path.parent)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._files[question.id] = path

    def _rewrite(self, message: str, text: str | None) -> None:
        """Take a message out of its file, or give it other words."""
        known = self._files.peek(message)
        for path in [known] if known is not None else sorted(self._folder.glob("*/*.jsonl"), reverse=True):
            if not path.exists() or message.encode() not in path.read_bytes():
                continue
            lines = list(read(path))
            if any(line["id"] == message for line in lines):
                kept = (_changed(line, message, text) for line in lines)
                said = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept if line is not None)
                _replace(path, said)
                return

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


def _replace(path: Path, text: str) -> None:
    """Give the file another content, or, if it cannot be written, leave it as it is."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    write_new(beside, text.encode(errors="replace"))
    beside.replace(path)


def _changed(line: dict[str, Any], message: str, text: str | None) -> dict[str, Any] | None:
    if line["id"] != message:
        return line
    return None if text is None else line | {"text": text}


def _as_file(link: str) -> str:
    """A name for the folder of a link."""
    safe = all(char.isalnum() or char in "-_" for char in link) and len(link) < 100
    return link if safe else digest(link)[:32]
