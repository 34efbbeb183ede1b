"""Texts become rows of grams."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.grams import (
    LONGEST,
    grams,
    hashed,
    lengths_of,
    pieces,
    rarity,
    unit,
    unit_rows,
    vocabulary,
    words,
)
from tests.bots.trained.corpora import conversations

SAID = [words(text) for talk in conversations().talks.values() for _, text in talk]
KNOWN = vocabulary(SAID)


def test_words_are_in_lower_case_and_without_marks() -> None:
    assert words("Don’t PANIC, it's 42!") == ["dont", "panic", "its", "42"]


def test_each_chinese_character_is_a_word() -> None:
    assert words("你好 duck") == ["你", "好", "duck"]


def test_words_of_one_stem_share_pieces() -> None:
    assert pieces(["duck"]) == ["<duc", "duck", "uck>"]
    assert {"<duc", "duck"} <= {*pieces(["duck"])} & {*pieces(["ducks"])}


def test_a_short_text_is_split_into_words_pairs_and_pieces() -> None:
    assert grams(["a", "bc"]) == ["a", "bc", "^ a", "a bc", "bc $", "#<a>", "#<bc>"]
    assert grams([]) == []


@given(st.text(max_size=3000))
def test_any_text_costs_in_proportion_to_its_length(text: str) -> None:
    said = words(text)
    assert len(said) <= LONGEST
    assert len(grams(said)) <= 3 * len(said) + 1 + sum(map(len, said))


@given(st.lists(st.text(max_size=60), min_size=1, max_size=20))
def test_rows_have_length_one_or_are_empty(texts: list[str]) -> None:
    rows = unit_rows(KNOWN.rows([words(text) for text in texts]))
    filled = np.diff(rows.indptr) > 0
    lengths = np.asarray(rows.multiply(rows).sum(1)).ravel()
    assert lengths[filled] == pytest.approx(np.ones(filled.sum()), abs=1e-4)
    assert (lengths[~filled] == 0).all()
    assert (lengths_of(rows)[~filled] == 1).all()


def test_a_word_that_no_text_had_is_the_rarest() -> None:
    rare = rarity(hashed(SAID))
    weights = rare.rows(hashed([words("like zygote")]))
    common, strange = (weights[0, hashed([[word]]).indices[0]] for word in ("like", "zygote"))
    assert strange > common > 0
    assert rare.steps[hashed([["zygote"]]).indices[0]] == rare.steps.max()


def test_a_corpus_without_repeated_words_is_too_small() -> None:
    with pytest.raises(ValueError, match="too small"):
        vocabulary([["one"], ["two"]])


def test_a_vector_of_zeros_stays_one() -> None:
    assert (unit(np.zeros((2, 3), np.float32)) == 0).all()
