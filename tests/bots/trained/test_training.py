"""A model is made of questions and conversations; a tenth of the conversations is never learnt from."""

from pathlib import Path

import pytest

from bots.trained import training
from bots.trained.corpora import Corpus, Talk
from bots.trained.known import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from bots.trained.reply import answer
from tests.bots.trained.corpora import conversations, questions


def test_questions_alone_make_a_model_without_small_talk() -> None:
    model = training.train([questions()])
    assert model.chat is None
    said = answer(model, ["how do i jion"])
    assert said is not None
    assert (said.text, said.why.startswith("known 0.")) == ("Say request.", True)
    assert answer(model, ["do you like cats?"]) is None


def test_conversations_make_small_talk() -> None:
    told: list[float] = []
    model = training.train([questions(), conversations()], told.append)
    assert model.chat is not None
    assert {"yes cats are fun", "no rain bore me"} <= {*model.chat.messages}
    best = model.chat.best(["do you like cats?"])
    assert best is not None
    assert "cats" in best.text
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert model.corpora == {"questions": "3 conversations in 1 files", "talks": "400 conversations in 1 files"}


def test_what_is_held_back_is_a_tenth_and_stays_the_same() -> None:
    corpora = [conversations(1000)]
    held = [talk for talk, held in training.conversations(corpora) if held]
    assert 60 <= len(held) <= 140
    assert held == [talk for talk, held in training.conversations(corpora) if held]


def test_what_is_held_back_is_not_said() -> None:
    model = training.train([conversations()])
    assert model.chat is not None
    told = [(talk[-1][1], is_held) for talk, is_held in training.conversations([conversations()])]
    assert {is_held for _, is_held in told} == {True, False}
    assert all((goodbye in model.chat.messages) is not is_held for goodbye, is_held in told)


def test_questions_that_have_little_in_common_are_not_meant_whatever_was_learnt() -> None:
    assert training.known_threshold([(0.3, True)] * 100) == LOWEST_THRESHOLD
    assert training.known_threshold([(1.0, False)] * 100) == HIGHEST_THRESHOLD


def test_a_conversation_that_is_there_twice_counts_once() -> None:
    talk: Talk = (("a", "hi"), ("b", "ho"))
    assert len([*training.conversations([Corpus(Path("a.log"), {"1": talk, "2": talk})])]) == 1


def test_each_turn_of_a_question_corpus_is_a_question_and_answers_gather() -> None:
    first: Talk = (("0", "Hello"), ("1", "Hi"), ("0", "How are you?"), ("1", "Fine"))
    second: Talk = (("0", "hello!"), ("1", "Hey"))
    corpus = Corpus(Path("a.yml"), {"1": first, "2": second}, questions=True)
    assert training.questions([corpus]) == {"Hello": ("Hi", "Hey"), "Hi": ("How are you?",), "How are you?": ("Fine",)}


def test_strangers_talk_makes_the_threshold_higher() -> None:
    alone = training.train([_topics("What is {}?")])
    beside = training.train([_topics("What is {}?"), _topics("What is {}i?", questions=False)])
    assert alone.known is not None
    assert beside.known is not None
    assert LOWEST_THRESHOLD <= alone.known.threshold < beside.known.threshold <= 0.95


def _topics(form: str, *, questions: bool = True) -> Corpus:
    firsts, lasts = ("al", "be", "ga", "de", "ep", "ze", "et", "th"), ("ra", "mo", "ki", "su")
    names = [first + last for first in firsts for last in lasts]
    names = [*names, *(name[::-1] for name in names)] * (1 if questions else 4)
    talks = {str(at): (("0", form.format(name)), ("1", f"{name} {chr(97 + at % 26)}")) for at, name in enumerate(names)}
    return Corpus(Path("topics/a.csv"), talks, questions)


@pytest.mark.parametrize("corpora", [[], [conversations(100)]], ids=["nothing", "few"])
def test_too_little_is_an_error_in_words(corpora: list[Corpus]) -> None:
    with pytest.raises(ValueError, match="no question with an answer, and fewer than 200 conversations"):
        training.train(corpora)
