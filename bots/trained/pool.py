"""What the ranker may say: single messages that people wrote as answers, without what is personal or rude. Pure.

A name is a word that people write with a capital letter within a sentence: that is learnt from the messages themselves,
as most of them are no names, and people who write all in small letters give no name away by that.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex

from bots.trained.corpora import Talk
from bots.trained.grams import words
from bots.trained.known import normalized
from bots.trained.rude import RUDE

LONGEST = 20
"""Words of a message."""
MOST = 100_000
"""Messages."""
_CHARACTERS = 200
_PERSONAL = regex.compile(
    r"\d|[@#/\\]|\b(?:www|https?|[\w-]+\.(?:com|net|org|io|de|fr|es|cn|uk|me|gg))\b|\p{C}|[^\p{L}\p{M}\p{N}\p{P}\p{Zs}\p{So}]"
    r"|\b(?:my|your|his|her|their)\s+(?:last\s+|first\s+|full\s+)?(?:name|address|phone|email|e-mail|number|birthday)\b"
    r"|\b(?:i\s+live|i\s+work|i\s+study|im\s+from|i'm\s+from|i\s+am\s+from|years?\s+old|call\s+me|im\s+called)\b"
    r"|\bme\s+llamo\b|\bich\s+hei(?:ß|ss)e\b|\bje\s+m.appelle\b|我叫|我的名字|私の名前",
    regex.IGNORECASE,
)
_CAPITAL = regex.compile(r"(?<=[\p{Ll},;] )\p{Lu}\p{Ll}+")
_OFTEN_A_NAME = 0.5
"""The part of a word's places within sentences where it has a capital letter, from which on it counts as a name."""
_MANY_NAMES = 0.15
"""The part of words with a capital letter from which on a corpus is in a language that writes nouns so."""


@dataclass(frozen=True, slots=True)
class Screen:
    """Says which messages may be said. `names`: words, in lower case."""

    names: frozenset[str]

    def lets_through(self, text: str) -> bool:
        """Whether `text` is short, and neither personal nor rude."""
        said = words(text)
        if not 1 <= len(said) <= LONGEST or len(text) > _CHARACTERS or _PERSONAL.search(text):
            return False
        return not self.names.intersection(said) and not RUDE.intersection(said)


def screen(talks: Iterable[Talk]) -> Screen:
    """Learn which words are names: those of the speakers, and those that are written like names."""
    speakers: set[str] = set()
    small: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for talk in talks:
        for who, text in talk:
            speakers.update(words(who))
            capital.update(word.lower() for word in _CAPITAL.findall(text))
            small.update(word for word in regex.findall(r"(?<=[\p{Ll},;] )\p{Ll}+", text))
    if capital.total() > _MANY_NAMES * (capital.total() + small.total()):
        return Screen(frozenset(word for word in speakers if not word.isdecimal()))
    names = {word for word, count in capital.items() if count >= _OFTEN_A_NAME * (count + small[word])}
    return Screen(frozenset(names | {word for word in speakers if not word.isdecimal()}))


def pool(talks: Sequence[Talk], most: int = MOST) -> list[str]:
    """The messages of `talks` that may be said, each once, those that more than one person wrote first."""
    let = screen(talks)
    written: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for text in _answers(talks):
        if let.lets_through(text):
            same = normalized(text)
            written.setdefault(same, text)
            counted[same] += 1
    return [written[same] for same, _ in counted.most_common(most)]


def _answers(talks: Iterable[Talk]) -> Iterator[str]:
    """The first message of each turn that answers another's."""
    for talk in talks:
        for (before, _), (who, text) in itertools.pairwise(talk):
            if before != who:
                yield text
