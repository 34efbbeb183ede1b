"""The ranker: of some answers, which fits best what was said before, and does any. Pure.

It learns from talks: the towers from eleven in twelve, the network from the rest, with lists of ten answers of which
one is right, or none is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bots.trained import features, network
from bots.trained.features import Answers, Reader
from bots.trained.grams import Array, Floats, hashed, pieces, rarity, vocabulary, words
from bots.trained.network import Network
from bots.trained.talks import LONGEST, Talks, talks_of
from bots.trained.towers import WINDOWS, Towers, learn, numbered

_CUTS = (LONGEST, LONGEST, 1, 2)
"""How long the histories are that the network learns with: many talks have only begun."""
LISTED = 10
_AT_ONCE = 500
"""Lists whose features are made at once: bounds the memory."""
_LISTS = 80_000
"""Lists that the network learns from, at most."""


@dataclass(frozen=True, slots=True)
class Ranker:
    """What is needed to say how well answers fit."""

    reader: Reader
    towers: Towers
    network: Network

    def before(self, talks: Talks, cut: int = LONGEST) -> features.Before:
        """What was said before the answers of `talks`."""
        return features.before(self.reader.rows(talks.turns), self.reader.grams(talks.turns), self.towers, talks, cut)

    def answers(self, texts: Sequence[str]) -> Answers:
        """`texts` as answers."""
        return features.answers(self.reader.rows(texts), self.vectors(texts))

    def vectors(self, texts: Sequence[str]) -> Floats:
        """The vectors of `texts` as answers."""
        return self.towers.answers(self.reader.grams(texts))


@dataclass(frozen=True, slots=True)
class Lists:
    """`candidates`: lists of places of answers. `i`: the place of what was said before each list, whose right answer
    has the same place; `right`: whether it is in the list, as its first."""

    i: Array
    candidates: Array
    right: Array


def train(found: Sequence[Sequence[str]], tell: Callable[[float], None] = lambda _: None) -> Ranker:
    """Learn from talks, in any order, each a list of turns. `tell` is called with the part that is done, 0 to 1.
    Raises ValueError if they are too few."""
    order = np.random.default_rng(1).permutation(len(found))
    share = len(found) // 12
    if share < 1:
        raise ValueError("a ranker needs at least 12 conversations")
    for_network = talks_of([found[place] for place in order[:share]])
    reader, towers = _towers(talks_of([found[place] for place in order[share:]]), lambda part: tell(part * 0.6))
    rows, grams = reader.rows(for_network.turns), reader.grams(for_network.turns)
    told = features.answers(reader.rows(for_network.answers), towers.answers(grams[for_network.at]))
    seen, right = list[Floats](), list[Floats]()
    for number, cut in enumerate(_CUTS):
        said = features.before(rows, grams, towers, for_network, cut)
        chosen = drawn(for_network.answers, seed=number, missing=2, most=_LISTS // len(_CUTS))
        seen += _features(said, told, chosen)
        right.append(chosen.right.astype(np.float32))
        tell(0.6 + 0.2 * (number + 1) / len(_CUTS))
    lists = np.concatenate(seen).reshape(-1, LISTED, seen[0].shape[1])
    judge = network.learn(lists, np.concatenate(right), tell=lambda part: tell(0.8 + part * 0.2))
    return Ranker(reader, towers, judge)


def _towers(talks: Talks, tell: Callable[[float], None]) -> tuple[Reader, Towers]:
    split = [words(turn) for turn in talks.turns]
    reader = Reader(vocabulary(split), rarity(hashed(split)), rarity(hashed(split, pieces)))
    rows = reader.vocabulary.rows(split)
    views = [talks.view(window) @ rows for window in WINDOWS]
    return reader, learn(views, rows[talks.at], talks.answers, lambda part: tell(0.1 + 0.9 * part))


def drawn(answers: Sequence[str], *, seed: int, missing: int, length: int = LISTED, most: int = 0) -> Lists:
    """Lists of `length` answers: the right one, and others drawn by chance, none equal to it. Of every `missing` lists
    one lacks the right one; 0: none does. `most` lists at most; 0: all."""
    chance = np.random.default_rng(seed)
    same, count = numbered(answers), len(answers)
    if len(np.unique(same)) < 2:
        raise ValueError("all answers are the same")
    i = chance.permutation(count)[: most or count]
    candidates = chance.integers(0, count, (len(i), length))
    right = np.ones(len(i), bool)
    if missing:
        right[::missing] = False
    candidates[right, 0] = i[right]
    equal = _equal(same, candidates, i, right)
    while equal.any():
        candidates[equal] = chance.integers(0, count, equal.sum())
        equal = _equal(same, candidates, i, right)
    return Lists(i, candidates, right)


def _equal(same: Array, candidates: Array, i: Array, right: Array) -> Array:
    """Which candidates are equal to the right answer and not in its place."""
    found: Array = same[candidates] == same[i][:, None]
    found[right, 0] = False
    return found


def scores(ranker: Ranker, said: features.Before, told: Answers, lists: Lists) -> Floats:
    """Lists x candidates: how well each fits; above 0 it is better than silence."""
    width = lists.candidates.shape[1]
    return np.concatenate([ranker.network.scores(each).reshape(-1, width) for each in _features(said, told, lists)])


def _features(said: features.Before, told: Answers, lists: Lists) -> Iterator[Floats]:
    """A row for each candidate, of some lists at a time."""
    for start in range(0, len(lists.i), _AT_ONCE):
        chosen = lists.candidates[start : start + _AT_ONCE]
        i = np.repeat(lists.i[start : start + _AT_ONCE], chosen.shape[1])
        yield features.features(said, told, i, chosen.ravel())
