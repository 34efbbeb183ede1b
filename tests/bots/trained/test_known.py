"""Known questions are found in spite of slips, and strange ones are not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.known import Known, normalized, threshold

QUESTIONS = ("How do I join?", "Who can hear me?", "What is a duck?", "¿Quién eres?", "你是谁", "What is a bridge?")
KNOWN = Known(QUESTIONS)


@pytest.mark.parametrize(
    ("asked", "number"),
    [
        ("how do i jion", 0),
        ("WHO CAN HEAR ME", 1),
        ("wat is a dukc?", 2),
        ("quien eres", 3),
        ("你是誰", 4),
        ("a bridge is what", 5),
    ],
)
def test_a_question_is_found_in_spite_of_slips(asked: str, number: int) -> None:
    found = KNOWN.nearest(asked)
    assert found is not None
    assert found.number == number


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_same_words_score_one(question: str) -> None:
    found = KNOWN.answerable(question)
    assert found is not None
    assert found.score == pytest.approx(1, abs=1e-4)


def test_a_strange_question_is_not_answered() -> None:
    assert KNOWN.answerable("how do I configure TLS certificates in inspircd?") is None
    assert KNOWN.nearest("§") is None


def test_without_questions_there_is_no_answer() -> None:
    assert Known(()).nearest("hello") is None


@given(st.text(max_size=500))
def test_any_text_has_a_score_of_one_at_most(text: str) -> None:
    found = KNOWN.nearest(text)
    assert found is None or 0 <= found.score <= 1


@given(st.text(max_size=300))
def test_normal_texts_stay_as_they_are(text: str) -> None:
    assert len(normalized(text)) <= 3 * 200


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9, 1.2]), st.booleans()), max_size=50))
def test_above_the_threshold_the_precision_holds(scored: list[tuple[float, bool]]) -> None:
    cut = threshold(scored, 0.8)
    above = [right for score, right in scored if score >= cut]
    assert not above or sum(above) >= 0.8 * len(above)
    assert above or cut == math.inf
