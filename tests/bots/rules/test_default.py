"""The rules that come with the bridge: their examples, what strangers ask first, and the language of the answers."""

from dataclasses import replace

import pytest

from bots.api import Question, Reply
from bots.brains.rules import Rules
from bots.rules import DEFAULT, read_file
from bots.rules.examples import failures
from bridge.model.event import Room
from bridge.model.people import Role
from bridge.model.text import Text, plain, words
from tests.bots.home import FakeHome
from tests.events import HOME, irc, matrix

_GUEST = Question("1", words(""), irc("eve"), HOME, 1.0, link="pond")
_WHAT = "I am a bot."
_JOIN = "Only members are carried to the other side."


async def _answer(question: Question, text: str) -> str | None:
    reply = await Rules(Rules.Settings(), FakeHome()).reply(replace(question, text=words(text)))
    if reply is None:
        return None
    assert isinstance(reply, Reply)
    said: str | Text = reply.text
    return plain(said) if isinstance(said, tuple) else said


def test_all_its_examples_are_right() -> None:
    script = read_file(DEFAULT)
    assert len(script.examples) > 100
    assert [*map(str, failures(script))] == []


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("help", _WHAT),
        ("  HELP!! ", _WHAT),
        ("hi, duck: what can you do?", _WHAT),
        ("who are you", _WHAT),
        ("Who's this?", _WHAT),
        ("What\u2019s this?", _WHAT),
        ("WHAT IS THIS???", _WHAT),
        ("wh\u200bat is th\u00adis", _WHAT),
        ("\uff57\uff48\uff4f are you", _WHAT),
        ("how do I join", _JOIN),
        ("so how can i   become a member, please?", _JOIN),
        ("can you add me", _JOIN),
        ("hello! Could you let me in please", _JOIN),
        ("I'd like to join", _JOIN),
        ("why can nobody hear me?", _JOIN),
    ],
)
async def test_a_known_question_is_known_in_any_case_spacing_and_politeness(text: str, begins: str) -> None:
    assert (await _answer(_GUEST, text) or "").startswith(begins)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?!",
        "please",
        "helpful",
        "help the others",
        "how do I join two strings in Python",
        "what is this song",
        "who are you talking to",
        "join us for lunch",
        "h e l p",
        "help " * 50,
        "hello darkness my old friend",
        "danke nein",
        "que sera sera",
        "你是我的朋友",
    ],
)
async def test_what_only_begins_like_a_known_question_is_left_to_the_next_brain(text: str) -> None:
    assert await _answer(_GUEST, text) is None


async def test_a_guest_is_told_what_this_is_that_only_members_are_carried_and_how_to_become_one() -> None:
    for text in ("help", "who are you", "what is this", "can you add me"):
        said = await _answer(_GUEST, text) or ""
        assert "nly members are carried" in said
        assert "say `request` to me" in said
        assert len(said) < 300
        assert "\n" not in said
    assert "between Matrix and IRC" in (await _answer(_GUEST, "what is this") or "")


async def test_somebody_who_is_carried_is_not_told_to_ask() -> None:
    member = replace(_GUEST, asker=replace(matrix("alice"), user="alice"), role=Role.MEMBER, carried=True)
    for question in (member, replace(_GUEST, carried=True)):
        for text in (
            "how do I join?",
            "Wie kann ich beitreten?",
            "¿Cómo puedo unirme?",
            "comment devenir membre",
            "怎么加入",
        ):
            assert "request" not in (await _answer(question, text) or "request")


async def test_a_user_is_told_as_whom_the_bridge_knows_them() -> None:
    user = replace(_GUEST, asker=replace(matrix("alice"), user="alice"), role=Role.MEMBER)
    assert "no member of this conversation: ask an admin" in (await _answer(user, "how do I join?") or "")
    private = replace(user, room=Room("home", "!x:hs"), private=True, link="")
    assert "I know you as alice" in (await _answer(private, "how do I join?") or "")


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("how do I join?", "members"),
        ("Wie kann ich beitreten?", "Mitglied"),
        ("¿Cómo puedo unirme?", "miembro"),
        ("Comment devenir membre ?", "membres"),
        ("怎么加入？", "成员"),
        ("who can hear me?", "room"),
        ("Wer hört mich?", "Raum"),
        ("¿Quién me oye?", "sala"),
        ("Qui m'entend ?", "salon"),
        ("谁能听到我？", "房间"),
        ("thanks", "wel|plea|time"),
        ("danke!", "Bitte|Gern"),
        ("gracias", "nada|gusto"),
        ("merci", "rien|plaisir"),
        ("谢谢", "不"),
    ],
)
async def test_the_answer_is_in_the_language_of_the_question(question: str, word: str) -> None:
    said = await _answer(_GUEST, question) or ""
    assert any(each in said for each in word.split("|"))
