"""Patterns: read, compiled to a small program, and matched in one pass over the words of a text. Pure.

Matching steps all alternatives at once and never goes back (Pike's machine): its time is at most the words of the text
times the length of the pattern.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

from bots.rules.problems import Wrong
from bots.rules.tokens import Tokens, tokens

LONGEST = 500
"""Characters of a pattern at most."""
_DEPTH = 6
_STEPS = 600
"""Steps of a compiled pattern at most."""
_LEXEME = re.compile(r"[*#_\[\]()|]|@[\w-]*|[^*#_\[\]()|@]+")


class Kind(Enum):
    """What one word of the text may be: any, digits, or letters."""

    WORD = "*"
    DIGITS = "#"
    LETTERS = "_"


@dataclass(frozen=True, slots=True)
class Word:
    """One of some words."""

    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wild:
    """One word of a kind; as many as can be for `*`."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Chain:
    parts: "tuple[Part, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some; `is_optional`: or none; `repeats`: any number, none too."""

    options: "tuple[Part, ...]"
    is_optional: bool = False
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Capture:
    part: "Part"


Part: TypeAlias = Word | Wild | Chain | Choice | Capture


class Lexicon(NamedTuple):
    """What the patterns of a file share: `sets` of phrases by name, and words that are `spoken` for others."""

    sets: Mapping[str, Part]
    spoken: Mapping[str, tuple[str, ...]]


def phrases(texts: Sequence[str], lexicon: Lexicon) -> Choice:
    """Any of `texts`, which have no wildcards."""
    options = tuple(Chain(tuple(_words(text, lexicon))) for text in texts)
    if any(not each.parts for each in options):
        raise Wrong("a phrase has no words")
    return _choice(options)


def parse(text: str, lexicon: Lexicon) -> Part:
    """The parts of a pattern. Raises Wrong."""
    if len(text) > LONGEST:
        raise Wrong(f"a pattern has at most {LONGEST} characters")
    reader = _Reader(_LEXEME.findall(text), lexicon)
    part = reader.chain("", 0)
    if isinstance(part, Chain) and not part.parts:
        raise Wrong("a pattern has no words")
    return part


class _Reader:
    """Reads the lexemes of one pattern."""

    def __init__(self, lexemes: Sequence[str], lexicon: Lexicon) -> None:
        self._lexemes = iter(lexemes)
        self._lexicon = lexicon
        self._last = ""

    def chain(self, closes: str, depth: int) -> Part:
        """What stands before `closes`, or before a `|`."""
        if depth > _DEPTH:
            raise Wrong(f"brackets are nested deeper than {_DEPTH}")
        parts: list[Part] = []
        for lexeme in self._lexemes:
            self._last = lexeme
            if lexeme in ("]", ")", "|"):
                if lexeme != closes and not (lexeme == "|" and closes):
                    raise Wrong(f"{lexeme!r} closes nothing" if lexeme != "|" else "'|' is for ( ) and [ ] only")
                return Chain(tuple(parts))
            parts += self._parts(lexeme, depth)
        if closes:
            raise Wrong(f"{closes!r} is missing")
        return Chain(tuple(parts))

    def _parts(self, lexeme: str, depth: int) -> Iterator[Part]:
        if lexeme == "(":
            yield Capture(_choice(tuple(self._options(")", depth))))
        elif lexeme == "[":
            options = tuple(_silent(each) for each in self._options("]", depth))
            yield Choice(options, is_optional=True)
        elif lexeme in ("*", "#", "_"):
            yield Capture(Wild(Kind(lexeme)))
        elif lexeme.startswith("@"):
            if (found := self._lexicon.sets.get(lexeme[1:])) is None:
                raise Wrong(f"there is no set called {lexeme!r}")
            yield found
        else:
            yield from _words(lexeme, self._lexicon)

    def _options(self, closes: str, depth: int) -> Iterator[Part]:
        self._last = "|"
        while self._last == "|":
            option = self.chain(closes, depth + 1)
            if isinstance(option, Chain) and not option.parts:
                raise Wrong("an alternative has no words")
            yield option


def _words(text: str, lexicon: Lexicon) -> Iterator[Part]:
    yield from (Word(frozenset({each.word})) for each in tokens(text, lexicon.spoken).words)


def _choice(options: tuple[Part, ...]) -> Choice:
    """Options of one word each as one: it is matched at once."""
    single = [each.parts[0].words for each in options if _is_word(each)]  # type: ignore[union-attr]
    others = tuple(each for each in options if not _is_word(each))
    return Choice((*((Word(frozenset().union(*single)),) if single else ()), *others))


def _is_word(part: Part) -> bool:
    return isinstance(part, Chain) and len(part.parts) == 1 and isinstance(part.parts[0], Word)


def _silent(part: Part) -> Part:
    """`part` alone in optional brackets, such as `[*]`, is no capture."""
    if isinstance(part, Chain) and len(part.parts) == 1 and isinstance(part.parts[0], Capture):
        return part.parts[0].part
    return part


class _Op(Enum):
    WORD = 0
    WILD = 1
    SPLIT = 2
    JUMP = 3
    SAVE = 4
    END = 5


_Step: TypeAlias = tuple[_Op, frozenset[str] | Kind | None, int, int]


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

    def _wild(self, kind: Kind) -> None:
        at = len(self.steps)
        self.steps.append((_Op.WILD, kind, 0, 0))
        if kind is Kind.WORD:  # as few words as can be: what follows is tried first
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
    if what is Kind.DIGITS:
        return word.isdecimal()
    return what is Kind.WORD or word.isalpha()


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
