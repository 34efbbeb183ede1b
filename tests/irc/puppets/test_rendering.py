"""Which posts a puppet may say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.operations import React, Say, Voice, decode, encode
from bridge.irc.puppets.connection import line_of
from bridge.model.event import Kind, Message, Reaction
from bridge.model.people import GUEST
from bridge.model.presentation import DEFAULT, Presentation, Reactions
from bridge.model.text import words
from tests.irc.rendering import ALICE, BOB, PLACE, TARGET, known, operations, owed

_HOW = Presentation(puppets=True)
_ALICE = Voice("alice", "@alice:hs", name="alice")


def say(*, sender: object = ALICE, how: Presentation = _HOW, kind: Kind = Kind.TEXT, age: float = 0.0) -> Say:
    item = replace(owed(Message(words("hi"), kind), sender=sender), age=age)  # type: ignore[arg-type]
    (operation,) = operations(item, how=how)
    assert isinstance(operation, Say)
    return operation


def test_a_members_words_name_who_says_them_and_have_the_mark_too() -> None:
    said = say()
    assert (said.voice, said.unmarked) == (_ALICE, "hi")
    assert said.text.endswith("> hi")
    assert say(kind=Kind.ACTION).unmarked == "\x01ACTION hi\x01"
    assert say(sender=BOB).voice == Voice("bob", "libera/bob", name="bob")


@pytest.mark.parametrize(
    "case",
    [
        {"how": DEFAULT},
        {"sender": replace(ALICE, user=None)},
        {"sender": replace(ALICE, note=GUEST)},
        {"sender": replace(ALICE, bot=True)},
        {"age": 61.0},
    ],
)
def test_guests_bots_and_what_comes_late_have_the_mark(case: dict[str, object]) -> None:
    assert say(**case).voice is None  # type: ignore[arg-type]


def test_who_goes_by_the_name_of_another_user_speaks_under_their_own() -> None:
    assert say(sender=replace(ALICE, name="bob", note="alice")).voice == replace(_ALICE, name="bob")


@given(st.text(min_size=1, max_size=30), st.text(max_size=40), st.booleans())
def test_a_payload_keeps_its_voice(user: str, identity: str, marked: bool) -> None:
    said = Say("PRIVMSG", "#pond", "<a> hi", 4, voice=Voice(user, identity, marked, identity))
    assert decode(encode(said)) == said


def test_earlier_payloads_and_broken_ones_have_no_voice() -> None:
    for puppet in ("", ',"puppet":null', ',"puppet":{"user":1,"id":""}', ',"puppet":{"user":"","id":""}'):
        said = decode(f'{{"op":"say","command":"PRIVMSG","target":"#pond","text":"hi","head":0{puppet}}}')
        assert isinstance(said, Say)
        assert said.voice is None


def test_a_line_that_is_too_long_for_a_puppet_has_none() -> None:
    said = Say("PRIVMSG", "#pond", "<a> " + "x" * 100, 4, voice=_ALICE)
    assert line_of(said, {}, plain=False, limit=120) is not None
    assert line_of(said, {}, plain=False, limit=100) is None
    assert line_of(replace(said, text="<a> "), {}, plain=False, limit=100) is None


def test_where_only_plain_words_go_a_puppet_says_such() -> None:
    said = Say("NOTICE", "#pond", "<a> \x02loud\x02", 4, voice=_ALICE)
    assert line_of(said, {}, plain=True, limit=400) == ("PRIVMSG", "loud", b"PRIVMSG #pond :loud\r\n")


def test_each_member_reacts_for_themselves_and_the_bridge_for_all_others() -> None:
    """Who has taken their reaction back at once has not reacted."""
    eve = replace(ALICE, address="@eve:hs", user=None, note=GUEST)
    acts = [(ALICE, "x", False), (BOB, "x", False), (eve, "x", False), (BOB, "y", False), (BOB, "y", True)]
    items = [
        owed(Reaction(TARGET, key, removed), number, sender=who, context=[known()])
        for number, (who, key, removed) in enumerate(acts, 1)
    ]
    how = replace(_HOW, reactions=Reactions.TAGS)
    shown = operations(items, replace(PLACE, tags=True), how)
    assert shown == [
        React("#pond", "m2", "x", voice=_ALICE),
        React("#pond", "m2", "x", voice=Voice("bob", "libera/bob", name="bob")),
        React("#pond", "m2", "x"),
    ]
    assert operations(items, replace(PLACE, tags=True), replace(how, puppets=False)) == [React("#pond", "m2", "x")]


def test_a_reaction_keeps_its_voice_and_is_a_line_with_tags_only() -> None:
    react = React("#pond", "m2", "x", voice=_ALICE)
    assert decode(encode(react)) == react
    assert line_of(react, {"+draft/react": "x"}, plain=False, limit=400) == (
        "TAGMSG",
        "",
        b"@+draft/react=x TAGMSG #pond\r\n",
    )
    assert line_of(react, {}, plain=False, limit=400) is None
