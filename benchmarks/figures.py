"""The results of a benchmark: percentiles, what became of numbered lines, and the table of all."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Any

from rich.table import Column, Table

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
    """One run. `cpu` is the daemon's CPU milliseconds a message, one at a time; memory is in MB."""

    samples: int
    lines: int
    latency: dict[str, Latency]
    burst: dict[str, Burst]
    cpu: float
    memory_at_start: float
    memory: float

    def json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def whole(self) -> bool:
        return all(burst.whole for burst in self.burst.values())

    def table(self) -> Table:
        """The ways side by side; a latency has its ratio to the first way's."""
        ways = list(self.latency)
        base = self.latency[ways[0]]
        table = Table(*(Column(title, no_wrap=True) for title in ("", *ways)))

        def row(title: str, cells: Iterable[str]) -> None:
            table.add_row(title, *cells)

        row("p50, ms", (f"{way.p50:.1f}  ({way.p50 / base.p50:.2f} x)" for way in self.latency.values()))
        row("p90, ms", (f"{way.p90:.1f}  ({way.p90 / base.p90:.2f} x)" for way in self.latency.values()))
        bursts = [self.burst[way] for way in ways]
        table.add_section()
        row(f"{self.lines} lines at once, per second", (f"{burst.per_second:.1f}" for burst in bursts))
        row("  lost", (str(burst.lost) for burst in bursts))
        row("  doubled", (str(burst.doubled) for burst in bursts))
        row("  in order", ("yes" if burst.in_order else "NO" for burst in bursts))
        row("  arrived in messages", (str(burst.posts) for burst in bursts))
        row("  daemon's CPU a line, ms", ("", *(f"{burst.cpu:.2f}" for burst in bursts[1:])))
        table.add_section()
        row("CPU a message, one at a time, ms", ("", f"{self.cpu:.2f}", "(both ways together)"))
        row("resident memory, MB", ("", f"{self.memory:.1f}", f"({self.memory_at_start:.1f} at the start)"))
        return table
