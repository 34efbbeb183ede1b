"""Compiles patterns to small programs, and matches them in one pass over the words of a text. Pure.

Matching steps all alternatives at once and never goes back (Pike's machine): its time is at most the words of the text
times the length of the program.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from bots.rules.patterns import Capture, Chain, Choice, Part, Wild, Wildcard, Word
from bots.rules.problems import Wrong
from bots.rules.tokens import LONGEST, Tokens

_STEPS = 600
"""Steps of a program at most."""


class _Op(Enum):
    WORD = 0
    WILD = 1
    SPLIT = 2
    JUMP = 3
    SAVE = 4
    END = 5


_Step: TypeAlias = tuple[_Op, frozenset[str] | Wildcard | None, int, int]


@dataclass(slots=True)
class Effort:
    """How many steps are left to try."""

    left: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `needs`: a text that matches has one of these words; None: it may have any. `rank` puts the
    more particular pattern first: without wildcards, then with more words of its own, then with fewer wildcards."""

    source: str
    steps: tuple[_Step, ...]
    captures: int
    needs: frozenset[str] | None
    rank: tuple[int, ...]

    def match(self, text: Tokens, effort: "Effort | None" = None) -> tuple[str, ...] | None:
        """The captures, if all of `text` matches; else None, also if `effort` is used up."""
        places = _run(self.steps, [each.word for each in text.words], self.captures, effort or Effort(LONGEST * _STEPS))
        if places is None:
            return None
        pairs = ((places[number * 2], places[number * 2 + 1]) for number in range(self.captures))
        return tuple(text.cut(start, end) if 0 <= start < end else "" for start, end in pairs)


def compiled(source: str, part: Part, manners: tuple[Part, Part] | None = None) -> Pattern:
    """`part` as a program, with `manners`: what may stand before and after it without a change of meaning."""
    before, after = ((manners[0],), (manners[1],)) if manners else ((), ())
    builder = _Builder()
    for each in (*before, part, *after):
        builder.add(each)
    steps = (*builder.steps, (_Op.END, None, 0, 0))
    if len(steps) > _STEPS:
        raise Wrong("this pattern is too long, with its sets and alternatives")
    wild, own = _weighed(part)
    return Pattern(source, steps, builder.captures, _needs(part), (wild > 0, -own, wild))


@dataclass(slots=True)
class _Builder:
    steps: list[_Step] = field(default_factory=list)
    captures: int = 0

    def add(self, part: Part) -> None:
        """Append the steps of `part`."""
        if len(self.steps) > _STEPS:
            return  # refused in the end
        match part:
            case Word(words):
                self.steps.append((_Op.WORD, words, 0, 0))
            case Wild(kind):
                self._wild(kind)
            case Chain(parts):
                for each in parts:
                    self.add(each)
            case Choice():
                self._choice(part)
            case Capture(inner):
                number, self.captures = self.captures, self.captures + 1
                self.steps.append((_Op.SAVE, None, number * 2, 0))
                self.add(inner)
                self.steps.append((_Op.SAVE, None, number * 2 + 1, 0))

    def _wild(self, kind: Wildcard) -> None:
        at = len(self.steps)
        self.steps.append((_Op.WILD, kind, 0, 0))
        if kind is Wildcard.WORD:  # as few words as can be: what follows is tried first
            self.steps.append((_Op.SPLIT, None, at + 2, at))

    def _choice(self, part: Choice) -> None:
        start, ends = len(self.steps), []
        if part.repeats:
            self.steps.append((_Op.SPLIT, None, 0, start + 1))  # none first: the pattern itself may begin so
        for number, option in enumerate(part.options):
            if is_last := number == len(part.options) - 1 and not part.is_optional:
                self.add(option)
            else:
                split = len(self.steps)
                self.steps.append((_Op.SPLIT, None, split + 1, 0))
                self.add(option)
            ends.append(len(self.steps))
            self.steps.append((_Op.JUMP, None, 0, 0))
            if not is_last:
                self.steps[split] = (_Op.SPLIT, None, split + 1, len(self.steps))
        end = len(self.steps)
        for at in ends:
            self.steps[at] = (_Op.JUMP, None, start if part.repeats else end, 0)
        if part.repeats:
            self.steps[start] = (_Op.SPLIT, None, end, start + 1)


def _needs(part: Part) -> frozenset[str] | None:
    match part:
        case Word(words):
            return words
        case Capture(inner):
            return _needs(inner)
        case Chain(parts):
            return min(filter(None, map(_needs, parts)), key=len, default=None)
        case Choice(options, is_optional, repeats):
            each = [_needs(option) for option in options]
            if is_optional or repeats or not each or None in each:
                return None
            return frozenset().union(*(words for words in each if words is not None))
        case _:
            return None


def _weighed(part: Part) -> tuple[int, int]:
    """How many wildcards `part` has, and how many words of its own at least."""
    match part:
        case Wild():
            return 1, 0
        case Word():
            return 0, 1
        case Capture(inner):
            return _weighed(inner)
        case Chain(parts):
            counts = [_weighed(each) for each in parts]
            return sum(wild for wild, _ in counts), sum(own for _, own in counts)
        case Choice(options, is_optional, repeats):
            counts = [_weighed(each) for each in options]
            own = 0 if is_optional or repeats else min(own for _, own in counts)
            return max(wild for wild, _ in counts), own


def _run(steps: Sequence[_Step], text: Sequence[str], captures: int, effort: Effort) -> tuple[int, ...] | None:
    """The places of the captures if the program matches all of `text`. Earlier threads are preferred."""
    threads = _followed(steps, [(0, (-1,) * (captures * 2))], 0)
    for at, word in enumerate(text):
        effort.left -= len(threads)
        moved = [(pc + 1, saved) for pc, saved in threads if _fits(steps[pc], word)]
        if not moved or effort.left < 0:
            return None
        threads = _followed(steps, moved, at + 1)
    return next((saved for pc, saved in threads if steps[pc][0] is _Op.END), None)


def _fits(step: _Step, word: str) -> bool:
    op, what, _, _ = step
    if op is _Op.WORD:
        return word in what  # type: ignore[operator]
    if op is not _Op.WILD:
        return False
    if what is Wildcard.DIGITS:
        return word.isdecimal()
    return what is Wildcard.WORD or word.isalpha()


_Thread: TypeAlias = tuple[int, tuple[int, ...]]


def _followed(steps: Sequence[_Step], threads: Sequence[_Thread], at: int) -> list[_Thread]:
    """`threads` moved on to steps that read a word, each of them once, the preferred thread first."""
    seen: set[int] = set()
    found: list[_Thread] = []
    waiting = [*reversed(threads)]
    while waiting:
        pc, saved = waiting.pop()
        if pc in seen:
            continue
        seen.add(pc)
        op, _, one, other = steps[pc]
        if op is _Op.JUMP:
            waiting.append((one, saved))
        elif op is _Op.SPLIT:
            waiting += ((other, saved), (one, saved))
        elif op is _Op.SAVE:
            waiting.append((pc + 1, (*saved[:one], at, *saved[one + 1 :])))
        else:
            found.append((pc, saved))
    return found
