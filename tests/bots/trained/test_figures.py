"""The figures of docs/bots-trained.md on real corpora; of small talk, those of a fifth of it, as all take minutes."""

import random
from functools import cache

import numpy as np
import pytest

from bots.trained import desk, evaluation, ranker, training
from bots.trained.corpora import joined
from bots.trained.talks import talks_of
from tests.bots.trained.corpora import real

_TALKS = 600


@cache
def lines(language: str) -> dict[str, float]:
    """The figures of known questions in one language, by what they are about."""
    pairs = training.questions(desk.read([real("chatterbot_corpus", "data", language)]))
    chat = [text for talk in held_back()[:100] for text in talk]
    strangers = random.Random(0).sample(chat, 1000)
    found = evaluation.known_questions(language, pairs, strangers)
    return {line.what.partition(": ")[2]: float(line.figure) for line in found}


@cache
def conversations() -> list[tuple[list[str], bool]]:
    corpus = desk.read([real("chitchat_dataset", "dataset.json")])
    return [(joined(talk), held) for talk, held in training.conversations(corpus)]


def held_back() -> list[list[str]]:
    return [talk for talk, held in conversations() if held]


@pytest.mark.parametrize(("language", "least"), [("english", 0.95), ("spanish", 0.95), ("chinese", 0.96)])
def test_known_questions_are_found_with_two_slips_and_strangers_are_left_alone(language: str, least: float) -> None:
    figures = lines(language)
    two_slips = next(figures[what] for what in figures if what.endswith("two slips, the right one first"))
    assert two_slips >= least
    assert two_slips >= figures["the same, by rapidfuzz alone"]
    assert figures["of its answers to known questions and strangers, right"] >= 0.95
    assert figures["known questions with two slips that it answers rightly"] >= 0.8
    assert figures["strangers' talk that it answers"] <= 0.02


@pytest.fixture(scope="module")
def learnt() -> ranker.Ranker:
    return ranker.train([talk for talk, held in conversations() if not held][:_TALKS])


@pytest.mark.parametrize(("turns", "least"), [(5, 0.52), (1, 0.39)])
def test_context_and_learning_find_answers_of_talks_that_were_never_seen(
    learnt: ranker.Ranker, turns: int, least: float
) -> None:
    talks = talks_of(held_back()[:80])
    lists = ranker.drawn(talks.answers, seed=1, missing=0)
    found = ranker.scores(learnt, learnt.before(talks, turns), learnt.answers(talks.answers), lists)
    assert np.mean(found[:, 0] > found[:, 1:].max(1)) >= least
