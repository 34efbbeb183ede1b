"""A model comes out of its file as it went in; a file whose parts do not fit is refused, whatever is in it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.trained import modelfile, training
from bots.trained.model import Model, packed, unpacked
from bots.trained.modelfile import Contents, ModelError
from bots.trained.reply import answer
from tests.bots.trained.corpora import conversations, questions


@cache
def model() -> Model:
    return training.train([questions(), conversations()])


@cache
def contents() -> Contents:
    return packed(model())


def changed(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Contents:
    arrays, texts = dict(contents().arrays), {key: _list(value) for key, value in contents().texts.items()}
    change(arrays, texts)
    return Contents(arrays, texts)


def _list(value: Any) -> Any:
    return [_list(each) for each in value] if isinstance(value, tuple) else value


def test_a_model_says_the_same_after_it_was_written(tmp_path: Path) -> None:
    modelfile.write(tmp_path / "m", contents())
    again = unpacked(modelfile.read(tmp_path / "m"))
    longer = ["do you like rain?", "yes rain are fun", "and what of chess?"]
    for turns in (["How do I join?"], ["do you like cats?"], longer):
        before, after = answer(model(), turns), answer(again, turns)
        assert before is not None
        assert after is not None
        assert before.text == after.text
    assert again.corpora == model().corpora
    assert again.curve == model().curve


def _cut(name: str) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    return lambda arrays, texts: arrays.update({name: arrays[name][:-1]})


def _with(name: str, value: object) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    return lambda arrays, texts: texts.update({name: value})


CHANGES: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], object], str]] = {
    "fewer rows": (_cut("table 0"), "'table 0'"),
    "fewer messages": (_cut("messages"), "'messages'"),
    "fewer weights": (_cut("weights"), "'weights'"),
    "no network": (lambda arrays, texts: arrays.pop("network inner"), "'network inner'"),
    "other numbers": (lambda arrays, texts: arrays.update(words=arrays["words"].astype(np.int8)), "'words'"),
    "no number": (lambda arrays, texts: arrays.update(weights=arrays["weights"] * np.nan), "out of bounds"),
    "endless": (lambda arrays, texts: arrays.update(weights=arrays["weights"] * np.inf), "out of bounds"),
    "no spread": (lambda arrays, texts: arrays.update({"network spread": arrays["network spread"] * 0}), "above zero"),
    "other questions": (_with("questions", ["a"]), "not as many answers"),
    "no text": (_with("questions", [1, 2, 3]), "no text"),
    "no answer": (_with("answers", [["a"], ["b"], []]), "'answers'"),
    "no list": (_with("messages", "hi"), "'messages'"),
    "too long": (_with("messages", ["x" * 5000] * 3), "too long"),
    "threshold": (_with("threshold", "high"), "'threshold'"),
    "threshold is no number": (_with("chat threshold", float("nan")), "'chat threshold'"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_whose_parts_do_not_fit_is_refused(name: str) -> None:
    change, error = CHANGES[name]
    with pytest.raises(ModelError, match=error):
        unpacked(changed(change))


def test_an_empty_file_is_no_model() -> None:
    with pytest.raises(ModelError, match="neither"):
        unpacked(Contents({}, {}))


VALUES = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)
NAMES = ("answers", "chat threshold", "corpora", "curve", "grams", "messages", "questions", "threshold")


@given(st.sampled_from(NAMES), VALUES)
def test_any_value_in_place_of_a_text_is_refused_or_makes_a_model(name: str, value: object) -> None:
    try:
        found = unpacked(changed(_with(name, value)))
    except ModelError:
        return
    answer(found, ["do you like cats?"])
