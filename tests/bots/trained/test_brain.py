"""The trained brain answers what its model knows, says why, and is silent else."""

from pathlib import Path

import pytest

from bots.api import Question, Reply
from bots.brains.trained import Trained
from bots.trained.modelfile import Contents, ModelError, write
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.model.text import words

pytestmark = pytest.mark.real_time


def made(path: Path, **texts: object) -> Trained:
    write(path, Contents({}, texts))
    return Trained(Trained.Settings(model=path))


def question(text: str) -> Question:
    return Question("1", words(text), Sender("irc", "ann", "ann"), Room("irc", "#pond"), 0.0)


async def test_a_known_question_is_answered_and_a_strange_one_is_not(tmp_path: Path) -> None:
    brain = made(tmp_path / "m", questions=["How do I join?"], answers=["Say request."], threshold=1.5)
    assert await brain.reply(question("how do i jion")) == Reply("Say request.", "1.74 'How do I join?'")
    assert await brain.reply(question("what is the weather like today")) is None


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no questions and answers"):
        made(tmp_path / "m", questions=["a"], answers=[], threshold=1.5)
