"""Reads patterns: words, wildcards, alternatives and options, as a tree. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias

from bots.rules.problems import Wrong
from bots.rules.tokens import tokens

LONGEST = 500
"""Characters of a pattern at most."""
_DEPTH = 6
_LEXEME = re.compile(r"[*#_\[\]()|]|@[\w-]*|[^*#_\[\]()|@]+")


class Wildcard(Enum):
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

    kind: Wildcard


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
            yield Capture(Wild(Wildcard(lexeme)))
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
