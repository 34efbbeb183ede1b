"""What is learnt from corpora: known questions and a threshold."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained.corpora import Corpus
from bots.trained.training import slipped, train


def test_each_question_is_kept_once_with_its_first_answer() -> None:
    talks = {"1": (("0", "Hi!"), ("1", "Ho")), "2": (("0", "hi"), ("1", "Hu"))}
    found = train([Corpus(Path("a.yml"), talks)]).texts
    assert (found["questions"], found["answers"], found["corpora"]) == (["Hi!"], ["Ho"], {"a.yml": 2})


def test_without_a_question_there_is_no_model() -> None:
    with pytest.raises(ValueError, match="no question"):
        train([Corpus(Path("a.yml"), {})])


@given(st.text(min_size=1, max_size=100), st.integers(0, 99))
def test_a_slip_leaves_something(text: str, seed: int) -> None:
    assert slipped(text, random.Random(seed))
