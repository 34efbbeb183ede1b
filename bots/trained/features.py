"""How well answers fit what was said before, as rows of numbers for the network. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bots.trained import forms
from bots.trained.grams import Floats, Matrix, Vocabulary, unit, words
from bots.trained.towers import VIEWS, Towers

_BACK = ((1, 0), (2, 1), (5, 2), (8, 5), (5, 0))
"""Parts of what was said before an answer: just said, one's own last turn, 3-5 back, 6-8 back, and the last five
together; how many turns back each begins and ends."""
LONGEST = 8
_NEAR = 8


@dataclass(frozen=True, slots=True)
class Before:
    """What was said before some answers: a row each, of overlaps, vectors and forms."""

    rows: tuple[Matrix, ...]
    words: tuple[Matrix, ...]
    vectors: Floats
    views: tuple[Floats, ...]
    forms: Floats
    asked: Floats


@dataclass(frozen=True, slots=True)
class Answers:
    """Some answers: a row each."""

    rows: Matrix
    words: Matrix
    vectors: Floats
    forms: Floats

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True)
class Likely:
    """What was answered in similar talks: the mean of these answers' vectors, and the vectors of the nearest."""

    mean: Floats
    nearest: Floats


def parts(turns: Sequence[Sequence[str]]) -> list[list[str]]:
    """The words of each part of `turns`, oldest first, each a list of words."""
    ends = len(turns)
    return [[word for turn in turns[max(ends - far, 0) : max(ends - near, 0)] for word in turn] for far, near in _BACK]


def before(vocabulary: Vocabulary, towers: Towers, talks: Sequence[Sequence[str]]) -> Before:
    """`talks`: the turns before each answer, oldest first, at least one; LONGEST of them count."""
    split = [[words(turn) for turn in talk[-LONGEST:]] for talk in talks]
    cut = [parts(turns) for turns in split]
    rows = tuple(vocabulary.rows([each[place] for each in cut]) for place in range(len(_BACK)))
    last = [(talk[-1], turns[-1]) for talk, turns in zip(talks, split, strict=True)]
    lengths = np.array([[len(turns) == 1, len(turns) == 2] for turns in split], np.float32)
    kinds = np.array([forms.forms(*each) for each in last], np.float32)
    questions = np.array([forms.asked(*each) for each in last], np.float32)
    return Before(
        rows,
        tuple(vocabulary.word_rows([each[place] for each in cut]) for place in range(len(_BACK))),
        towers.said(rows[:VIEWS]),
        tuple(towers.views(rows[:VIEWS])),
        kinds,
        np.concatenate([questions, lengths], 1),
    )


def answers(vocabulary: Vocabulary, towers: Towers, texts: Sequence[str]) -> Answers:
    """The rows of `texts`."""
    split = [words(text) for text in texts]
    rows = vocabulary.rows(split)
    kinds = np.array([forms.forms(*each) for each in zip(texts, split, strict=True)], np.float32)
    return Answers(rows, vocabulary.word_rows(split), towers.answers(rows), kinds.reshape(len(texts), forms.FORMS))


def likely(said: Floats, known: Floats, replies: Floats, most: int = 32) -> Likely:
    """What was answered where `said` is nearest: `known` are vectors of other talks, `replies` of their answers."""
    most = min(most, len(known))
    means, nearest = [], []
    for start in range(0, len(said), 256):
        cosines = said[start : start + 256] @ known.T
        found = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(cosines, found, 1)
        order = np.argsort(-values, axis=1)
        found, values = np.take_along_axis(found, order, 1), np.take_along_axis(values, order, 1)
        weights = np.exp((values - values[:, :1]) * 10)
        weights /= weights.sum(1, keepdims=True)
        means.append(np.einsum("ij,ijk->ik", weights, replies[found]))
        nearest.append(replies[found[:, :_NEAR]])
    return Likely(np.concatenate(means).astype(np.float32), np.concatenate(nearest))


def features(said: Before, near: Likely, told: Answers, i: Floats, j: Floats) -> Floats:
    """A row of numbers for each pair of a talk `i` and an answer `j`, both arrays of row numbers."""
    vectors = told.vectors[j]
    overlaps = [
        _dots(side[i], other[j])
        for rows, single in zip(said.rows, said.words, strict=True)
        for side, other in ((rows, told.rows), (single, told.words))
    ]
    cosines = [(each[i] * vectors).sum(1) for each in (said.vectors, *said.views, unit(near.mean))]
    closest = np.einsum("ijk,ik->ij", near.nearest[i], vectors).max(1)
    questions = said.asked[i]
    kinds = forms.paired(said.forms[i], questions[:, : forms.ASKED], told.forms[j])
    seen = np.stack([*overlaps, *cosines, closest], 1)
    short = (questions[:, forms.ASKED :, None] * seen[:, None, :]).reshape(len(seen), -1)
    found: Floats = np.concatenate([seen, short, kinds], 1).astype(np.float32)
    return found


def _dots(left: Matrix, right: Matrix) -> Floats:
    found: Floats = np.asarray(left.multiply(right).sum(1)).ravel()
    return found
