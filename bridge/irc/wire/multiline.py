"""Messages of several lines (https://ircv3.net/specs/extensions/multiline): what a server takes, and what it sends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bridge.irc.wire.line import Line, Source

CAPABILITY = BATCH_TYPE = "draft/multiline"
CONCAT_TAG = "draft/multiline-concat"
_MOST_OPEN = 20
"""Most batches that are open at once, though a server may never end them."""
_MOST_LINES = 500
_MOST_BYTES = 16 * 1024
"""Of one message that is received: some times what Ergo allows. A longer one becomes several messages."""
_WITHIN_S = 30.0
"""Seconds after which a batch that is not ended is given up: what came of it is heard."""
_MOST_TAKEN = 1_000_000
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the server takes in one batch: `size` bytes of text, line ends included, in so many `lines`."""

    size: int
    lines: int

    @classmethod
    def of(cls, value: str | None) -> "Capacity | None":
        """Read the value of the capability: `max-bytes=4096,max-lines=100`. None if it makes no sense."""
        pairs = dict(pair.partition("=")[::2] for pair in (value or "").split(","))
        size = _number(pairs.get("max-bytes", ""))
        lines = _number(pairs.get("max-lines", "")) if "max-lines" in pairs else _MOST_LINES
        return cls(size, min(lines, _MOST_LINES)) if size and lines else None


@dataclass(slots=True)
class _Batch:
    opened: Line
    since: float
    source: Source
    command: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    parts: list[str] = field(default_factory=list)
    lines: int = 0
    size: int = 0

    @property
    def target(self) -> str:
        return self.opened.param(2)

    def takes(self, line: Line) -> bool:
        same = line.command == self.command if self.command else line.command in ("PRIVMSG", "NOTICE")
        return same and line.param(0).lower() == self.target.lower()

    @property
    def is_full(self) -> bool:
        return self.lines >= _MOST_LINES or self.size >= _MOST_BYTES

    def add(self, line: Line) -> None:
        if not self.command:
            self.command, self.tags = line.command, {**line.tags, **self.opened.tags}
            self.source = self.source if line.is_of_server else line.source  # in a history, a server opens the batch
        elif self.parts and CONCAT_TAG not in line.tags:
            self.parts.append("\n")
        self.parts.append(line.param(1))
        self.lines += 1
        self.size += len(line.param(1).encode(errors="replace")) + 1

    def message(self) -> Line | None:
        """All of it as one line whose text has line ends; None if there is nothing."""
        if not self.command:
            return None
        outer = self.opened.tags.get("batch")
        tags = {name: value for name, value in self.tags.items() if name not in ("batch", CONCAT_TAG)}
        if outer is not None:
            tags["batch"] = outer
        return Line(self.command, (self.target, "".join(self.parts)), self.source, tags)

    def restart(self) -> None:
        """Begin the next message of a batch that is too long. It is another one: the id was that of the first."""
        self.tags = {name: value for name, value in self.tags.items() if name not in ("msgid", "label")}
        self.parts, self.lines, self.size = [], 0, 0


class Assembly:
    """Holds the lines of multiline batches back until they are whole. Sans I/O. Bounded: see the limits above."""

    def __init__(self) -> None:
        self._open: dict[str, _Batch] = {}

    def heard(self, line: Line, now: float) -> Iterator[Line]:
        """The lines to handle now that `line` came: itself, nothing, or a whole message."""
        reference = line.param(0)
        if line.command == "BATCH" and reference.startswith("+") and line.param(1) == BATCH_TYPE:
            if (former := self._open.pop(reference[1:], None)) is not None:
                yield from _whole(former)
            if len(self._open) < _MOST_OPEN:
                self._open[reference[1:]] = _Batch(line, now, line.source)
            return
        if line.command == "BATCH" and reference.startswith("-") and reference[1:] in self._open:
            yield from _whole(self._open.pop(reference[1:]))
            return
        batch = self._open.get(line.tags.get("batch", ""))
        if batch is None or not batch.takes(line):
            yield line
            return
        if batch.is_full:
            yield from _whole(batch)
            batch.restart()
        batch.add(line)

    def overdue(self, now: float) -> Iterator[Line]:
        """What came of batches that were not ended in time."""
        for reference, batch in [*self._open.items()]:
            if now - batch.since > _WITHIN_S:
                del self._open[reference]
                yield from _whole(batch)


def _whole(batch: _Batch) -> Iterator[Line]:
    message = batch.message()
    if message is not None:
        yield message


def _number(text: str) -> int:
    return min(int(text), _MOST_TAKEN) if text.isdecimal() and len(text) <= _DIGITS else 0
