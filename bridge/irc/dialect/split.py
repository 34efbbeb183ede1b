"""Splits one line of styled text into pieces that each fit a number of bytes."""

from collections.abc import Iterator
from itertools import chain, repeat

import regex

from bridge.irc.dialect.formatting import PLAIN, Look, encode, encoded, look, transition
from bridge.model.text import Style, Text

_GRAPHEME = regex.compile(r"\X")
_Unit = tuple[str, Look]
_NO_BREAK = "\u00a0"
LEAST = 4 + len(transition(PLAIN, Look(Style(63)), ""))
"""Bytes that any one character needs at most, with all the formatting codes."""


def split(text: Text, budget: int) -> Iterator[str]:
    """Split `text` (no line breaks), with mIRC codes, into pieces of at most `budget` bytes (UTF-8). No words are lost.

    Cuts after white space, else between graphemes; a grapheme bigger than the budget is cut between code points.
    Each piece starts plain and opens its formatting anew. `budget` must be at least `LEAST`.
    """
    if budget < LEAST:
        raise ValueError(f"a budget of {budget} bytes holds nothing")
    whole = encode(text)
    if len(whole.encode()) <= budget:
        yield whole
        return
    units, ahead = _units(text, budget), list[_Unit]()
    while end := _end(ahead, units, budget):
        yield encoded(ahead[:end])
        del ahead[:end]


def _units(text: Text, budget: int) -> Iterator[_Unit]:
    """The units that stay whole: graphemes in the look of their first character, or the code points of a huge one."""
    looks = [*chain.from_iterable(repeat(look(span), len(span.text)) for span in text)]
    at = 0
    for match in _GRAPHEME.finditer("".join(span.text for span in text)):
        word, wanted = match.group(), looks[at]
        at += len(word)
        huge = len(transition(PLAIN, wanted, word)) + len(word.encode()) > budget
        yield from ((part, wanted) for part in word) if huge else ((word, wanted),)


def _end(ahead: list[_Unit], units: Iterator[_Unit], budget: int) -> int:
    """How many units make the next piece; 0: there are no more. Those that are looked at are taken from `units` and put
    into `ahead`: a caller who wants only the first pieces does not pay for all."""
    used, before, word_end, index = 0, PLAIN, 0, 0
    while True:
        if index == len(ahead):
            unit = next(units, None)
            if unit is None:
                return index
            ahead.append(unit)
        word, wanted = ahead[index]
        used += len(transition(before, wanted, word)) + len(word.encode())
        before = wanted
        if used > budget:
            return word_end or index
        index += 1
        if word.isspace() and word != _NO_BREAK:
            word_end = index
