"""Who came and went, and topics, on IRC (bridge.irc.dialect.comings)."""

from dataclasses import replace

import pytest

from bridge.irc.dialect.operations import Say, SetTopic
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import render
from bridge.model.comings import steps, told
from bridge.model.event import Change, Kind, Membership, Message, Topic
from bridge.model.outbox import Owed
from bridge.model.people import Sender
from bridge.model.text import words
from bridge.network import Needless
from tests.events import irc, matrix
from tests.irc.rendering import PLACE, operations, owed, said

OP = matrix("op")


def step(who: str | Sender, change: Change, detail: str = "", by: Sender | None = None, number: int = 1) -> Owed:
    person = matrix(who) if isinstance(who, str) else who
    return owed(Membership(person, change, detail), number, sender=by or person)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (step("alice", Change.JOINED), "alice has joined"),
        (step("alice", Change.LEFT), "alice has left"),
        (step("alice", Change.LEFT, "Ping timeout\r\n"), "alice has left (Ping timeout)"),
        (step("alice", Change.KICKED, "spam", OP), "alice was kicked by op (spam)"),
        (step("alice", Change.BANNED, by=OP), "alice was banned by op"),
        (step("alice", Change.RENAMED, "alice2"), "alice is now known as alice2"),
        (step("alice", Change.RENAMED, "<x>\n"), "alice is now known as ‹x›"),
        (step(replace(matrix("eve"), note="guest"), Change.JOINED), "eve (guest) has joined"),
    ],
)
def test_who_came_and_went_is_a_notice(item: Owed, line: str) -> None:
    assert operations(item) == [Say("NOTICE", "#pond", line)]


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            step("alice", Change.LEFT, "bye); bob was banned by op (x"),
            'alice has left ("bye); bob was banned by op (x")',
        ),
        (step("alice", Change.LEFT, 'so "long" :)'), "alice has left (\"so 'long' :)\")"),
        (step("alice", Change.LEFT, "see you (tomorrow)"), "alice has left (see you (tomorrow))"),
        (step("alice", Change.RENAMED, "bob; op has left"), 'alice is now known as "bob; op has left"'),
        (step("bob was banned by op; eve", Change.JOINED), '"bob was banned by op; eve" has joined'),
        (step("eve", Change.KICKED, by=matrix("op; bob has left")), 'eve was kicked by "op; bob has left"'),
        (step("Alice von Pond", Change.JOINED), "Alice von Pond has joined"),
        (step("alice[m", Change.JOINED), "alice[m has joined"),
    ],
)
def test_neither_a_name_nor_a_reason_reads_like_news_of_somebody_else(item: Owed, line: str) -> None:
    assert said(item) == [line]
    assert told(steps([item.event])) == line, "on Matrix too"


def test_a_name_that_reads_like_a_sentence_is_quoted_in_an_action_too() -> None:
    waves = Message(words("waves"), Kind.ACTION)
    assert said(owed(waves, sender=matrix("alice kicks bob and"))) == ['* "alice kicks bob and" waves']
    assert said(owed(waves, sender=matrix("Alice von Pond"))) == ["* Alice von Pond waves"]


def test_many_who_come_and_go_are_one_line() -> None:
    joined = [step(f"u{number}", Change.JOINED, number=number) for number in range(32)]
    assert said(joined) == ["u0, u1, u2, u3 and 28 others have joined"]
    (post,) = render(joined, PLACE)
    assert post.deliveries == tuple(f"d{number}" for number in range(32))
    split = [step(f"u{number}", Change.LEFT, "*.net *.split") for number in range(300)]
    assert said(split) == ["u0, u1, u2, u3 and 296 others have left (*.net *.split)"]


def test_what_differs_is_told_in_one_line_too() -> None:
    items = [
        step("alice", Change.JOINED),
        step("bob", Change.LEFT, "Quit: bye"),
        step("carol", Change.JOINED),
        step("dave", Change.KICKED, "spam", OP),
        step("erin", Change.RENAMED, "eve"),
    ]
    assert said(items) == [
        "alice and carol have joined; bob has left (Quit: bye); dave was kicked by op (spam); erin is now known as eve"
    ]


def test_many_reasons_to_leave_are_left_out() -> None:
    items = [step(f"u{number}", Change.LEFT, f"reason {number}") for number in range(9)]
    assert said(items) == ["u0, u1, u2, u3 and 5 others have left"]
    names = [step(f"u{number}", Change.RENAMED, f"v{number}") for number in range(9)]
    (line,) = said(names)
    assert line.startswith("u0 is now known as v0; u1 is now known as v1; ")
    assert line.endswith("; and 3 others came, went or changed their names")


def test_who_comes_and_goes_at_once_is_not_told() -> None:
    join, leave = step("alice", Change.JOINED, number=1), step("alice", Change.LEFT, "bye", number=2)
    for items in ([join, leave], [leave, join]):
        with pytest.raises(Needless) as nothing:
            said(items)
        assert nothing.value.deliveries == tuple(item.delivery for item in items)
    assert said([join, leave, join]) == ["alice has joined"]
    other = step("bob", Change.JOINED, number=3)
    assert said([join, other, leave]) == ["bob has joined"]
    (post,) = render([join, other, leave], PLACE)
    assert post.deliveries == ("d1", "d3", "d2")


def test_somebody_is_followed_through_changes_of_their_nick() -> None:
    def nick(old: str, new: str) -> Owed:
        return step(irc(old, network="oftc"), Change.RENAMED, new)

    join, leave = step(irc("Al", network="oftc"), Change.JOINED), step(irc("al2", network="oftc"), Change.LEFT)
    assert said([join, nick("al", "al2")]) == ["al2 has joined"]
    assert said([nick("al", "al2"), nick("AL2", "al3")]) == ["al is now known as al3"]
    assert said([nick("al", "al2"), leave]) == ["al has left"]
    for items in ([nick("al", "al2"), nick("al2", "al")], [join, nick("al", "al2"), leave]):
        with pytest.raises(Needless):
            said(items)


def test_who_came_and_went_calls_nobody() -> None:
    place = Place(Limits(), nicks={"alice", "op"})
    assert said(step("alice", Change.KICKED, "alice!", OP), place) == [
        "a\u200blice was kicked by o\u200bp (a\u200blice!)"
    ]


def test_long_names_and_reasons_fit_one_line() -> None:
    items = [
        step(replace(matrix(f"u{number}"), name="🦆" * 60 + str(number)), Change.KICKED, "x" * 500, OP)
        for number in range(9)
    ]
    (line,) = said(items)
    assert len(line.encode()) <= PLACE.limits.budget("NOTICE", "#pond")


def test_a_topic_is_set_in_one_line_that_the_server_keeps_whole() -> None:
    assert operations(owed(Topic("ducks\n and \x02ponds"))) == [SetTopic("#pond", "ducks  and  ponds")]
    assert operations(owed(Topic(""))) == [SetTopic("#pond", "")]
    limited = Place(Limits(topic=20))
    assert operations(owed(Topic("ducks and ponds and more")), limited) == [SetTopic("#pond", "ducks and ponds a…")]
    (operation,) = operations(owed(Topic("🦆" * 500)))
    assert isinstance(operation, SetTopic)
    assert len(operation.text.encode()) <= PLACE.limits.budget("TOPIC", "#pond")


def test_of_several_topics_the_last_is_set() -> None:
    topics = [owed(Topic(f"topic {number}"), number) for number in range(3)]
    assert operations(topics) == [SetTopic("#pond", "topic 2")]
    assert [post.deliveries for post in render(topics, PLACE)] == [("d0", "d1", "d2")]
