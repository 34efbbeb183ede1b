"""Edits, removals, reactions, threads, memberships and topics, as posts (bridge.matrix.dialect.render)."""

from typing import Any

import pytest

from bridge.matrix.dialect import amend
from bridge.matrix.dialect.operations import PARTS, Amend, Operation, React, Redact, Say, SetTopic, compact, decode
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.model.event import (
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Membership,
    Message,
    Reaction,
    Redaction,
    Topic,
)
from bridge.model.outbox import Delivery, Known, Owed
from bridge.model.people import Sender
from bridge.model.presentation import Presentation
from bridge.model.text import words
from bridge.network import Needless, PermanentError
from tests.matrix.test_render import BOB, FAR, ROOM

PLAIN = Place(Presentation(profiles=False))
TARGET = EventKey(FAR, "$target")
PART = Delivery.of(TARGET, ROOM).id


def owed(body: Body, known: Known | None = None, number: int = 0, who: Sender = BOB, **more: Any) -> Owed:
    event = Event(f"${number}", FAR, who, 0.0, body, **more)
    return Owed(Delivery.of(event.key, ROOM).id, ROOM, event, {TARGET: known} if known else {})


def known(*ids: str, **more: Any) -> Known:
    return Known(TARGET, ids=ids, **more)


def operations(*items: Owed) -> list[Operation]:
    return [decode(post.payload) for post in render(items, PLAIN)]


def test_an_edit_amends_the_event_of_its_message_with_marked_words() -> None:
    for kind, body in ((Kind.TEXT, "<bob> second"), (Kind.ACTION, "* bob second")):
        (operation,) = operations(owed(Edit(TARGET, words("second"), kind), known("$x")))
        assert isinstance(operation, Amend)
        assert (operation.target, operation.part) == ("$x", PART)
        assert operation.content["body"] == body
        assert operation.content[PARTS] == [[PART, 1]]
        assert "m.relates_to" not in operation.content


def test_of_edits_of_one_message_that_wait_together_the_last_is_sent() -> None:
    other = EventKey(FAR, "$other")
    waiting = [owed(Edit(TARGET, words(f"{number}")), known("$x"), number) for number in range(3)]
    behind = [owed(Edit(other, words("other")), number=3), owed(Edit(TARGET, words("late")), known("$x"), 4)]
    first, second, third = render([*waiting, *behind], PLAIN)
    assert first.deliveries == tuple(item.delivery for item in waiting)
    amended = decode(first.payload)
    assert isinstance(amended, Amend)
    assert amended.content["body"] == "<bob> 2"
    assert [second.deliveries, third.deliveries] == [(item.delivery,) for item in behind]


def test_an_edit_of_a_message_that_is_not_there_is_said_as_one() -> None:
    for context in (None, known()):
        (operation,) = operations(owed(Edit(TARGET, words("second")), context))
        assert isinstance(operation, Say)
        assert operation.content["body"] == "<bob> (edited) second"


def test_an_edit_of_a_long_message_amends_each_of_its_events_and_removes_or_adds_what_differs() -> None:
    long = words("word " * 12_000)
    number = len(operations(owed(Message(long))))
    whole = operations(owed(Edit(TARGET, long), known(*map(str, range(number + 2)))))
    assert [type(each) for each in whole] == [Amend] * number + [Redact] * 2
    fewer = operations(owed(Edit(TARGET, long), known("$1", "$2")))
    assert [type(each) for each in fewer] == [Amend, Amend] + [Say] * (number - 2)
    assert operations(owed(Edit(TARGET, words("x")), known("$1", "$2")))[1:] == [Redact("$2", PART)]


@pytest.mark.parametrize("text", ["word " * 15_000, "a\n" * 20_000, "\"&<>'\\" * 12_000, "👩‍👩‍👧" * 4000])
def test_each_event_of_an_edit_fits_with_its_words_and_its_fallback(text: str) -> None:
    for operation in operations(owed(Edit(TARGET, words(text)), known(*map(str, range(100))))):
        if isinstance(operation, Amend):
            content = amend.replacement("$" + "x" * 43, operation.content)
            assert len(compact(content).encode()) < 60_000


def test_an_edit_without_words_is_a_dead_letter() -> None:
    with pytest.raises(PermanentError):
        operations(owed(Edit(TARGET, words(" \n")), known("$x")))


def test_a_removal_removes_every_event_of_its_message() -> None:
    assert operations(owed(Redaction(TARGET, "rude\n"), known("$1", "$2"))) == [
        Redact("$1", PART, "rude "),
        Redact("$2", PART, "rude "),
    ]


def test_a_reaction_is_one_to_the_first_event_of_its_message_and_its_end_too() -> None:
    assert operations(owed(Reaction(TARGET, "👍"), known("$1", "$2"))) == [React("$1", "👍")]
    assert operations(owed(Reaction(TARGET, "x" * 500), known("$1"))) == [React("$1", "x" * 100)]
    assert operations(owed(Reaction(TARGET, "👍", removed=True), known("$1"))) == [React("$1", "👍", removed=True)]


@pytest.mark.parametrize(
    "item",
    [
        owed(Redaction(TARGET)),
        owed(Redaction(TARGET), known()),
        owed(Reaction(TARGET, "x")),
        owed(Reaction(TARGET, "x"), known()),
        owed(Redaction(TARGET), known("")),
        owed(Reaction(TARGET, "\x00 "), known("$1")),
        owed(Reaction(TARGET, "x"), known("$1", removed=True)),
        owed(Edit(TARGET, words("x")), known("$1", removed=True)),
    ],
)
def test_what_is_about_a_message_that_is_not_there_is_needless_and_ends_the_posts_before_it(item: Owed) -> None:
    with pytest.raises(Needless):
        operations(item, owed(Message(words("x"))))
    first = owed(Message(words("x")), number=1)
    assert [post.deliveries for post in render([first, item], PLAIN)] == [(first.delivery,)]


def test_posts_name_the_deliveries_of_edits_that_are_in_their_text_already() -> None:
    item = Owed("d", ROOM, owed(Message(words("x"))).event, also=("e",))
    (post,) = render([item], PLAIN)
    assert post.deliveries == ("d", "e")


def _relation(message: Message, found: Known) -> object:
    (said,) = operations(owed(message, found))
    assert isinstance(said, Say)
    return said.content.get("m.relates_to")


def test_an_answer_goes_into_the_thread_of_what_it_answers() -> None:
    answer = Message(words("x"), reply_to=TARGET)
    assert _relation(answer, known("$1")) == {"m.in_reply_to": {"event_id": "$1"}}
    assert _relation(answer, known("$1", thread="$root")) == {
        "rel_type": "m.thread",
        "event_id": "$root",
        "is_falling_back": False,
        "m.in_reply_to": {"event_id": "$1"},
    }
    assert _relation(answer, known("$root", thread="$root")) == {"m.in_reply_to": {"event_id": "$root"}}


def test_of_a_long_answer_only_the_first_event_is_a_reply() -> None:
    first, *rest = operations(owed(Message(words("word " * 15_000), reply_to=TARGET), known("$1")))
    assert isinstance(first, Say)
    assert first.content["m.relates_to"] == {"m.in_reply_to": {"event_id": "$1"}}
    assert rest
    assert all(isinstance(each, Say) and "m.relates_to" not in each.content for each in rest)


def test_a_message_of_a_thread_stays_in_it_in_every_post() -> None:
    threaded = {
        "rel_type": "m.thread",
        "event_id": "$1",
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": "$1"},
    }
    assert _relation(Message(words("x"), thread=TARGET), known("$1")) == threaded
    said = operations(owed(Message(words("word " * 15_000), thread=TARGET), known("$1")))
    assert len(said) > 1
    assert all(isinstance(each, Say) and each.content["m.relates_to"] == threaded for each in said)
    assert _relation(Message(words("x"), thread=TARGET), known()) is None


def _came(number: int, change: Change = Change.JOINED) -> Owed:
    who = Sender("far", f"n{number}", f"n{number}")
    return owed(Membership(who, change), number=number, who=who)


def test_memberships_in_a_row_are_one_notice_without_a_profile() -> None:
    items = [_came(number) for number in range(32)]
    first, last = render([*items, owed(Message(words("x")), number=99)], Place())
    assert first.deliveries == tuple(item.delivery for item in items)
    body = "n0, n1, n2, n3 and 28 others have joined"
    assert decode(first.payload) == Say({"msgtype": "m.notice", "body": body, "m.mentions": {}})
    assert len(last.deliveries) == 1


def test_who_comes_and_goes_at_once_is_not_told() -> None:
    items = [_came(1), _came(1, Change.LEFT)]
    with pytest.raises(Needless) as nothing:
        render(items, PLAIN)
    assert nothing.value.deliveries == tuple(item.delivery for item in items)


def test_of_several_topics_the_last_is_set() -> None:
    topics = [owed(Topic(f"topic {number}"), number=number) for number in range(3)]
    (post,) = render(topics, PLAIN)
    assert decode(post.payload) == SetTopic("topic 2")
    assert post.deliveries == tuple(item.delivery for item in topics)


def test_a_topic_is_set_in_printable_words_within_a_bound() -> None:
    assert operations(owed(Topic("ducks\u202e"))) == [SetTopic("ducks")]
    (topic,) = operations(owed(Topic("é" * 100_000)))
    assert isinstance(topic, SetTopic)
    assert len(topic.text) == 4000
