"""Cuts text into words that can be compared: in lower case, without accents and punctuation. Pure.

Chinese and Japanese have no blanks between words: there, each sign is a word.
"""

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from bridge.model.text import visible

LONGEST = 500
"""Characters of a text at most: longer ones have no words, and no rule answers them."""
_SIGN = "\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"(?=[^\W_])[{_SIGN}]|[^\W_{_SIGN}]+(?:'[^\W_{_SIGN}]+)*")
_JOINING = re.compile("[\u200c\u200d\ufe00-\ufe0f]")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'"})
_ACCENT = re.compile("[\u0300-\u036f]")
NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Token(NamedTuple):
    """`word` is compared; `start` and `end` are its place in the shown text."""

    word: str
    start: int
    end: int


class Tokens(NamedTuple):
    """A text as it is shown, and its words."""

    shown: str
    words: tuple[Token, ...]

    def cut(self, start: int, end: int) -> str:
        """The shown text from word `start` to before word `end`."""
        return self.shown[self.words[start].start : self.words[end - 1].end] if start < end else ""


def tokens(text: str, spoken: Mapping[str, tuple[str, ...]] = NOTHING) -> Tokens:
    """The words of `text`; `spoken` names words that stand for others: `whats` for `what is`."""
    if len(text) > LONGEST:
        return Tokens("", ())
    shown = _JOINING.sub("", unicodedata.normalize("NFKC", visible(text))).translate(_APOSTROPHES)
    found = ((_compared(match[0]), match) for match in _WORD.finditer(shown))
    words = (Token(each, match.start(), match.end()) for word, match in found for each in spoken.get(word, (word,)))
    return Tokens(shown, tuple(words)[:LONGEST])


def _compared(word: str) -> str:
    if word.isascii():
        return word.lower().replace("'", "")
    return _ACCENT.sub("", unicodedata.normalize("NFD", word.casefold())).replace("'", "")
