"""How well answers fit what was said before, as rows of numbers for the network. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from bots.trained import forms
from bots.trained.grams import Array, Floats, Matrix, Rarity, Vocabulary, hashed, lengths_of, pieces, words
from bots.trained.talks import LONGEST, Talks, Window
from bots.trained.towers import WINDOWS, Towers

_OVERLAPS = (Window(1), Window(2, 2), Window(5, 3), Window(8, fade=0.8))
_MEASURES = 3
_DEPTHS = 3
WIDTH = 2 * len(_OVERLAPS) * _MEASURES + len(WINDOWS) + 1 + 1 + _DEPTHS + forms.FORMS + forms.PAIRED
"""Numbers in a row of features."""
_LITTLE = 5.0
"""Added to an answer's weight: one rare word in common is not all of a short answer."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some texts, a row each: `overlapping` of all words and of all pieces; and what kind of thing is said."""

    overlapping: tuple[Matrix, ...]
    forms: Floats


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns texts into rows."""

    vocabulary: Vocabulary
    words: Rarity
    pieces: Rarity

    def grams(self, texts: Sequence[str]) -> Matrix:
        """The rows of `texts` that the towers know."""
        return self.vocabulary.rows([words(text) for text in texts])

    def rows(self, texts: Sequence[str]) -> Rows:
        """The other rows of `texts`."""
        split = [words(text) for text in texts]
        kinds = [forms.forms(text, said) for text, said in zip(texts, split, strict=True)]
        return Rows(
            (self.words.rows(hashed(split)), self.pieces.rows(hashed(split, pieces))),
            np.array(kinds, np.float32).reshape(-1, forms.FORMS),
        )


@dataclass(frozen=True, slots=True)
class Overlap:
    """One view of what was said before: its `rows`, their `lengths`, and `there`: 1 for what is in them."""

    rows: Matrix
    lengths: Floats
    there: Matrix


@dataclass(frozen=True, slots=True)
class Before:
    """What was said before some answers: a row each. `overlaps`: of words, then of pieces, each by view."""

    overlaps: tuple[tuple[Overlap, ...], ...]
    vectors: tuple[Floats, ...]
    forms: Floats
    depth: Floats


@dataclass(frozen=True, slots=True)
class Answers:
    """Some answers: a row each."""

    rows: tuple[Matrix, ...]
    lengths: tuple[Floats, ...]
    totals: tuple[Floats, ...]
    vectors: Floats
    forms: Floats


def before(rows: Rows, grams: Matrix, towers: Towers, talks: Talks, cut: int = LONGEST) -> Before:
    """`rows` and `grams`: of the turns of `talks`. `cut` turns before each answer count."""
    views = [talks.view(window, cut) for window in _OVERLAPS]
    depth = talks.depth(cut)
    last = talks.at - 1
    return Before(
        tuple(tuple(_overlap(view @ each) for view in views) for each in rows.overlapping),
        towers.before([talks.view(window, cut) @ grams for window in WINDOWS]),
        rows.forms[last],
        np.stack([depth == 1, depth == 2, depth >= 6], 1).astype(np.float32),
    )


def answers(rows: Rows, vectors: Floats) -> Answers:
    """The answers whose rows and vectors these are."""
    totals = tuple(_sums(each) for each in rows.overlapping)
    return Answers(rows.overlapping, tuple(map(lengths_of, rows.overlapping)), totals, vectors, rows.forms)


def features(said: Before, told: Answers, i: Array, j: Array) -> Floats:
    """A row of numbers for each pair of what was said before, `i`, and an answer, `j`: both are row numbers."""
    seen = list[Floats]()
    for views, rows, lengths, totals in zip(said.overlaps, told.rows, told.lengths, told.totals, strict=True):
        chosen, length, total = rows[j], lengths[j], totals[j]
        for view in views:
            cosine = _dots(view.rows, i, chosen) / (view.lengths[i] * length)
            shared = _dots(view.there, i, chosen)
            seen += [cosine, np.log1p(shared), shared / (total + _LITTLE)]
    vectors = told.vectors[j]
    seen += [(each[i] * vectors).sum(1) for each in said.vectors]
    kinds, answer_kinds = said.forms[i], told.forms[j]
    seen.append(np.abs(kinds[:, 0] - answer_kinds[:, 0]))
    shown = [np.stack(seen, 1), said.depth[i], kinds, forms.paired(kinds, answer_kinds)]
    found: Floats = np.concatenate(shown, 1).astype(np.float32)
    return found


def _overlap(rows: Matrix) -> Overlap:
    there = sp.csr_matrix((np.ones_like(rows.data), rows.indices, rows.indptr), shape=rows.shape)
    return Overlap(rows, lengths_of(rows), there)


def _dots(rows: Matrix, i: Array, others: Matrix) -> Floats:
    """The products of the rows `i`, and `others`, row by row."""
    if rows.shape[0] == 1:  # one question and many answers: no need to write the question down many times
        values = np.zeros(rows.shape[1], np.float32)
        values[rows.indices] = rows.data
        numbers = np.repeat(np.arange(others.shape[0]), np.diff(others.indptr))
        return np.bincount(numbers, values[others.indices] * others.data, others.shape[0]).astype(np.float32)
    return _sums(rows[i].multiply(others))


def _sums(rows: Matrix) -> Floats:
    found: Floats = np.asarray(rows.sum(1)).ravel()
    return found
