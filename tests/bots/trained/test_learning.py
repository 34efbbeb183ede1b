"""Vocabulary, towers, features and network on small talks that were made up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained import features, forms, network, towers
from bots.trained.grams import LONGEST, grams, unit, vocabulary, words

TOPICS = [f"topic{n}" for n in range(20)]
TALKS = [(f"do you like {topic}", f"yes {topic} is fun") for topic in TOPICS] * 8


def test_words_are_in_lower_case_and_without_marks() -> None:
    assert words("Don’t PANIC, it's 42!") == ["don't", "panic", "it's", "42"]


def test_each_chinese_character_is_a_word() -> None:
    assert words("你好 duck") == ["你", "好", "duck"]


@given(st.text(max_size=3000))
def test_any_text_has_few_words_and_about_twice_as_many_grams(text: str) -> None:
    said = words(text)
    assert len(said) <= LONGEST
    assert len(grams(said)) == (2 * len(said) + 1 if said else 0)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=20))
def test_rows_have_length_one_or_no_known_gram(texts: list[str]) -> None:
    known = vocabulary([words(said) for pair in TALKS for said in pair])
    rows = known.rows([words(text) for text in texts])
    squares = np.asarray(rows.multiply(rows).sum(1)).ravel()
    filled = np.diff(rows.indptr) > 0
    assert squares[filled] == pytest.approx(np.ones(filled.sum()), abs=1e-4)
    assert (squares[~filled] == 0).all()


def test_a_corpus_without_repeated_words_is_too_small() -> None:
    with pytest.raises(ValueError, match="too small"):
        vocabulary([["one"], ["two"]])


def test_parts_are_counted_from_the_end() -> None:
    turns = [[str(n)] for n in range(1, 10)]
    assert features.parts(turns) == [["9"], ["8"], ["5", "6", "7"], ["2", "3", "4"], ["5", "6", "7", "8", "9"]]


def test_parts_of_a_short_talk_are_empty() -> None:
    assert features.parts([["hi"]]) == [["hi"], [], [], [], ["hi"]]


def test_forms_do_not_see_how_somebody_writes() -> None:
    plain, shouted = "are you a duck?", "ARE YOU A DUCK?"
    assert forms.forms(plain, words(plain)) == forms.forms(shouted, words(shouted))


def test_towers_and_network_learn_which_answer_is_about_the_topic() -> None:
    """Of ten answers about ten topics, the right one gets the highest score for nearly all talks."""
    known = vocabulary([words(said) for pair in TALKS for said in pair])
    asked = [known.rows([words(a) for a, _ in TALKS])] + [known.rows([[] for _ in TALKS])] * 2
    told = [b for _, b in TALKS]
    learnt = towers.learn(asked, known.rows([words(b) for b in told]), told, passes=20)
    said = features.before(known, learnt, [[a] for a, _ in TALKS[:20]])
    replies = features.answers(known, learnt, told[:20])
    near = features.likely(said.vectors, said.vectors, replies.vectors)
    choice = np.array([[(row + step) % 20 for step in range(10)] for row in range(20)])
    rows = features.features(said, near, replies, np.repeat(np.arange(20), 10), choice.ravel())
    lists = rows.reshape(20, 10, -1)
    judge = network.learn(np.tile(lists, (8, 1, 1)), np.ones(160, np.float32))
    scores = judge.scores(rows).reshape(20, 10)
    assert (scores.argmax(1) == 0).mean() >= 0.9


def test_the_network_learns_to_be_silent_where_no_answer_is_right() -> None:
    chance = np.random.default_rng(1)
    lists = chance.standard_normal((600, 5, 3)).astype(np.float32)
    right = np.zeros(600, np.float32)
    right[::2] = 1
    lists[::2, 0, 0] += 6
    judge = network.learn(lists, right, passes=30)
    best = judge.scores(lists.reshape(-1, 3)).reshape(600, 5).max(1)
    assert (best[::2] > 0).mean() > 0.9
    assert (best[1::2] < 0).mean() > 0.9


def test_a_vector_of_zeros_stays_one() -> None:
    assert (unit(np.zeros((2, 3), np.float32)) == 0).all()
