"""Batches (https://ircv3.net/specs/extensions/batch): which lines are history, or answer a label."""

from dataclasses import dataclass

from bridge.irc.wire.line import Line

_MOST = 100
_LAST = "draft/chathistory-end"
_REPLAYS = ("chathistory", "znc.in/playback")
"""Types of batches that replay history (IRCv3 chathistory; ZNC)."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """`channel`: whose history the batch is, if it is history. A batch inside a history is part of it: of the same kind
    and channel. `is_inner`: it is inside another; `is_part`: of a history. `is_last`: the server says that it is the
    last page of its history."""

    kind: str = ""
    label: str = ""
    channel: str = ""
    is_inner: bool = False
    is_part: bool = False
    is_last: bool = False

    @property
    def is_history(self) -> bool:
        return self.kind in _REPLAYS


_NONE = OpenBatch()


class Batches:
    """The open batches. Sans I/O. Keeps `_MOST` at most, since a server may never end them."""

    def __init__(self) -> None:
        self._open: dict[str, OpenBatch] = {}

    def around(self, line: Line) -> OpenBatch:
        """The batch that `line` is in; an empty one if it is in none."""
        return self._open.get(line.tags.get("batch", ""), _NONE)

    def label(self, line: Line) -> str:
        """The label that a line answers: its own, or that of the batch that it is in."""
        return line.tags.get("label") or self.around(line).label

    def begun(self, line: Line) -> OpenBatch | None:
        """BATCH +reference: open a batch. None if the line opens none, or too many are open."""
        reference, kind = line.param(0), line.param(1)
        if not reference.startswith("+") or len(self._open) >= _MOST:
            return None
        outer = self.around(line)
        batch = OpenBatch(
            outer.kind if outer.is_history else kind,
            line.tags.get("label") or outer.label,
            outer.channel if outer.is_history else line.param(2),
            is_inner="batch" in line.tags,
            is_part=outer.is_history,
            is_last=_LAST in line.tags,
        )
        self._open[reference[1:]] = batch
        return batch

    def ended(self, line: Line) -> OpenBatch | None:
        """BATCH -reference: close a batch. None if the line closes none that we know."""
        reference = line.param(0)
        return self._open.pop(reference[1:], None) if reference.startswith("-") else None
