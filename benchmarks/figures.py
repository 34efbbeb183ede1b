"""The results of a benchmark: percentiles, what became of numbered lines, and the table of all."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from rich.table import Column, Table

DIRECT, TO_IRC, TO_MATRIX = "Matrix, direct", "Matrix to IRC", "IRC to Matrix"
SEALED = {way: f"{way} (encrypted)" for way in (TO_IRC, TO_MATRIX)}
"""The same ways through an encrypted room. Their names are in what is said: with a comma, it might address somebody."""
FACED = {TO_IRC: f"{TO_IRC} (a puppet)", TO_MATRIX: f"{TO_MATRIX} (a ghost)"}
"""The same ways where who speaks has a face of their own on the other side."""
WAYS = (DIRECT, TO_IRC, TO_MATRIX, *SEALED.values(), *FACED.values())

_NUMBERED = re.compile(r"line (\d+)\b")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from saying to hearing."""

    p50: float
    p90: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        tenths = quantiles(seconds, n=10, method="inclusive")
        return cls(tenths[4] * 1000, tenths[8] * 1000)


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of many lines said at once. `per_second` counts from saying the first to hearing the last; `posts` is
    how many messages they arrived in; `cpu` is the daemon's CPU milliseconds a line."""

    per_second: float
    lost: int
    doubled: int
    in_order: bool
    posts: int
    cpu: float

    @classmethod
    def of(cls, count: int, texts: Sequence[str], seconds: float, cpu: float) -> "Burst":
        """`texts`: the messages heard, in order. The lines are numbered from 0."""
        numbers = [int(number) for text in texts for number in _NUMBERED.findall(text)]
        heard = Counter(numbers)
        first = list(dict.fromkeys(numbers))
        doubled = sum(heard.values()) - len(heard)
        return cls(count / seconds, count - len(heard), doubled, first == sorted(first), len(texts), cpu * 1000 / count)

    @property
    def whole(self) -> bool:
        return not self.lost and not self.doubled and self.in_order


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. `cpu` is the daemon's CPU milliseconds a message, one at a time, each way; memory is in MB."""

    samples: int
    lines: int
    latency: dict[str, Latency]
    burst: dict[str, Burst]
    cpu: dict[str, float]
    memory_at_start: float
    memory: float

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def whole(self) -> bool:
        return all(burst.whole for burst in self.burst.values())

    def tables(self) -> Iterator[Table]:
        """The plain ways side by side, each latency with its ratio to the direct one's; then the encrypted room, and
        the room with puppets and ghosts, with ratios to the plain one."""
        plain = (TO_IRC, TO_MATRIX)
        base = dict.fromkeys((DIRECT, *plain), DIRECT)
        yield self._table("", base, f"{self.memory:.1f} ({self.memory_at_start:.1f} at the start)")
        yield self._table("in an encrypted room, beside the plain one", {SEALED[way]: way for way in plain})
        yield self._table("with a face of one's own, beside the mark", {FACED[way]: way for way in plain})

    def _table(self, title: str, base: Mapping[str, str], memory: str = "") -> Table:
        """The ways of `base`, and those that each is compared with."""
        table = Table(*(Column(head, no_wrap=True) for head in ("", *base)), title=title)
        bursts = [self.burst[way] for way in base]

        def row(title: str, cells: Iterable[str]) -> None:
            table.add_row(title, *cells)

        row("p50, ms", (_times(self.latency[way].p50, self.latency[other].p50) for way, other in base.items()))
        row("p90, ms", (_times(self.latency[way].p90, self.latency[other].p90) for way, other in base.items()))
        row("CPU a message, one at a time, ms", (self._cpu(way, other) for way, other in base.items()))
        table.add_section()
        row(f"{self.lines} lines at once, per second", (f"{burst.per_second:.1f}" for burst in bursts))
        row("  lost", (str(burst.lost) for burst in bursts))
        row("  doubled", (str(burst.doubled) for burst in bursts))
        row("  in order", ("yes" if burst.in_order else "NO" for burst in bursts))
        row("  arrived in messages", (str(burst.posts) for burst in bursts))
        row("  daemon's CPU a line, ms", (f"{self.burst[way].cpu:.2f}" if way != DIRECT else "" for way in base))
        if memory:
            table.add_section()
            row("resident memory, MB", ("", memory))
        return table

    def _cpu(self, way: str, other: str) -> str:
        """What a bridge that carries nothing uses in that time is in the first way."""
        if way == DIRECT:
            return f"({self.cpu[way]:.2f} without)"
        more = "" if other == DIRECT else f"  ({self.cpu[way] - self.cpu[other]:+.2f})"
        return f"{self.cpu[way]:.2f}{more}"


def _times(this: float, other: float) -> str:
    return f"{this:.1f}  ({this / other:.2f} x)"
