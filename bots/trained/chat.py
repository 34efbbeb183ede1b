"""Free chat: of all stored messages, the one that fits best what was said before, if any fits well enough. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bots.trained import features
from bots.trained.grams import Floats, hashed, words
from bots.trained.ranker import Ranker
from bots.trained.talks import question

_CLOSEST = 64
"""Messages that the network looks at: the closest by the towers."""
_STRANGE = 4.0
"""Taken off the score for a question of words alone that no corpus had: about those it knows nothing."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A stored message, and how well it fits: above 0 it is better than silence, by what was learnt."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Chat:
    """`messages` that may be said, with their vectors, a row each. `threshold`: what fits less is not said."""

    ranker: Ranker
    messages: tuple[str, ...]
    vectors: Floats
    threshold: float

    def answer(self, turns: Sequence[str], shift: float = 0.0) -> Ranked | None:
        """What to say after `turns`, oldest first, at least one; None: nothing fits."""
        best = self.best(turns)
        return best if best is not None and best.score >= self.threshold + shift else None

    def best(self, turns: Sequence[str]) -> Ranked | None:
        """What fits best, however badly; not what was said already. None if `turns` ends without a word."""
        said = words(turns[-1])
        if not said:
            return None
        before = self.ranker.before(question(turns))
        close = self._closest(before.vectors[0][0])
        told = features.answers(self.ranker.reader.rows([self.messages[place] for place in close]), self.vectors[close])
        shown = features.features(before, told, np.zeros(len(close), np.int64), np.arange(len(close)))
        scores = self.ranker.network.scores(shown) - _STRANGE * self._strange(said)
        heard = {words_of(turn) for turn in turns}
        for place in np.argsort(-scores):
            if words_of(text := self.messages[close[place]]) not in heard:
                return Ranked(text, float(scores[place]))
        return None

    def _closest(self, vector: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        cosines = self.vectors @ vector
        if len(cosines) <= _CLOSEST:
            return np.arange(len(cosines))
        return np.argpartition(-cosines, _CLOSEST)[:_CLOSEST]

    def _strange(self, said: Sequence[str]) -> float:
        """The part of what was said, by rarity, that is words which no corpus had."""
        columns = hashed([said]).indices
        steps = self.ranker.reader.words.steps
        strange = steps[columns] == steps.max()
        weights = self.ranker.reader.words.weights[columns]
        return float(weights[strange].sum() / (weights.sum() or 1.0))


def words_of(text: str) -> tuple[str, ...]:
    """What makes two texts the same: their words."""
    return tuple(words(text))
