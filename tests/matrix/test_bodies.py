"""Reactions, removals, topics, threads and replies on Matrix (bridge.matrix.dialect.convert)."""

from dataclasses import replace

import pytest

from bridge.matrix.dialect import convert
from bridge.matrix.dialect.convert import sender
from bridge.model.event import EventKey, Message, Origin, Reaction, Redaction, Topic
from bridge.model.text import plain
from tests.events import body_of
from tests.matrix.heard import ROOM, US, heard, said

TARGET = EventKey(ROOM, "$0")
_FLAG = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"  # made of invisible letters


def reaction(key: object, target: object = "$0", **more: object) -> dict[str, object]:
    return {"m.relates_to": {"rel_type": "m.annotation", "event_id": target, "key": key}, **more}


def topic(content: object, **more: object) -> str | None:
    found = heard(content, "m.room.topic", state_key="", **more)
    assert found is None or isinstance(found.body, Topic)
    return None if found is None else plain(found.text)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("👍", "👍"),
        ("👩‍❤️‍💋‍👨", "👩‍❤️‍💋‍👨"),
        (_FLAG, _FLAG),
        (" +1 ", "+1"),
        ("so\ntrue\x03", "so true"),
        ("\u202eyes", "yes"),
        ("w" * 10_000, "w" * 50),
    ],
)
def test_a_reaction_shows_its_key_in_one_short_line(key: str, shown: str) -> None:
    found = heard(reaction(key), "m.reaction")
    assert found is not None
    assert found.body == Reaction(TARGET, shown)
    assert (found.id, found.time, found.origin) == ("$1", 1.5, Origin.LIVE)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"shortcode": "party"}, ":party:"),
        ({"com.beeper.reaction.shortcode": ":party:"}, ":party:"),
        ({"shortcode": "", "com.beeper.reaction.shortcode": ":party:"}, ":party:"),
        ({"shortcode": 7, "com.beeper.reaction.shortcode": "a\nb"}, ":a b:"),
        ({"shortcode": "x" * 10_000}, f":{'x' * 50}:"),
    ],
)
def test_a_custom_emoji_is_shown_by_its_name(names: dict[str, object], shown: str) -> None:
    found = heard(reaction("mxc://hs/abc", **names), "m.reaction")
    assert found is not None
    assert found.body == Reaction(TARGET, shown)


@pytest.mark.parametrize(
    "content",
    [
        reaction(""),
        reaction(" \u200b"),
        reaction(7),
        reaction("mxc://hs/abc"),
        reaction("mxc://hs/abc", shortcode=" :: "),
        reaction("👍", ""),
        reaction("👍", ["$0"]),
        reaction("👍", "$" + "x" * 255),
        {"m.relates_to": {"rel_type": "m.reference", "event_id": "$0", "key": "👍"}},
        {"m.relates_to": "👍"},
        {},
        None,
    ],
)
def test_a_reaction_without_anything_to_see_or_without_a_target_is_ignored(content: object) -> None:
    assert heard(content, "m.reaction") is None


@pytest.mark.parametrize("since_version_11", [False, True])
def test_a_redaction_refers_to_its_event(since_version_11: bool) -> None:
    reason = {"reason": "oops"}
    content, beside = (reason | {"redacts": "$0"}, {}) if since_version_11 else (reason, {"redacts": "$0"})
    event = heard(content, "m.room.redaction", **beside)
    assert event is not None
    assert event.body == Redaction(TARGET, "oops")
    assert heard({}, "m.room.redaction") is None


def test_a_redaction_is_moderated_if_its_sender_may_remove_what_others_say_and_only_then_that_is_asked() -> None:
    asked: list[str] = []

    def moderated() -> bool:
        asked.append("yes")
        return True

    def body(kind: str, content: object) -> object:
        event = {"type": kind, "event_id": "$1", "content": content}
        found = convert.event(event, ROOM, sender("home", "@ann:hs", "Ann"), US, moderated=moderated)
        return found and found.body

    assert isinstance(body("m.room.message", said("hi")), Message)
    assert isinstance(body("m.reaction", reaction("👍")), Reaction)
    assert asked == []
    assert body("m.room.redaction", {"redacts": "$0"}) == Redaction(TARGET, moderated=True)


def in_thread(**relates: object) -> dict[str, object]:
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": "$0", **relates}}


def test_a_message_in_a_thread_names_the_root_and_is_a_reply_only_to_what_it_answers_there() -> None:
    reply = {"m.in_reply_to": {"event_id": "$9"}}
    for relates, reply_to in (
        ({"is_falling_back": True, **reply}, None),
        ({"is_falling_back": False, **reply}, EventKey(ROOM, "$9")),
        (reply, EventKey(ROOM, "$9")),
        ({}, None),
    ):
        found = heard(said("x", **in_thread(**relates)))
        assert found is not None
        assert (body_of(found).thread, body_of(found).reply_to) == (TARGET, reply_to)
    plain_reply = heard(said("x", **{"m.relates_to": reply}))
    assert plain_reply is not None
    assert body_of(plain_reply).thread is None


def test_a_quotation_for_old_clients_is_not_said_in_a_thread_either() -> None:
    relates = in_thread(is_falling_back=True, **{"m.in_reply_to": {"event_id": "$9"}})
    found = heard(said("> <@bob:hs> duck: hi\n\nyes", **relates))
    assert found is not None
    assert (plain(found.text), body_of(found).called) == ("yes", None)


@pytest.mark.parametrize("target", ["", 7, None, "$" + "x" * 10_000])
def test_a_relation_to_no_event_is_none(target: object) -> None:
    reply = {"m.in_reply_to": {"event_id": target}}
    for relates in (in_thread(event_id=target), {"m.relates_to": reply}):
        found = heard(said("x", **relates))
        assert found is not None
        assert (body_of(found).thread, body_of(found).reply_to) == (None, None)
    assert heard({"redacts": target}, "m.room.redaction") is None


def test_a_reply_refers_to_an_event_of_its_own_room_whatever_room_its_id_is_from() -> None:
    found = heard(said("x", **{"m.relates_to": {"m.in_reply_to": {"event_id": "$of-another-room"}}}))
    assert found is not None
    assert found.refers == (EventKey(ROOM, "$of-another-room"),)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"topic": "ducks"}, "ducks"),
        ({"topic": "one\ntwo\x02 \u202ethree"}, "one two three"),
        ({"topic": "ducks", "m.topic": {"m.text": [{"body": "others"}]}}, "ducks"),
        ({"m.topic": {"m.text": [{"body": "<b>x</b>", "mimetype": "text/html"}, {"body": "x"}]}}, "x"),
        ({"m.topic": {"m.text": [{"body": "x", "mimetype": "text/plain"}]}}, "x"),
        ({"topic": "x" * 10_000}, "x" * 2_000),
    ],
)
def test_a_topic_is_one_line_of_plain_text(content: object, text: str) -> None:
    assert topic(content) == text


def test_a_topic_that_was_removed_is_empty_and_one_that_stayed_the_same_is_not_told() -> None:
    ducks = {"unsigned": {"prev_content": {"topic": "ducks"}}}
    assert topic({"topic": ""}, **ducks) == ""
    assert topic({}, **ducks) == ""
    assert topic({"topic": "ducks"}, **ducks) is None
    assert topic({"m.topic": {"m.text": [{"body": "ducks"}]}}, **ducks) is None
    assert topic({"topic": ""}) is None
    assert topic({"topic": 7, "m.topic": {"m.text": "x"}}) is None


def test_the_topic_of_a_private_conversation_is_not_told() -> None:
    event = {"type": "m.room.topic", "event_id": "$1", "state_key": "", "content": {"topic": "ducks"}}
    ann, room = sender("home", "@ann:hs", "Ann"), replace(ROOM, id="!private")
    assert convert.event(event, room, ann, US, private=True) is None
