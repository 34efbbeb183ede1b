"""Texts as sparse rows of grams: words, pairs of words, and pieces of words; weighted by how rare they are. Pure.

Time and memory are linear in the length of a text, of which `LONGEST` words count.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import regex
import scipy.sparse as sp  # type: ignore[import-untyped]

Array: TypeAlias = np.ndarray[Any, Any]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Matrix: TypeAlias = Any
"""A scipy.sparse.csr_matrix of float32: one row a text."""
Words: TypeAlias = Sequence[str]

LONGEST = 200
"""Words of a text that count."""
COMMONEST = 30_000
HASHED = 1 << 18
"""Columns of rows of all words, or all pieces, also of those that no corpus had."""
_WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\W_]+(?:['\u2019][^\W_]+)?")
_PIECE = 4
_START, _END = "^", "$"
_PAIR = " "
"""Stands between the two words of a pair. No word has one."""
_OF_WORD = "#"
"""Stands before a piece of a word. No word has one."""
_WORD_SEEN, _PAIR_SEEN = 2, 4
_STEPS = 16.0
"""Rarities are kept in steps of 1/16, in a byte each."""


def words(text: str) -> list[str]:
    """The words of `text` in lower case, without apostrophes; a character of Chinese, Japanese or Thai is a word."""
    found = _WORD.findall(text[: LONGEST * 12].lower())
    return [str(each).replace("'", "").replace("\u2019", "") for each in found[:LONGEST]]


def pieces(said: Words) -> list[str]:
    """Each four characters in a row of each word, with marks for its start and end: what words of one stem share."""
    found: list[str] = []
    for word in said:
        marked = f"<{word}>"
        found += [marked[start : start + _PIECE] for start in range(max(1, len(marked) - _PIECE + 1))]
    return found


def grams(said: Words) -> list[str]:
    """The words, the pairs of neighbours with marks for start and end, and the pieces."""
    if not said:
        return []
    pairs = map(_PAIR.join, zip([_START, *said], [*said, _END], strict=True))
    return [*said, *pairs, *(_OF_WORD + piece for piece in pieces(said))]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The grams that the towers know, and the weight of each."""

    names: tuple[str, ...]
    weights: Floats
    index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {name: place for place, name in enumerate(self.names)})

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, texts: Sequence[Words]) -> Matrix:
        """A row for each text; empty if no gram of it is known."""
        found = counts(texts, grams, self.index.get, len(self))
        found.data = ((1 + np.log(found.data)) * self.weights[found.indices]).astype(np.float32)
        return found


def vocabulary(texts: Iterable[Words], most: int = COMMONEST) -> Vocabulary:
    """The commonest grams of `texts`. Raises ValueError if none is seen often enough."""
    seen: Counter[str] = Counter()
    count = 0
    for count, said in enumerate(texts, 1):  # noqa: B007 - how many there were
        seen.update(set(grams(said)))
    often = [(name, n) for name, n in seen.items() if n >= (_PAIR_SEEN if _PAIR in name else _WORD_SEEN)]
    often.sort(key=lambda each: (-each[1], each[0]))
    if not often:
        raise ValueError("the corpus is too small: no word is in two texts")
    kept = often[:most]
    weights = np.log(count / np.array([n for _, n in kept], np.float32)) + 1
    return Vocabulary(tuple(name for name, _ in kept), weights.astype(np.float32))


@dataclass(frozen=True, slots=True)
class Rarity:
    """How rare each word, or each piece, is in a corpus: `steps` has a byte for each of HASHED columns."""

    steps: Array
    weights: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", (self.steps / np.float32(_STEPS)).astype(np.float32))

    def rows(self, counted: Matrix) -> Matrix:
        """`counted`, rows of counts, weighted."""
        found = counted.copy()
        found.data = ((1 + np.log(found.data)) * self.weights[found.indices]).astype(np.float32)
        return found


def rarity(counted: Matrix) -> Rarity:
    """Of `counted`, one row a text. What no text has is as rare as if half a text had it."""
    seen = np.bincount(counted.indices, minlength=HASHED)
    weights = np.log(max(counted.shape[0], 1) / np.maximum(seen, 0.5))
    return Rarity(np.clip(np.round(weights * _STEPS), 0, 255).astype(np.uint8))


def hashed(texts: Sequence[Words], split: Callable[[Words], Sequence[str]] = list) -> Matrix:
    """Counts of words, or of what `split` makes of them: a row of HASHED columns for each text."""
    known: dict[str, int] = {}

    def column(gram: str) -> int:
        if (found := known.get(gram)) is None:
            found = known[gram] = zlib.crc32(gram.encode("utf-8", "replace")) % HASHED
        return found

    found = counts(texts, split, column, HASHED)
    found.sum_duplicates()
    return found


def counts(
    texts: Sequence[Words], split: Callable[[Words], Sequence[str]], column: Callable[[str], int | None], width: int
) -> Matrix:
    """How often each gram is in each text. `column` gives a gram's column, None if it does not count."""
    starts, places, values = [0], list[int](), list[int]()
    for said in texts:
        found = Counter(place for gram in split(said) if (place := column(gram)) is not None)
        places += found.keys()
        values += found.values()
        starts.append(len(places))
    data = (np.array(values, np.float32), np.array(places, np.int32), np.array(starts, np.int64))
    made = sp.csr_matrix(data, shape=(len(texts), width))
    made.sort_indices()
    return made


def lengths_of(rows: Matrix) -> Floats:
    """The length of each row; 1 for empty ones."""
    squares = np.bincount(_row_numbers(rows), rows.data * rows.data, rows.shape[0])
    found: Floats = np.sqrt(np.where(squares == 0, 1, squares)).astype(np.float32)
    return found


def unit_rows(rows: Matrix) -> Matrix:
    """`rows` with length 1 each; empty ones stay so."""
    data = rows.data / lengths_of(rows)[_row_numbers(rows)]
    return sp.csr_matrix((data.astype(np.float32), rows.indices, rows.indptr), shape=rows.shape)


def _row_numbers(rows: Matrix) -> Array:
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))


def unit(vectors: Floats) -> Floats:
    """`vectors`, one a row, with length 1 each; those of length 0 stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    found: Floats = (vectors / lengths).astype(np.float32)
    return found
