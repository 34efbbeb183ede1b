"""The trained brain answers from its model, says why, and is silent else."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bots.api import Question, Reply, Turn
from bots.brains.trained import Trained
from bots.load import load_brain
from bots.trained import modelfile
from bots.trained.known import Known
from bots.trained.model import Model, packed
from bots.trained.modelfile import Contents, write
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.model.text import plain, words
from tests.bots.trained.test_model import contents

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "duck.model"
    write(path, contents())
    return path


def question(text: str) -> Question:
    return Question("1", words(text), Sender("irc", "ann", "ann"), Room("irc", "#pond"), 0.0)


async def test_a_known_question_is_answered_with_slips_and_a_strange_one_is_not(file: Path) -> None:
    brain = Trained(Trained.Settings(model=file))
    said = await brain.reply(question("how do i jion"))
    assert isinstance(said, Reply)
    assert (said.text, "'How do I join?'" in said.why) == (words("Say request."), True)
    assert await brain.reply(question("zymurgify the quuxifier")) is None


async def test_small_talk_goes_by_what_was_said_before(file: Path) -> None:
    brain = Trained(Trained.Settings(model=file, shift=-100.0))
    asked = replace(question("and what of it?"), turns=(Turn("ann", "i like chess"), Turn("duck", "me too", ours=True)))
    said = await brain.reply(asked)
    assert said is not None
    assert said.why.startswith("chat ")


async def test_what_nobody_asked_it_is_left_alone(file: Path) -> None:
    brain = Trained(Trained.Settings(model=file))
    assert await brain.reply(replace(question("How do I join?"), called=False)) is None


async def test_stars_in_a_corpus_are_stars_in_the_room(tmp_path: Path) -> None:
    write(tmp_path / "m", packed(Model(Known(("stars?",)), (("*hic* <b>",),))))
    said = await Trained(Trained.Settings(model=tmp_path / "m")).reply(question("stars?"))
    assert said is not None
    assert not isinstance(said.text, str)
    assert plain(said.text) == "*hic* <b>"


async def test_of_several_answers_each_is_said(tmp_path: Path) -> None:
    write(tmp_path / "m", packed(Model(Known(("hi",)), (("hello", "hey"),))))
    brain = Trained(Trained.Settings(model=tmp_path / "m"), random.Random(1))
    assert {str(said and said.text) for said in [await brain.reply(question("hi")) for _ in range(20)]} == {
        str(words("hello")),
        str(words("hey")),
    }


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04"], ids=["empty", "zip"])
def test_a_file_that_is_no_model_is_an_error_with_its_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(ValueError, match=f"{tmp_path / 'm'}: "):
        load_brain("trained", {"model": str(tmp_path / "m")})


def test_a_file_that_is_not_there_is_one_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_brain("trained", {"model": str(tmp_path / "none")})


def test_two_bots_share_a_model_until_its_file_changes(file: Path, tmp_path: Path) -> None:
    from bots.trained.engine import load

    path = tmp_path / "m"
    write(path, modelfile.read(file))
    first = load(path)
    assert load(path) is first
    write(path, Contents({}, {"questions": ["a"], "answers": [["b"]], "threshold": 0.9}))
    assert load(path) is not first
