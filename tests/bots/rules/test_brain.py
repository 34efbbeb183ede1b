"""The rules brain: its file, and what it remembers of whom, for which audience."""

from dataclasses import replace
from pathlib import Path

import pytest

from bots.api import Question, Reply
from bots.brains.rules import Rules
from bots.rules import RulesError
from bridge.model.event import Room
from bridge.model.text import plain, words
from tests.bots.home import FakeHome
from tests.events import HOME, LIBERA, irc, matrix

_RULES = """
rules:
  - {match: "i like *", answer: "<set liked=<star>>I see."}
  - {match: "what do i like", answer: "You like <get liked|nothing that I know of>."}
  - {match: "quiz", answer: "<topic=quiz>How many?"}
  - {match: "two", topic: quiz, answer: "Right."}
  - {match: "forget me", answer: "<forget>Forgotten."}
  - {match: "silence", answer: "<set a=b>"}
"""
_BOB = Question("1", words(""), replace(matrix("bob"), user="bob"), HOME, 1.0, link="pond", carried=True)


@pytest.fixture
def home() -> FakeHome:
    return FakeHome()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "my.yaml").write_text(_RULES)
    return tmp_path / "my.yaml"


async def _ask(brain: Rules, question: Question, text: str) -> str | None:
    reply = await brain.reply(replace(question, text=words(text)))
    if reply is None:
        return None
    assert isinstance(reply, Reply)
    assert ", line " in reply.why
    return reply.text if isinstance(reply.text, str) else plain(reply.text)


def _brain(file: Path, home: FakeHome) -> Rules:
    return Rules(Rules.Settings(file=file), home)


async def test_what_people_tell_lasts_over_a_restart(file: Path, home: FakeHome) -> None:
    await _ask(_brain(file, home), _BOB, "I like old ponds")
    elsewhere = replace(_BOB, room=LIBERA, asker=replace(irc("bobby"), user="bob"))
    assert await _ask(_brain(file, home), elsewhere, "what do I like?") == "You like old ponds."
    assert await _ask(_brain(file, home), replace(_BOB, asker=matrix("eve")), "what do I like?") == (
        "You like nothing that I know of."
    )


async def test_what_was_said_to_one_audience_is_not_told_to_another(file: Path, home: FakeHome) -> None:
    brain = _brain(file, home)
    private = replace(_BOB, private=True, link="", carried=False, room=Room("home", "!dm"))
    audiences = [
        _BOB,
        private,
        replace(_BOB, link="lake"),
        replace(_BOB, carried=False),
        replace(_BOB, carried=False, room=LIBERA),
    ]
    for number, question in enumerate(audiences):
        assert await _ask(brain, question, "what do i like") == "You like nothing that I know of."
        await _ask(brain, question, f"I like number {number}")
    for number, question in enumerate(audiences):
        assert await _ask(brain, question, "what do i like") == f"You like number {number}."
    on_irc = replace(private, room=Room("libera", "bob"), asker=replace(irc("bob"), user="bob"))
    assert await _ask(brain, on_irc, "what do i like") == "You like number 1."


async def test_forget_me_forgets_it_before_all_audiences_and_nobody_elses(file: Path, home: FakeHome) -> None:
    brain, eve = _brain(file, home), replace(_BOB, asker=matrix("eve"))
    private = replace(_BOB, private=True, link="", carried=False)
    for question in (_BOB, private, eve):
        await _ask(brain, question, "I like ponds")
    assert await _ask(_brain(file, home), _BOB, "forget me") == "Forgotten."
    assert len(home.memory.kept) == 1
    for again in (brain, _brain(file, home)):
        assert await _ask(again, eve, "what do i like") == "You like ponds."
    assert await _ask(_brain(file, home), private, "what do i like") == "You like nothing that I know of."


async def test_a_guest_of_whom_nothing_is_proved_is_remembered_while_connected(file: Path, home: FakeHome) -> None:
    brain = _brain(file, home)
    eve = replace(_BOB, asker=replace(irc("eve"), connection="7"), room=LIBERA, carried=False)
    await _ask(brain, eve, "I like secrets")
    assert home.memory.kept == {}
    assert await _ask(brain, replace(eve, asker=replace(irc("eve2"), connection="7")), "what do i like") == (
        "You like secrets."
    )
    assert await _ask(brain, replace(eve, asker=replace(irc("eve"), connection="8")), "what do i like") == (
        "You like nothing that I know of."
    )


async def test_guests_fill_no_more_than_their_share_of_the_memory(file: Path, home: FakeHome) -> None:
    brain = _brain(file, home)
    await _ask(brain, _BOB, "I like ponds")
    for number in range(1_010):
        await _ask(brain, replace(_BOB, asker=matrix(f"eve{number}")), "I like spam")
    assert len(home.memory.kept) == 1_001
    assert await _ask(_brain(file, home), _BOB, "what do i like") == "You like ponds."


async def test_a_full_memory_costs_no_answer(file: Path, home: FakeHome) -> None:
    home.memory.limit = 0
    brain = _brain(file, home)
    assert await _ask(brain, _BOB, "I like ponds") == "I see."
    assert await _ask(brain, _BOB, "what do i like") == "You like ponds."


async def test_a_topic_is_one_persons_and_ends_after_ten_minutes(file: Path, home: FakeHome) -> None:
    brain = _brain(file, home)
    await _ask(brain, _BOB, "quiz")
    assert await _ask(brain, replace(_BOB, asker=matrix("eve")), "two") is None
    assert await _ask(brain, replace(_BOB, time=600.0), "two") == "Right."
    assert await _ask(brain, replace(_BOB, time=1_201.0), "two") is None


async def test_an_answer_without_words_is_none(file: Path, home: FakeHome) -> None:
    assert await _ask(_brain(file, home), _BOB, "silence") is None
    assert len(home.memory.kept) == 1


def test_a_broken_file_is_told_with_its_place(tmp_path: Path, home: FakeHome) -> None:
    (tmp_path / "bad.yaml").write_text("rules:\n  - match: (a\n    answer: b\n")
    with pytest.raises(RulesError, match=r'bad\.yaml:2: rule "\(a": '):
        _brain(tmp_path / "bad.yaml", home)
    with pytest.raises(OSError, match="No such file"):
        _brain(tmp_path / "none.yaml", home)
