"""Free chat says what fits, not what was said already, and nothing about what it does not know."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.chat import Chat, words_of
from tests.bots.trained.test_model import model


def chat() -> Chat:
    found = model().chat
    assert found is not None
    return found


def test_what_was_said_already_is_not_said_again() -> None:
    turns = ["do you like cats?"]
    for _ in range(3):
        best = chat().best(turns)
        assert best is not None
        assert words_of(best.text) not in map(words_of, turns)
        turns += [best.text, "do you like cats?"]


def test_if_all_was_said_already_there_is_nothing_left() -> None:
    said = "yes cats are fun"
    place = chat().messages.index(said)
    one = replace(chat(), messages=(said,), vectors=chat().vectors[place : place + 1])
    assert one.best(["do you like cats?"]) is not None
    assert one.best(["Yes, cats ARE fun!", "do you like cats?"]) is None


def test_the_part_of_strange_words_is_taken_off_the_score(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["zymurgify quuxifier"]
    before = chat().best(asked)
    monkeypatch.setattr("bots.trained.chat._STRANGE", 0.0)
    after = chat().best(asked)
    assert before is not None
    assert after is not None
    assert after.score - before.score == pytest.approx(4, abs=1e-3)


def test_words_that_no_corpus_had_make_it_silent() -> None:
    known, strange = chat().best(["do you like cats?"]), chat().best(["how to zymurgify the quuxifier?"])
    assert known is not None
    assert strange is not None
    assert known.score > strange.score + 2
    assert chat().answer(["how to zymurgify the quuxifier?"]) is None


def test_the_shift_makes_it_silent_more_often() -> None:
    assert chat().answer(["do you like cats?"], shift=-100) is not None
    assert chat().answer(["do you like cats?"], shift=100) is None


@given(st.lists(st.text(max_size=200), min_size=1, max_size=12))
def test_any_turns_have_an_answer_or_none(turns: list[str]) -> None:
    best = chat().best(turns)
    assert best is None or best.text in chat().messages
