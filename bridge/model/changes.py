"""What an edit changed, in words that people read at once: `s/wrld/world/`, the changed words, or all. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

import regex

from bridge.model.text import Style, Text, printable, untabbed, visible

CUT = "…"
"""The last sign of an excerpt that is not the whole text."""
COVER = "[spoiler]"
"""What stands for the words of a spoiler, where they would be repeated outside of it."""
_OLD_CUT = 300
"""Characters of excerpts that earlier versions cut without a sign."""
_SHORT = 80
"""Characters of a new text that is repeated as a whole rather than in parts."""
_SIDE = 40
"""Most characters of either side of a substitution."""
_WORDS_ADDED = 2
"""Most words put in between others that are told as a substitution."""
_LEAST_AROUND = 3
"""Least characters by which the place of new words is told."""
_CONTEXT = 6
"""Most words that are added to a substitution until it fits one place only."""
_AROUND = 3
"""Words shown before and after changed ones; changes no further apart are one."""
_CELLS = 40_000
"""Pairs of words that are compared one by one: some ten milliseconds."""
_MORE = 16
"""Words by which a new text may be longer than the known part of the old one, to be compared with it."""
_DELIMITERS = "/|#"
_WORD = regex.compile(
    r"\s+|\w++://\S+|(?:(?![\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}])[\w\p{M}\u200d])++(?:['’\-](?=\w)\w++)*+|\X"
)
"""White space, an address, a word, or any other grapheme. Scripts without blanks between words are compared by
graphemes."""


class Extent(StrEnum):
    """How much of an edit is told: nothing can be seen of it, a substitution, the changed words, or the whole."""

    NOTHING = "nothing"
    SUBSTITUTION = "substitution"
    EXCERPT = "excerpt"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Change:
    """`text` is in one line; '' if the extent is `NOTHING` or `WHOLE`."""

    extent: Extent
    text: str = ""


_NOTHING, _WHOLE = Change(Extent.NOTHING), Change(Extent.WHOLE)


class _Word(NamedTuple):
    text: str
    spaced: bool
    """Whether white space, or nothing, is before it."""


class _Range(NamedTuple):
    """Words `a` to `b` of the old text have become words `c` to `d` of the new one."""

    a: int
    b: int
    c: int
    d: int


def covered(text: Text) -> str:
    """`text` without styles and links, with `COVER` for the words of each spoiler."""
    parts = groupby(text, key=lambda span: bool(span.style & Style.SPOILER))
    return "".join(COVER if hidden else "".join(span.text for span in spans) for hidden, spans in parts)


def beginning(text: Text, characters: int) -> str:
    """At most the first `characters` characters of `covered(text)`, the last of which is `CUT` if there are more."""
    whole = covered(text)
    return whole if len(whole) <= characters else (whole[: characters - 1] + CUT if characters > 0 else "")


def change(old: str, new: str) -> Change:
    """What people who have read `old` have to be told to know `new`.

    Of `old` perhaps only the beginning is known (see `beginning`); '' if it is unknown. White space is one blank.
    Takes time in proportion to the length of the texts.
    """
    cut = old.endswith(CUT) or len(old) == _OLD_CUT
    a, b = [*_words(old.removesuffix(CUT) if cut else old)], [*_words(new)]
    if cut:
        a = a[:-1]  # it may be half a word
    if not a:
        return _WHOLE
    if a == b and not cut:
        return _NOTHING
    ranges = _changed(a, b, cut=cut)
    if not ranges:
        return _WHOLE  # beyond what is known
    if len(ranges) == 1 and (told := _substitution(a, b, ranges[0])):
        return Change(Extent.SUBSTITUTION, told)
    whole = _joined(b)
    told = _excerpt(b, ranges)
    is_worth_it = len(whole) > _SHORT or _is_addition(ranges[0], b)
    return Change(Extent.EXCERPT, told) if is_worth_it and 4 * len(told) <= 3 * len(whole) else _WHOLE


def _words(text: str) -> Iterator[_Word]:
    spaced = True
    for found in _WORD.findall(visible(printable(untabbed(text)))):
        if found.isspace():
            spaced = True
        else:
            yield _Word(found, spaced)
            spaced = False


def _joined(words: Sequence[_Word]) -> str:
    return "".join(f" {word.text}" if word.spaced else word.text for word in words).lstrip(" ")


def _changed(a: Sequence[_Word], b: Sequence[_Word], *, cut: bool) -> list[_Range]:
    """The parts that differ, in order. Of a text that is `cut`, none behind what is known."""
    first = _common(a, b)
    last = 0 if cut else _common(a[first:][::-1], b[first:][::-1])
    end_a, end_b = len(a) - last, len(b) - last
    if cut:
        end_b = min(end_b, len(a) + _MORE)
    if (end_a - first) * (end_b - first) > _CELLS:
        return [_Range(first, end_a, first, end_b)]
    ranges = _near(_different(a[first:end_a], b[first:end_b], first))
    if cut and ranges and ranges[-1].b == len(a):
        *ranges, open_end = ranges
        if open_end.a < open_end.b:  # how many of the new words these have become is not known
            most = open_end.c + open_end.b - open_end.a
            ranges = [*ranges, open_end._replace(d=min(open_end.d, most))]
    return ranges


def _common(a: Sequence[_Word], b: Sequence[_Word]) -> int:
    """How many words at the beginning are the same."""
    for index, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return index
    return min(len(a), len(b))


def _different(a: Sequence[_Word], b: Sequence[_Word], at: int) -> Iterator[_Range]:
    """What is not in the longest common subsequence of `a` and `b`, which begin at the word `at`."""
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        row, below = longest[i], longest[i + 1]
        for j in range(len(b) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if a[i] == b[j] else max(below[j], row[j + 1])
    i = j = 0
    while i < len(a) or j < len(b):
        begin = i, j
        while i < len(a) and j < len(b) and a[i] != b[j]:
            i, j = (i + 1, j) if longest[i + 1][j] >= longest[i][j + 1] else (i, j + 1)
        if i == len(a) or j == len(b):
            i, j = len(a), len(b)
        if begin != (i, j):
            yield _Range(at + begin[0], at + i, at + begin[1], at + j)
        i, j = i + 1, j + 1


def _near(ranges: Iterator[_Range]) -> list[_Range]:
    """`ranges`, with those that have few words between them made one."""
    joined: list[_Range] = []
    for each in ranges:
        if joined and each.c - joined[-1].d <= _AROUND:
            joined[-1] = joined[-1]._replace(b=each.b, d=each.d)
        else:
            joined.append(each)
    return joined


def _substitution(a: Sequence[_Word], b: Sequence[_Word], changed: _Range) -> str:
    """`s/old/new/` with the fewest words around it that fit one place only; '' if that would be long or unclear."""
    is_long_addition = changed.a == changed.b and changed.d - changed.c > _WORDS_ADDED
    is_all = changed.b - changed.a == len(a) > 1
    if is_long_addition or is_all:
        return ""
    before, whole = _joined(a), _joined(b)
    least = min(_LEAST_AROUND, len(before)) if changed.a == changed.b else 1
    for old, new in _sides(a, b, changed):
        sign = next((sign for sign in _DELIMITERS if sign not in old + new), "")
        told = f"s{sign}{old}{sign}{new}{sign}"
        is_unique = len(old) >= least and before.find(old) == before.rfind(old)
        if sign and is_unique and len(told) < max(len(whole), _SIDE):
            return told
    return ""


def _sides(a: Sequence[_Word], b: Sequence[_Word], changed: _Range) -> Iterator[tuple[str, str]]:
    """Both sides of a substitution, with more and more words around. Neither side is empty."""
    for more in range(_CONTEXT + 1):
        for left in range(more, -1, -1):
            right = more - left
            if left > changed.a or changed.b + right > len(a) or changed.d + right > len(b):
                continue
            olds, news = a[changed.a - left : changed.b + right], b[changed.c - left : changed.d + right]
            if not olds or not news or olds[0].spaced != news[0].spaced:
                continue
            old, new = _joined(olds), _joined(news)
            if max(len(old), len(new)) <= _SIDE:
                yield old, new


def _is_addition(changed: _Range, words: Sequence[_Word]) -> bool:
    """Whether words were added at the end."""
    return changed.a == changed.b and changed.d == len(words)


def _excerpt(words: Sequence[_Word], ranges: Sequence[_Range]) -> str:
    """The changed words with some around, and `CUT` where others are left out."""
    told, end = "", 0
    for each in ranges:
        begin = max(each.c - _AROUND, end)
        if _is_addition(each, words):  # at the end: the words before are those that people read last
            begin = each.c
        if begin > end:
            told += CUT if not told else f" {CUT} "
        elif told:
            told += " "
        end = min(each.d + _AROUND, len(words))
        told += _joined(words[begin:end])
    return told + (CUT if end < len(words) else "")
