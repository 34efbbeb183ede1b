"""What became of numbered messages: a set-full checker (as Jepsen's), for one direction. Pure: no clock, no network."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Said:
    """A number that was said. `at` is when it was first said and `acked` when its server acknowledged it, in seconds of
    one clock; None where it never did. `times` is how often it was said to a server that would not dedupe it."""

    number: int
    at: float
    acked: float | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """A number as it arrived on the other side."""

    number: int
    at: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`first` and `whole` are the seconds from the return of what was away to the first arrival, and to the arrival of
    all that had been said before it; None where there was no return, or nothing after it."""

    owed: int
    lost: tuple[int, ...]
    doubled: tuple[int, ...]
    """Each number as often as it came beyond what was said."""
    out_of_order: tuple[int, ...]
    first: float | None
    whole: float | None

    def __str__(self) -> str:
        faults = (("lost", self.lost), ("doubled", self.doubled), ("out of order", self.out_of_order))
        counts = ", ".join(f"{len(found)} {name}{_some(found)}" for name, found in faults)
        return f"{self.owed} owed, {counts}; first after {_seconds(self.first)}, all after {_seconds(self.whole)}"


def check(said: Iterable[Said], seen: Sequence[Seen], back: float | None = None) -> Verdict:
    """Judge one direction. `seen` in the order of arrival; `back` is when what was away had returned."""
    spoken = {one.number: one for one in said}
    arrivals: dict[int, float] = {}
    for one in seen:
        arrivals.setdefault(one.number, one.at)
    owed = [one for one in spoken.values() if one.acked is not None]
    late = [one.at for one in seen if back is not None and one.at >= back]
    return Verdict(
        owed=len(owed),
        lost=tuple(sorted(one.number for one in owed if one.number not in arrivals)),
        doubled=_doubled(spoken, seen),
        out_of_order=_out_of_order(arrivals),
        first=late[0] - back if back is not None and late else None,
        whole=_whole(owed, arrivals, back),
    )


def _doubled(spoken: dict[int, Said], seen: Sequence[Seen]) -> tuple[int, ...]:
    allowed = Counter({number: one.times for number, one in spoken.items()})
    return tuple(sorted((Counter(one.number for one in seen) - allowed).elements()))


def _out_of_order(arrivals: dict[int, float]) -> tuple[int, ...]:
    """The numbers that first arrived behind a higher one."""
    found, highest = [], -1
    for number in arrivals:
        if number < highest:
            found.append(number)
        highest = max(highest, number)
    return tuple(found)


def _whole(owed: Sequence[Said], arrivals: dict[int, float], back: float | None) -> float | None:
    if back is None:
        return None
    backlog = [one.number for one in owed if one.at <= back]
    if any(number not in arrivals for number in backlog):
        return None
    return max((arrivals[number] - back for number in backlog), default=0.0) if backlog else None


def _some(numbers: Sequence[int]) -> str:
    if not numbers:
        return ""
    return f" ({', '.join(map(str, numbers[:10]))}{', ...' if len(numbers) > 10 else ''})"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{max(0.0, value):.1f} s"
