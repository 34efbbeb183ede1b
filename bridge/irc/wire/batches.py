"""Batches (https://ircv3.net/specs/extensions/batch): which lines are history, or answer a label."""

from dataclasses import dataclass

from bridge.irc.wire.line import Line

_MOST = 100
_REPLAYS = ("chathistory", "znc.in/playback")
"""Batches of what was said before (IRCv3 chathistory; ZNC)."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """`channel` is whose history it is, where it is one; a batch in a batch is of the outer one's kind."""

    kind: str = ""
    label: str = ""
    channel: str = ""

    @property
    def is_history(self) -> bool:
        return self.kind in _REPLAYS


_NONE = OpenBatch()


class Batches:
    """Sans I/O. Of those that a server never ends, some are remembered."""

    def __init__(self) -> None:
        self._open: dict[str, OpenBatch] = {}

    def around(self, line: Line) -> OpenBatch:
        """The batch that `line` is in; an empty one where it is in none."""
        return self._open.get(line.tags.get("batch", ""), _NONE)

    def label(self, line: Line) -> str:
        """The label that a line answers: its own, or that of the batch that it is in."""
        return line.tags.get("label") or self.around(line).label

    def begun(self, line: Line) -> OpenBatch | None:
        """BATCH +reference; None where it is not the beginning of one."""
        reference, kind = line.param(0), line.param(1)
        if not reference.startswith("+") or len(self._open) >= _MOST:
            return None
        outer = self.around(line)
        batch = OpenBatch(
            outer.kind if outer.is_history else kind, line.tags.get("label") or outer.label, line.param(2)
        )
        self._open[reference[1:]] = batch
        return batch

    def ended(self, line: Line) -> OpenBatch | None:
        """BATCH -reference; None where it is not the end of one that we know."""
        reference = line.param(0)
        return self._open.pop(reference[1:], None) if reference.startswith("-") else None
