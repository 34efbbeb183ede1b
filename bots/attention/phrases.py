"""Recognises what people say to a bot about its manners: "thanks", "be quiet for 30m", "wake up". Pure.

In English, German, Spanish, French and Chinese. The whole message has to be such words: "thanks for the fish" is not.
"""

import re
from collections.abc import Container, Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from bots.attention.manners import DAY_S, HOUR_S
from bots.attention.vocabulary import (
    AROUND,
    COUNTERS,
    FOR,
    HUSH,
    LEAVE,
    NUMBERS,
    UNITS,
    WAKE,
    Words,
    said_words,
)
from bridge.model.text import folded

_LOOKED_AT = 120
"""Characters of a message at most: nobody needs more to say such a thing."""
_MOST_WORDS = 30
"""Chinese characters are words, too."""
_AT = re.compile(r"\s*@[^\s:,&]")
_NAMES = re.compile(r"\s*(?:@?[^\s:,&]{1,64}\s?[,&]\s?){0,4}@?[^\s:,&\uff1a]{1,64}\s?(?::(?:\s|$)|\uff1a)")
"""One to five names, with a colon behind them."""
_BEGINNING = 400
"""Characters that such names have at most."""


class Kind(StrEnum):
    """What people tell a bot to do: leave a talk, be quiet in a room, or speak there again."""

    LEAVE = "leave"
    HUSH = "hush"
    WAKE = "wake"


class Order(NamedTuple):
    """What somebody tells a bot to do. `seconds`: how long to be quiet, at most a day. `named`: they said its name."""

    kind: Kind
    seconds: float = 0.0
    named: bool = False


_PHRASES = (*LEAVE, *HUSH, *WAKE, *AROUND, *FOR, *NUMBERS, *UNITS, *COUNTERS)
_KNOWN = frozenset(word for phrase in _PHRASES for word in phrase)
_LONGEST = max(map(len, _PHRASES))


def order(text: str, names: Iterable[str] = ()) -> Order | None:
    """What `text` tells a bot called `names` to do, and nothing else; None if it says more, or something else."""
    if len(text) > _LOOKED_AT:
        return None
    words = said_words(text)
    called = frozenset(filter(None, map(_name_words, names)))
    if len(words) > _MOST_WORDS or not all(_may_be_said(word, called) for word in words):
        return None
    found, named, seconds = set[Kind](), False, 0.0
    at = 0
    while at < len(words):
        if (name := _longest(words, at, called)) is not None:
            named, at = True, at + len(name)
        elif (kind := _kind(words, at)) is not None:
            found.add(kind[0])
            at += kind[1]
        elif (time := _time(words, at)) is not None:
            seconds += time[0]
            at += time[1]
        elif (around := _longest(words, at, AROUND) or _longest(words, at, FOR)) is not None:
            at += len(around)
        else:
            return None
    return _order(found, seconds, named=named)


@lru_cache(maxsize=256)
def _name_words(name: str) -> Words:
    return said_words(name)


def _may_be_said(word: str, called: Iterable[Words]) -> bool:
    """Whether `word` is in an order at all. Most messages end here."""
    return word in _KNOWN or word.isdecimal() or any(word in name for name in called)


def is_to_somebody(text: str, people: Iterable[str]) -> bool:
    """Whether `text` begins with the name of a person: of one of `people` ("bob, hi"), of anybody after an @, or of
    anybody before a colon ("bob: hi"; "carol, dave: hi")."""
    start = text[:_BEGINNING]
    if _AT.match(start) or _NAMES.match(start):
        return True
    start = folded(start).lstrip()
    return any(start.startswith((f"{name}:", f"{name},")) for name in map(folded, people) if name)


def _order(found: set[Kind], seconds: float, *, named: bool) -> Order | None:
    """The strongest of `found`: "thanks, now be quiet" is about being quiet."""
    if Kind.HUSH in found:
        return Order(Kind.HUSH, min(seconds or HOUR_S, DAY_S), named)
    if not found or seconds:
        return None
    return Order(Kind.WAKE if Kind.WAKE in found else Kind.LEAVE, 0.0, named)


def _kind(words: Words, at: int) -> tuple[Kind, int] | None:
    """What the words from `at` on tell, and how many they are. The longest phrase counts."""
    best: tuple[Kind, int] | None = None
    for kind, phrases in ((Kind.LEAVE, LEAVE), (Kind.HUSH, HUSH), (Kind.WAKE, WAKE)):
        phrase = _longest(words, at, phrases)
        if phrase is not None and (best is None or len(phrase) > best[1]):
            best = (kind, len(phrase))
    return best


def _time(words: Words, at: int) -> tuple[float, int] | None:
    """The seconds that the words from `at` on say ("30 m", "half an hour"), and how many words they are."""
    number = _longest(words, at, NUMBERS)
    if number is None and not words[at].isdecimal():
        return None
    amount, size = (NUMBERS[number], len(number)) if number else (float(words[at]), 1)
    size += words[at + size : at + size + 1] in COUNTERS
    unit = _longest(words, at + size, UNITS)
    return (amount * UNITS[unit], size + len(unit)) if unit else None


def _longest(words: Words, at: int, phrases: Container[Words]) -> Words | None:
    """The longest of `phrases`, a set or dict, that `words` have at `at`."""
    return next((some for some in _from(words, at) if some in phrases), None)


def _from(words: Words, at: int) -> Iterator[Words]:
    """The words from `at` on, the most first."""
    for end in range(min(len(words), at + _LONGEST), at, -1):
        yield words[at:end]
