"""Finds the known question that somebody asks, with slips: by pieces of words first, then letter by letter. Pure.

A question costs a sum over the posting lists of its pieces, of which `_LOOKED_AT` characters count.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from bots.trained.grams import Floats, words

_LOOKED_AT = 200
"""Characters of a question that count."""
_PIECES = (1, 2, 3, 4)
_BEST = 20
"""Questions that are compared letter by letter."""
DEFAULT_THRESHOLD = 1.5


@dataclass(frozen=True, slots=True)
class Found:
    """A known question, by its number, and its score: 2 is the same words, 0 has nothing in common."""

    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Known:
    """Known questions, and above which score one of them is meant."""

    questions: tuple[str, ...]
    threshold: float = DEFAULT_THRESHOLD
    _normal: tuple[str, ...] = field(init=False, repr=False)
    _rarity: dict[str, float] = field(init=False, repr=False)
    _postings: dict[str, tuple[Any, Floats]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        normal = tuple(map(normalized, self.questions))
        counted = [Counter(_pieces(each)) for each in normal]
        seen = Counter(piece for each in counted for piece in each)
        rarity = {piece: math.log(len(normal) / count) + 1 for piece, count in seen.items()}
        postings: dict[str, tuple[list[int], list[float]]] = {piece: ([], []) for piece in rarity}
        for number, pieces in enumerate(counted):
            weights = {piece: (1 + math.log(count)) * rarity[piece] for piece, count in pieces.items()}
            length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
            for piece, weight in weights.items():
                postings[piece][0].append(number)
                postings[piece][1].append(weight / length)
        packed = {
            piece: (np.array(numbers, np.int32), np.array(weights, np.float32))
            for piece, (numbers, weights) in postings.items()
        }
        object.__setattr__(self, "_normal", normal)
        object.__setattr__(self, "_rarity", rarity)
        object.__setattr__(self, "_postings", packed)

    def nearest(self, text: str) -> Found | None:
        """The question that `text` most likely is, whatever its score; None if it shares no piece with any."""
        said = normalized(text)
        scores = self._cosines(said)
        if scores is None:
            return None
        best = np.argpartition(-scores, _BEST)[:_BEST] if len(scores) > _BEST else np.arange(len(scores))
        score, number = max((float(scores[n]) + fuzz.ratio(said, self._normal[n]) / 100, -int(n)) for n in best)
        return Found(-number, score)

    def answerable(self, text: str, shift: float = 0.0) -> Found | None:
        """The question that `text` is, if its score reaches the threshold plus `shift`."""
        found = self.nearest(text)
        return found if found is not None and found.score >= self.threshold + shift else None

    def _cosines(self, said: str) -> Floats | None:
        """Of `said` and each question. Pieces that no question has count in the length: what is strange scores low."""
        strange = math.log(len(self._normal) or 1) + 1
        scores = np.zeros(len(self._normal), np.float32)
        squares = 0.0
        for piece, count in Counter(_pieces(said)).items():
            weight = (1 + math.log(count)) * self._rarity.get(piece, strange)
            squares += weight * weight
            if (posting := self._postings.get(piece)) is not None:
                scores[posting[0]] += np.float32(weight) * posting[1]
        if not scores.any():
            return None
        return scores / np.float32(math.sqrt(squares))


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


def _pieces(said: str) -> Iterator[str]:
    for size in _PIECES:
        yield from (said[start : start + size] for start in range(len(said) - size + 1))
    yield from (f"\0{word}" for word in words(said))
