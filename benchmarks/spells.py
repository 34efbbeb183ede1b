"""Spells of messages, alone and beside something else in turns: their percentiles, and how many times as long the
messages took. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, median
from typing import Any

from rich.table import Table

from benchmarks.figures import Latency

ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Spell:
    """Messages for some seconds, `beside` something. Latencies in seconds, each way; `answers`: of `/healthz`, which
    wait for the event loop as everything does. `cpu`: the daemon's share of a core; `bytes_per_s`: of all downloads;
    `memory` in MB."""

    beside: str
    to_irc: Sequence[float]
    to_matrix: Sequence[float]
    answers: Sequence[float]
    cpu: float = 0.0
    bytes_per_s: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True, slots=True)
class Way:
    """Latency one way, and the medians of how many times that of the spell before, which was alone, it was; 0 for what
    was alone itself."""

    latency: Latency
    p50_times: float
    p90_times: float

    def __str__(self) -> str:
        times = [f" ({times:.2f} x)" if times else "" for times in (self.p50_times, self.p90_times)]
        return f"{self.latency.p50:.0f}{times[0]}, {self.latency.p90:.0f}{times[1]}"


@dataclass(frozen=True, slots=True)
class Summary:
    """All spells beside one thing. `answers`: p50, p99 and the longest, in milliseconds."""

    to_irc: Way
    to_matrix: Way
    answers: tuple[float, float, float]
    cpu: float
    megabytes_per_s: float
    memory: float

    def json(self) -> dict[str, Any]:
        return asdict(self)


def summaries(spells: Sequence[Spell]) -> dict[str, Summary]:
    """By what they were beside. Each spell beside something follows one that is alone."""
    found: dict[str, Summary] = {}
    for beside in dict.fromkeys(spell.beside for spell in spells):
        pairs = [(spells[at - 1], spell) for at, spell in enumerate(spells) if spell.beside == beside]
        those = [spell for _, spell in pairs]
        found[beside] = Summary(
            _way(pairs, lambda spell: spell.to_irc),
            _way(pairs, lambda spell: spell.to_matrix),
            _answers(those),
            mean(spell.cpu for spell in those),
            mean(spell.bytes_per_s for spell in those) / 1e6,
            max(spell.memory for spell in those),
        )
    return found


def _way(pairs: Sequence[tuple[Spell, Spell]], taken: Callable[[Spell], Sequence[float]]) -> Way:
    latency = Latency.of([one for _, spell in pairs for one in taken(spell)])
    if pairs[0][1].beside == ALONE:
        return Way(latency, 0.0, 0.0)
    each = [(Latency.of(taken(alone)), Latency.of(taken(spell))) for alone, spell in pairs]
    return Way(latency, median(b.p50 / a.p50 for a, b in each), median(b.p90 / a.p90 for a, b in each))


def _answers(spells: Sequence[Spell]) -> tuple[float, float, float]:
    taken = sorted(one * 1000 for spell in spells for one in spell.answers)
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100], taken[-1]


def table(found: dict[str, Summary]) -> Table:
    made = Table("", *found)
    each = found.values()
    made.add_row("Matrix to IRC, p50 and p90, ms", *(str(one.to_irc) for one in each))
    made.add_row("IRC to Matrix, p50 and p90, ms", *(str(one.to_matrix) for one in each))
    made.add_row("/healthz, p50, p99, most, ms", *(", ".join(f"{ms:.1f}" for ms in one.answers) for one in each))
    made.add_row("downloads together, MB per second", *(f"{one.megabytes_per_s:.0f}" for one in each))
    made.add_row("daemon's share of a core", *(f"{one.cpu:.2f}" for one in each))
    made.add_row("resident memory, MB", *(f"{one.memory:.0f}" for one in each))
    return made
