"""Which turns were said before each answer."""

from hypothesis import given
from hypothesis import strategies as st

from bots.trained.talks import LONGEST, Window, question, talks_of

TALKS = talks_of([["a", "b", "c"], ["d", "e"]])


def seen(window: Window, cut: int = LONGEST) -> list[list[str]]:
    rows = TALKS.view(window, cut)
    return [[TALKS.turns[place] for place in rows[row].indices] for row in range(len(TALKS))]


def test_each_turn_but_the_first_of_a_talk_is_an_answer() -> None:
    assert TALKS.answers == ["b", "c", "e"]


def test_a_view_ends_where_the_talk_begins() -> None:
    assert seen(Window(1)) == [["a"], ["b"], ["d"]]
    assert seen(Window(2, 2)) == [[], ["a"], []]
    assert seen(Window(8), cut=1) == [["a"], ["b"], ["d"]]


def test_what_is_further_back_counts_less() -> None:
    view = TALKS.view(Window(8, fade=0.5))
    assert view[1].toarray().ravel().tolist() == [0.5, 1.0, 0.0, 0.0, 0.0]


def test_a_question_is_before_an_answer_that_is_not_there_yet() -> None:
    asked = question([*"abcdefghij"])
    assert asked.turns == tuple("cdefghij")
    assert asked.view(Window(1)).indices.tolist() == [LONGEST - 1]


@given(st.lists(st.lists(st.text(max_size=3), max_size=12), max_size=8), st.integers(1, LONGEST))
def test_each_turn_back_is_seen_by_as_many_answers_as_have_one(talks: list[list[str]], back: int) -> None:
    found = talks_of(talks)
    view = found.view(Window(back, back))
    assert view.nnz == sum(max(len(talk) - back, 0) for talk in talks)
