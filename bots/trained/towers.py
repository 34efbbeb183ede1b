"""Two towers: what was said before, and an answer, each become a vector; the closer the two, the better they fit. Pure.

They learn from pairs in batches: the right answer of one pair is a wrong answer of all others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from bots.trained.grams import Array, Floats, Matrix, unit, unit_rows
from bots.trained.talks import Window

WIDE = 64
WINDOWS = (Window(1), Window(2, 2), Window(5, 3))
"""Views of what was said before, each with a table of its own: just said, one's own last turn, the three before."""
_BATCH = 512
_PASSES = 6
_RATE = 0.2
_TEMPERATURE = 0.14
_DROPPED = 0.5
"""The part of the grams that is left out at each step, so that no single one is relied upon."""
_STARTS = (1.0, 0.5, 0.4, 1.0)
"""The tables begin as one random table, times these."""


@dataclass(frozen=True, slots=True)
class Towers:
    """Tables of grams x WIDE: one for each of WINDOWS, the last is the answers'."""

    tables: tuple[Floats, ...]

    def before(self, views: Sequence[Matrix]) -> tuple[Floats, ...]:
        """The vectors of what was said before, and those of each view by itself; length 1 each, a row an answer."""
        parts = [unit_rows(rows) @ table for rows, table in zip(views, self.tables[:-1], strict=True)]
        return tuple(map(unit, (sum(parts[1:], start=parts[0]), *parts)))

    def answers(self, rows: Matrix) -> Floats:
        """The vectors of answers, length 1 each."""
        return unit(unit_rows(rows) @ self.tables[-1])


def learn(
    views: Sequence[Matrix], answers: Matrix, texts: Sequence[str], tell: Callable[[float], None] = lambda _: None
) -> Towers:
    """Learn from pairs: a row in each of the `views`, and in `answers`. `texts` tells which answers are equal.

    `tell` is called with the part that is done, 0 to 1.
    """
    chance = np.random.default_rng(0)
    count, size = answers.shape
    base = (chance.standard_normal((size, WIDE)) / np.sqrt(WIDE)).astype(np.float32)
    tables = [base * np.float32(scale) for scale in _STARTS]
    sums = [np.full(size, 1e-6, np.float32) for _ in tables]
    rows = [unit_rows(each) for each in (*views, answers)]
    same = numbered(texts)
    batch = min(_BATCH, count)
    steps, step = _PASSES * (count // batch), 0
    for _ in range(_PASSES):
        order = chance.permutation(count)
        for start in range(0, count - batch + 1, batch):
            chosen = order[start : start + batch]
            thinned = [_thinned(each[chosen], chance) for each in rows]
            _step(tables, sums, thinned, same[chosen], _RATE * (1 - step / steps))
            step += 1
            tell(step / steps)
    return Towers(tuple(tables))


def numbered(texts: Sequence[str]) -> Array:
    """A number for each text; equal texts have the same."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return np.array([numbers[text] for text in texts], np.int64)


def _thinned(rows: Matrix, chance: np.random.Generator) -> Matrix:
    kept = chance.random(len(rows.data), np.float32) >= _DROPPED
    rows.data = (rows.data * kept / np.float32(1 - _DROPPED)).astype(np.float32)
    return rows


def _step(tables: list[Floats], sums: list[Floats], rows: list[Matrix], same: Array, rate: float) -> None:
    """One step of AdaGrad with one sum a row of a table, in place."""
    parts = [_compact(each) for each in rows]
    vectors = [part @ table[columns] for (columns, part), table in zip(parts, tables, strict=True)]
    said, said_length = _lengths(np.sum(vectors[:-1], axis=0))
    answer, answer_length = _lengths(vectors[-1])
    slope = _slope(said @ answer.T, same)
    to_said = _through(slope @ answer, said, said_length)
    to_answer = _through(slope.T @ said, answer, answer_length)
    back = [to_said] * (len(parts) - 1) + [to_answer]
    for (columns, part), table, total, each in zip(parts, tables, sums, back, strict=True):
        change = part.T @ each
        total[columns] += (change * change).mean(1)
        table[columns] -= np.float32(rate) * change / np.sqrt(total[columns])[:, None]


def _compact(rows: Matrix) -> tuple[Array, Matrix]:
    """The columns that are used, and the rows with these alone."""
    columns, places = np.unique(rows.indices, return_inverse=True)
    return columns, sp.csr_matrix((rows.data, places, rows.indptr), shape=(rows.shape[0], len(columns)))


def _slope(cosines: Floats, same: Array) -> Floats:
    """The slope of the loss, softmax both ways, by the cosines. Equal answers are neither right nor wrong."""
    scores = cosines / np.float32(_TEMPERATURE)
    equal = same[:, None] == same[None, :]
    np.fill_diagonal(equal, val=False)
    scores[equal] = -1e9
    across = np.exp(scores - scores.max(1, keepdims=True))
    across /= across.sum(1, keepdims=True)
    down = np.exp(scores - scores.max(0, keepdims=True))
    down /= down.sum(0, keepdims=True)
    slope = across + down
    np.fill_diagonal(slope, np.diag(slope) - 2)
    found: Floats = slope / np.float32(2 * _TEMPERATURE)
    return found


def _lengths(vectors: Floats) -> tuple[Floats, Floats]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-6)
    return vectors / lengths, lengths


def _through(slope: Floats, unit_vectors: Floats, lengths: Floats) -> Floats:
    """The slope before the vectors were brought to length 1."""
    found: Floats = (slope - unit_vectors * (slope * unit_vectors).sum(1, keepdims=True)) / lengths
    return found
