"""Talks as one list of turns, and which of them were said before each answer. Pure.

What a turn says is looked at once, however many answers come after it: a view of what was said before is a product of
two sparse matrices.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from bots.trained.grams import Array, Matrix

LONGEST = 8
"""Turns before an answer that count."""


@dataclass(frozen=True, slots=True)
class Window:
    """The turns from `far` to `near` back, both counted from 1; each counts `fade` times what the one after it does."""

    far: int
    near: int = 1
    fade: float = 1.0


@dataclass(frozen=True, slots=True)
class Talks:
    """Turns in a row. `at`: the places of answers in it; `starts`: where the talk of each answer begins."""

    turns: tuple[str, ...]
    at: Array
    starts: Array

    def __len__(self) -> int:
        return len(self.at)

    @property
    def answers(self) -> list[str]:
        """What was answered."""
        return [self.turns[place] for place in self.at]

    def depth(self, cut: int = LONGEST) -> Array:
        """How many turns were said before each answer; `cut` at most."""
        found: Array = np.minimum(self.at - self.starts, cut)
        return found

    def view(self, window: Window, cut: int = LONGEST) -> Matrix:
        """Answers x turns: which turns were said before each answer, in that window and `cut` turns back at most."""
        rows, columns, values = list[Array](), list[Array](), list[Array]()
        for back in range(window.near, min(window.far, cut) + 1):
            there = np.nonzero(self.at - back >= self.starts)[0]
            rows.append(there)
            columns.append(self.at[there] - back)
            values.append(np.full(len(there), window.fade ** (back - 1), np.float32))
        none = np.zeros(0, np.int64)
        places = (np.concatenate([none, *rows]), np.concatenate([none, *columns]))
        data = np.concatenate([none.astype(np.float32), *values])
        return sp.csr_matrix((data, places), shape=(len(self), len(self.turns)), dtype=np.float32)


def talks_of(found: Sequence[Sequence[str]]) -> Talks:
    """Each turn of each talk but the first is an answer to what was said before."""
    lengths = np.array([len(talk) for talk in found], np.int64)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.arange(len(starts))
    answers = places > starts
    return Talks(tuple(turn for talk in found for turn in talk), places[answers], starts[answers])


def question(turns: Sequence[str]) -> Talks:
    """What was said before one answer that is not there yet; oldest first, at least one turn."""
    kept = tuple(turns[-LONGEST:])
    return Talks(kept, np.array([len(kept)]), np.array([0]))
