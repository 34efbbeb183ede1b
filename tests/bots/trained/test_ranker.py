"""The ranker learns which answer fits, and that silence is better where none does."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained import forms, network, ranker
from bots.trained.corpora import joined
from bots.trained.grams import words
from bots.trained.talks import talks_of
from tests.bots.trained.corpora import conversations


@cache
def learnt() -> ranker.Ranker:
    return ranker.train([joined(talk) for talk in conversations().talks.values()])


def test_it_finds_the_answer_about_the_topic() -> None:
    talks = talks_of([joined(talk)[:2] for talk in [*conversations().talks.values()][:60]])
    lists = ranker.drawn(talks.answers, seed=1, missing=0)
    found = ranker.scores(learnt(), learnt().before(talks), learnt().answers(talks.answers), lists)
    assert (found.argmax(1) == 0).mean() >= 0.9


def test_what_fits_scores_above_silence_more_often_than_what_does_not() -> None:
    talks = talks_of([joined(talk)[:2] for talk in [*conversations().talks.values()][:60]])
    lists = ranker.drawn(talks.answers, seed=1, missing=2)
    found = ranker.scores(learnt(), learnt().before(talks), learnt().answers(talks.answers), lists).max(1)
    assert found[lists.right].mean() > found[~lists.right].mean() + 0.5


def test_training_twice_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    again = ranker.train([joined(talk) for talk in conversations().talks.values()])
    assert (again.network.inner == learnt().network.inner).all()
    assert (again.towers.tables[0] == learnt().towers.tables[0]).all()


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []
    ranker.train([joined(talk) for talk in conversations(100).talks.values()], told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_too_few_talks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 12"):
        ranker.train([["a", "b"]] * 11)


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=30), st.integers(0, 3))
def test_lists_have_the_right_answer_first_or_not_at_all(answers: list[str], missing: int) -> None:
    if len(set(answers)) < 2:
        with pytest.raises(ValueError, match="the same"):
            ranker.drawn(answers, seed=0, missing=missing)
        return
    lists = ranker.drawn(answers, seed=0, missing=missing, length=5)
    for i, candidates, right in zip(lists.i, lists.candidates, lists.right, strict=True):
        equal = [answers[j] == answers[i] for j in candidates]
        assert equal == [right, *[False] * 4]
    assert lists.right.all() or missing


def test_forms_do_not_see_how_somebody_writes() -> None:
    said, shouted = "don't you like a duck?", "DONT YOU LIKE A DUCK?"
    assert forms.forms(said, words(said)) == forms.forms(shouted, words(shouted))


def test_the_network_learns_to_be_silent_where_no_answer_is_right() -> None:
    chance = np.random.default_rng(1)
    lists = chance.standard_normal((2000, 5, 3)).astype(np.float32)
    right = np.zeros(2000, np.float32)
    right[::2] = 1
    lists[::2, 0, 0] += 6
    judge = network.learn(lists, right)
    best = judge.scores(lists.reshape(-1, 3)).reshape(2000, 5).max(1)
    assert (best[::2] > 0).mean() > 0.9
    assert (best[1::2] < 0).mean() > 0.9
