"""What strangers ask the duck first: the table of questions, and the answers by who asks where."""

from dataclasses import replace

import pytest

from bots import faq
from bots.api import Question
from bots.brains.echo import Echo
from bots.faq import Topic
from bridge.model.event import Room
from bridge.model.people import Role
from bridge.model.text import plain, words
from tests.events import HOME, irc, matrix
from tests.work import lines

pytestmark = pytest.mark.real_time


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("help", Topic.HELP),
        ("  HELP!! ", Topic.HELP),
        ("hi, duck: what can you do?", Topic.HELP),
        ("who are you", Topic.WHAT),
        ("Who's this?", Topic.WHAT),
        ("What\u2019s this?", Topic.WHAT),
        ("WHAT IS THIS???", Topic.WHAT),
        ("wh\u200bat is th\u00adis", Topic.WHAT),
        ("\uff57\uff48\uff4f are you", Topic.WHAT),
        ("how do I join", Topic.JOIN),
        ("so how can i   become a member, please?", Topic.JOIN),
        ("can you add me", Topic.JOIN),
        ("hello! Could you let me in please", Topic.JOIN),
        ("I'd like to join", Topic.JOIN),
        ("why can nobody hear me?", Topic.JOIN),
    ],
)
def test_a_known_question_is_known_in_any_case_spacing_and_politeness(text: str, topic: Topic) -> None:
    assert faq.topic(text) is topic


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
    ],
)
def test_what_only_begins_like_a_known_question_is_left_to_the_brain(text: str) -> None:
    assert faq.topic(text) is None


def test_a_question_of_any_length_and_kind_costs_next_to_nothing() -> None:
    usual = lines(lambda: faq.topic("how do i join this place please"))
    for text in ("please " * 200_000, "\u0345" * 1_000_000, "help please " * 16, "\ufdfa" * 200):
        assert lines(lambda text=text: faq.topic(text)) < 200 * usual  # type: ignore[misc]


_GUEST = Question("1", words("how do I join?"), irc("eve"), HOME, 1.0, link="pond")


async def _answer(question: Question, text: str = "how do I join?") -> str:
    return plain(await Echo().reply(replace(question, text=words(text))) or ())


async def test_a_guest_is_told_what_this_is_that_only_members_are_carried_and_how_to_become_one() -> None:
    for text in ("help", "who are you", "what is this", "can you add me"):
        said = await _answer(_GUEST, text)
        assert "nly members are carried" in said
        assert "say `request` to me" in said
        assert len(said) < 300
        assert "\n" not in said
    assert "between Matrix and IRC" in await _answer(_GUEST, "what is this")


async def test_somebody_who_is_carried_is_not_told_to_ask() -> None:
    member = replace(_GUEST, asker=replace(matrix("alice"), user="alice"), role=Role.MEMBER, carried=True)
    for question in (member, replace(_GUEST, carried=True)):
        said = await _answer(question)
        assert "What you say here is carried." in said
        assert "request" not in said


async def test_a_user_is_told_as_whom_the_bridge_knows_them() -> None:
    user = replace(_GUEST, asker=replace(matrix("alice"), user="alice"), role=Role.MEMBER)
    assert "not a member of this conversation: ask an admin" in (await _answer(user)).replace(
        "no member", "not a member"
    )
    assert "I know you as alice" in await _answer(replace(user, room=Room("home", "!x:hs"), private=True, link=""))


async def test_the_echo_brain_still_repeats_everything_else() -> None:
    assert await _answer(_GUEST, "how do I join two strings?") == "how do I join two strings?"
    assert await _answer(_GUEST, "") == "Quack!"
