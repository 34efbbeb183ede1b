"""Finds the known question that somebody asks, with slips: by pieces of words first, then letter by letter. Pure.

A question costs a product with the pieces of all known ones; `_LOOKED_AT` of its characters count.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process

from bots.trained.grams import HASHED, Floats, Matrix, hashed, unit_rows, words

_LOOKED_AT = 200
"""Characters of a question that count."""
_PIECES = (1, 2, 3, 4)
_BEST = 20
"""Questions that are compared letter by letter."""
_CLOSE = 5
"""Questions that are compared word by word."""
_OTHER_WORD = 0.4
"""How alike two words are that have nothing to do with each other."""
_COVERED = 0.3
"""How much it counts that all words are there."""
_LETTERS = 2.0
"""How much letters count, against pieces."""
_OTHER_ORDER = 0.97
"""What the same words in another order are worth."""
HIGHEST_THRESHOLD = 0.95
DEFAULT_THRESHOLD = 0.75
LOWEST_THRESHOLD = 0.62
"""Below that, questions have little in common, whatever was learnt from a small corpus."""


@dataclass(frozen=True, slots=True)
class Found:
    """A known question, by its number, and its score: 1 is the same words, 0 has nothing in common."""

    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Known:
    """Known questions, and above which score one of them is meant."""

    questions: tuple[str, ...]
    threshold: float = DEFAULT_THRESHOLD
    normal: tuple[str, ...] = field(init=False, repr=False)
    _rarity: Floats = field(init=False, repr=False)
    _rows: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        normal = tuple(map(normalized, self.questions))
        counted = _counted(normal)
        seen = np.bincount(counted.indices, minlength=HASHED)
        rarity = (np.log(max(len(normal), 1) / np.maximum(seen, 1)) + 1).astype(np.float32)
        object.__setattr__(self, "normal", normal)
        object.__setattr__(self, "_rarity", rarity)
        object.__setattr__(self, "_rows", unit_rows(_weighed(counted, rarity)))

    def nearest(self, text: str) -> Found | None:
        """The question that `text` most likely is, whatever its score; None if it shares no piece with any."""
        said = normalized(text)
        cosines = self._cosines(said)
        if not cosines.any():
            return None
        best = np.argpartition(-cosines, _BEST)[:_BEST] if len(cosines) > _BEST else np.arange(len(cosines))
        alike = sorted((-_alike(said, self.normal[place], float(cosines[place])), int(place)) for place in best)
        score, number = max((self._score(said, place, -less), -place) for less, place in alike[:_CLOSE])
        return Found(-number, score)

    def _score(self, said: str, number: int, alike: float) -> float:
        """How much a question is meant. One word that it has not is enough to ask something else."""
        asked = words(said)
        weights = self._rarity[hashed([[f"\0{word}"] for word in asked]).indices]
        found = process.cdist(asked, words(self.normal[number]) or [""], scorer=fuzz.ratio, dtype=np.float32)
        there = np.clip((found.max(1) / 100 - _OTHER_WORD) / (1 - _OTHER_WORD), 0, 1) if asked else np.ones(0)
        covered = float((weights * there).sum() / weights.sum()) if asked else 1.0
        return min(alike * (1 - _COVERED) + covered * _COVERED, 1.0)

    def answerable(self, text: str) -> Found | None:
        """The question that `text` is, if its score reaches the threshold."""
        found = self.nearest(text)
        return found if found is not None and found.score >= self.threshold else None

    def _cosines(self, said: str) -> Floats:
        """Of `said` and each question. Pieces that no question has count in the length: what is strange scores low."""
        row = unit_rows(_weighed(_counted([said]), self._rarity))
        found: Floats = self._rows @ row.toarray().ravel()
        return found


def normalized(text: str) -> str:
    """`text` in lower case, without marks, one space between words; if it is all marks, as it is."""
    said = text[:_LOOKED_AT].casefold()
    kept = "".join(each if each.isalnum() else " " if each != "'" else "" for each in said)
    return " ".join(kept.split()) or said.strip()


def threshold(scored: Sequence[tuple[float, bool]], precision: float = 0.95) -> float:
    """The lowest score above which the part of right ones is at least `precision`. `scored`: a score, and whether it
    was right. Infinite if there is none."""
    best, right = math.inf, 0
    ordered = sorted(scored, reverse=True)
    for count, (score, is_right) in enumerate(ordered, 1):
        right += is_right
        last_of_its_score = count == len(ordered) or ordered[count][0] < score
        if last_of_its_score and right >= precision * count:
            best = score
    return best


def _alike(said: str, question: str, cosine: float) -> float:
    letters = max(fuzz.ratio(said, question), _OTHER_ORDER * fuzz.token_sort_ratio(said, question)) / 100
    return min((cosine + _LETTERS * letters) / (1 + _LETTERS), 1.0)


def _counted(normal: Sequence[str]) -> Matrix:
    return hashed([_pieces(each) for each in normal])


def _weighed(counted: Matrix, rarity: Floats) -> Matrix:
    found = counted.copy()
    found.data = ((1 + np.log(found.data)) * rarity[found.indices]).astype(np.float32)
    return found


def _pieces(said: str) -> list[str]:
    found = [said[start : start + size] for size in _PIECES for start in range(len(said) - size + 1)]
    return [*found, *(f"\0{word}" for word in words(said))]
