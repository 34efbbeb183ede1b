"""Texts as sparse rows: words and pairs of words, weighted by how rare they are. Pure.

Time and memory are linear in the length of a text, of which `LONGEST` words count.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import regex
import scipy.sparse as sp  # type: ignore[import-untyped]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]
Matrix: TypeAlias = Any
"""A scipy.sparse.csr_matrix of float32: one row a text."""

LONGEST = 200
"""Words of a text that count."""
COMMONEST = 30_000
_WORD = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}]|[^\W_]+(?:['\u2019][^\W_]+)?")
_START, _END = "^", "$"
_PAIR = " "
"""Stands between the two words of a pair. No word has one."""
_WORD_SEEN, _PAIR_SEEN = 2, 4
_HASHED = 1 << 20
"""Columns of rows of all words."""


def words(text: str) -> list[str]:
    """The words of `text` in lower case; each character of Chinese, Japanese and Thai is a word."""
    found = _WORD.findall(text[: LONGEST * 12].lower().replace("\u2019", "'"))
    return [str(each) for each in found[:LONGEST]]


def grams(said: Sequence[str]) -> list[str]:
    """The words, and the pairs of neighbours with marks for start and end."""
    if not said:
        return []
    return [*said, *map(_PAIR.join, zip([_START, *said], [*said, _END], strict=True))]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which grams count, and the weight of each. `rarest`: the weight of a word that is not among them."""

    names: tuple[str, ...]
    weights: Floats
    index: dict[str, int] = field(init=False, repr=False)
    rarest: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {name: place for place, name in enumerate(self.names)})
        object.__setattr__(self, "rarest", float(self.weights.max(initial=1.0)))

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, texts: Sequence[Sequence[str]]) -> Matrix:
        """A row of length 1 for each text, a list of words; of length 0 if no gram of it is known."""
        starts, places, values = [0], list[int](), list[float]()
        for said in texts:
            counted = Counter(place for each in grams(said) if (place := self.index.get(each)) is not None)
            places += counted.keys()
            values += counted.values()
            starts.append(len(places))
        at = np.array(places, np.int32)
        data = (1 + np.log(np.array(values, np.float32))) * self.weights[at]
        shape = (len(texts), len(self))
        found = sp.csr_matrix((data.astype(np.float32), at, np.array(starts, np.int64)), shape=shape)
        found.sort_indices()
        return unit_rows(found)

    def word_rows(self, texts: Sequence[Sequence[str]]) -> Matrix:
        """Rows of all words, also of those that no corpus had: two who share such a word speak of the same thing."""
        starts, places, values = [0], list[int](), list[float]()
        for said in texts:
            for word, count in Counter(said).items():
                known = self.index.get(word)
                places.append(zlib.crc32(word.encode("utf-8", "replace")) % _HASHED)
                values.append((1 + math.log(count)) * (self.rarest if known is None else float(self.weights[known])))
            starts.append(len(places))
        at, data = np.array(places, np.int32), np.array(values, np.float32)
        found = sp.csr_matrix((data, at, np.array(starts, np.int64)), shape=(len(texts), _HASHED))
        found.sum_duplicates()
        return unit_rows(found)


def vocabulary(texts: Iterable[Sequence[str]], most: int = COMMONEST) -> Vocabulary:
    """Of `texts`, lists of words: the commonest grams. Raises ValueError if none is seen often enough."""
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


def unit_rows(rows: Matrix) -> Matrix:
    """`rows` with length 1 each; those of length 0 stay so."""
    squares = np.add.reduceat(np.append(rows.data**2, 0), rows.indptr[:-1]) if rows.shape[0] else np.zeros(0)
    filled = np.diff(rows.indptr)
    lengths = np.sqrt(np.where(filled > 0, squares, 1))
    lengths[lengths == 0] = 1
    found = rows.copy()
    found.data = (found.data / np.repeat(lengths, filled)).astype(np.float32)
    return found


def unit(vectors: Floats) -> Floats:
    """`vectors`, one a row, with length 1 each; those of length 0 stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    found: Floats = (vectors / lengths).astype(np.float32)
    return found
