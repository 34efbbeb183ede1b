"""Reactions and deletions on IRC (bridge.irc.dialect.notes)."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bridge.irc.dialect.operations import React, Redact, Say
from bridge.irc.dialect.place import Limits, Place
from bridge.irc.dialect.render import render
from bridge.model.event import EventKey, Reaction, Redaction, Room
from bridge.model.outbox import Known, Owed
from bridge.model.people import Sender
from bridge.model.presentation import Presentation, Reactions
from bridge.network import Needless
from tests.events import HOME, matrix
from tests.irc.rendering import ALICE, BOB, PLACE, TARGET, known, operations, owed, said

TAGS = replace(PLACE, tags=True)
REDACTION = replace(PLACE, redaction=True)
HELLO = known("hello there")


def reaction(who: str, key: str, number: int, *, removed: bool = False, of: Known = HELLO) -> Owed:
    return owed(Reaction(of.source, key, removed), number, sender=matrix(who), context=[of])


def people(*reactions: tuple[str, str]) -> list[Owed]:
    return [reaction(who, key, number) for number, (who, key) in enumerate(reactions)]


@pytest.mark.parametrize(
    ("reactions", "line"),
    [
        ([("alice", "👍")], 'alice reacted 👍 to "hello there"'),
        ([("alice", "👍"), ("carol", "👍")], 'alice and carol reacted 👍 to "hello there"'),
        ([("alice", "👍"), ("carol", "❤"), ("eve", "👍")], 'alice and eve reacted 👍, carol ❤ to "hello there"'),
        ([("alice", "👍"), ("alice", "🎉"), ("alice", "👍")], 'alice reacted 👍 🎉 to "hello there"'),
        ([("alice", ":quack:")], 'alice reacted :quack: to "hello there"'),
    ],
)
def test_reactions_to_a_message_are_one_line(reactions: Sequence[tuple[str, str]], line: str) -> None:
    items = people(*reactions)
    assert operations(items) == [Say("NOTICE", "#pond", line)]
    (post,) = render(items, PLACE)
    assert post.deliveries == tuple(item.delivery for item in items)


@pytest.mark.parametrize(
    ("who", "key", "line"),
    [
        ("mallory", "👍, duck reacted ❤", 'mallory reacted "👍, duck reacted ❤" to "hello there"'),
        ("mallory", '" by duck, bob "', 'mallory reacted "\' by duck, bob \'" to "hello there"'),
        ("duck reacted 👎, bob", "👍", '"duck reacted 👎, bob" reacted 👍 to "hello there"'),
    ],
)
def test_neither_a_reaction_nor_a_name_reads_like_the_reaction_of_somebody_else(who: str, key: str, line: str) -> None:
    assert said(owed(Reaction(TARGET, key), sender=matrix("m", display=who), context=[HELLO])) == [line]


def test_a_name_does_not_read_like_the_deletion_of_somebody_else() -> None:
    mallory = matrix("mallory", display="bob deleted a message of alice. mallory")
    item = owed(Redaction(TARGET), sender=mallory, context=[known("hello", mallory)])
    assert said(item) == ['"bob deleted a message of alice. mallory" deleted a message']


def test_a_flood_of_reactions_makes_few_lines_by_tags() -> None:
    flood = people(*(("mallory", f"k{number}") for number in range(200)))
    done = operations(flood, TAGS, Presentation(reactions=Reactions.BOTH))
    assert done[1:] == [React("#pond", "m2", f"k{number}") for number in range(20)]
    assert len(done) == 21


def test_a_crowd_that_reacts_is_counted() -> None:
    line = said(people(*((f"user{number}", "👍") for number in range(40))))
    assert line == ['user0, user1, user2, user3, user4 and 35 others reacted 👍 to "hello there"']
    (line,) = (said(people(*((f"u{number}", f"k{number}") for number in range(40)))),)
    assert line == ['u0 reacted k0, u1 k1, u2 k2, u3 k3, 36 others something else to "hello there"']
    (one,) = said(people(*(("alice", f"k{number}") for number in range(40))))
    assert one == 'alice reacted k0 k1 k2 k3 k4 and 35 more to "hello there"'


def test_a_reaction_in_a_channel_with_a_long_name_fits_one_line() -> None:
    limits, channel = Limits(256, 112), Room("libera", "#" + "c" * 90)
    item = replace(reaction("alice", "👍", 1, of=known("x" * 50)), room=channel)
    (line,) = said(item, Place(limits))
    assert len(line.encode()) <= limits.budget("NOTICE", channel.id) == 42
    assert line.startswith("alice reacted")


def test_reactions_to_different_messages_are_different_lines() -> None:
    other = known("", source=EventKey(HOME, "$other"))
    nobody = known("", None, source=EventKey(HOME, "$third"))
    items = [
        reaction("alice", "👍", 1),
        reaction("alice", "👎", 2, of=other),
        reaction("carol", "👍", 3),
        reaction("alice", "?", 4, of=nobody),
    ]
    assert [post.deliveries for post in render(items, PLACE)] == [("d1", "d3"), ("d2",), ("d4",)]
    assert said(items) == [
        'alice and carol reacted 👍 to "hello there"',
        "alice reacted 👎 to a message of bob",
        "alice reacted ? to a message",
    ]


def test_a_key_is_made_safe_and_short_and_a_blank_one_is_not_shown() -> None:
    assert said(people(("alice", "a\r\nQUIT\x02 :\u202ex"))) == ['alice reacted "a QUIT :x" to "hello there"']
    (line,) = said(people(("alice", "nice " * 20)))
    assert line == 'alice reacted "nice nice nice nice…" to "hello there"'
    for blank in ("", " \n", "\u200b", "\u2800", "\u200d"):
        with pytest.raises(Needless):
            said(people(("alice", blank)))


def test_a_reaction_calls_nobody() -> None:
    place = Place(Limits(), nicks={"bob", "alice"})
    items = [reaction("alice", "bob", 1, of=known("bob?"))]
    assert said(items, place) == ['a\u200blice reacted b\u200bob to "b\u200bob?"']


def test_a_reaction_that_is_taken_back_is_not_shown_in_words() -> None:
    both = [reaction("alice", "👍", 1), reaction("alice", "👍", 2, removed=True)]
    for items in (both, both[1:]):
        with pytest.raises(Needless) as nothing:
            said(items)
        assert nothing.value.deliveries == tuple(item.delivery for item in items)
    assert said([*both, reaction("alice", "🎉", 3)]) == ['alice reacted 🎉 to "hello there"']


def test_a_reaction_to_what_is_unknown_or_removed_is_not_shown() -> None:
    for context in ([], [known("", removed=True)]):
        with pytest.raises(Needless):
            said(owed(Reaction(TARGET, "👍"), context=context))


def test_reactions_as_tags_are_one_for_each_key_since_they_all_come_from_us() -> None:
    how = Presentation(reactions=Reactions.TAGS)
    items = people(("alice", "👍"), ("carol", "👍"), ("carol", "❤"))
    assert operations(items, TAGS, how) == [React("#pond", "m2", "👍"), React("#pond", "m2", "❤")]
    assert operations([reaction("alice", "👍", 1, removed=True)], TAGS, how) == [React("#pond", "m2", "👍", True)]
    deliveries = ("d0", "d1", "d2")
    posts = render(items, TAGS, how)
    assert [post.deliveries for post in posts] == [deliveries, deliveries]
    assert len({post.id for post in posts}) == 2


def test_reactions_as_tags_are_not_shown_where_tags_cannot_be_sent() -> None:
    for place, of in ((PLACE, HELLO), (TAGS, known("hi", ids=()))):
        with pytest.raises(Needless):
            operations(reaction("alice", "👍", 1, of=of), place, Presentation(reactions=Reactions.TAGS))
    with pytest.raises(Needless):
        operations(reaction("alice", "👍", 1), TAGS, Presentation(reactions=Reactions.OFF))


def test_with_both_the_words_and_the_tags_are_sent() -> None:
    how = Presentation(reactions=Reactions.BOTH)
    words = Say("NOTICE", "#pond", 'alice reacted 👍 to "hello there"')
    assert operations(reaction("alice", "👍", 1), TAGS, how) == [words, React("#pond", "m2", "👍")]
    assert operations(reaction("alice", "👍", 1), PLACE, how) == [words]


def redaction(number: int = 1, *, of: Known = HELLO, reason: str = "", sender: Sender = BOB) -> Owed:
    return owed(Redaction(of.source, reason), number, sender=sender, context=[of])


def test_a_deletion_is_told_with_whose_message_it_was() -> None:
    assert operations(redaction()) == [Say("NOTICE", "#pond", "bob deleted a message")]
    assert said(redaction(sender=ALICE)) == ["alice deleted a message of bob"]
    assert said(redaction(sender=ALICE, reason="spam\r\n")) == ["alice deleted a message of bob: spam"]
    assert said(redaction(of=known("", None))) == ["bob deleted a message"]


def test_several_deletions_of_one_person_are_one_line() -> None:
    others = [known("x", source=EventKey(HOME, f"$x{number}")) for number in range(3)]
    items = [redaction(number, of=of, reason="spam", sender=ALICE) for number, of in enumerate(others)]
    assert said(items) == ["alice deleted 3 messages of bob: spam"]
    mixed = [*items, redaction(4)]
    assert said(mixed) == ["alice deleted 3 messages of bob: spam", "bob deleted a message"]
    assert [post.deliveries for post in render(mixed, PLACE)] == [("d0", "d1", "d2"), ("d4",)]


def test_a_message_is_redacted_line_by_line_where_the_server_can() -> None:
    assert operations(redaction(reason="spam"), REDACTION) == [
        Redact("#pond", "m1", "spam"),
        Redact("#pond", "m2", "spam"),
        Say("NOTICE", "#pond", "bob deleted a message: spam"),
    ]
    silent = Presentation(deletions=False)
    assert operations(redaction(), REDACTION, silent) == [Redact("#pond", "m1"), Redact("#pond", "m2")]
    with pytest.raises(Needless):
        operations(redaction(), PLACE, silent)


def test_the_removal_of_a_reaction_or_of_what_was_not_shown_is_not_told() -> None:
    for of in (known("👍", type="reaction"), known("hi", ids=()), known("", type="membership")):
        with pytest.raises(Needless):
            operations(redaction(of=of), REDACTION)
    with pytest.raises(Needless):
        operations(owed(Redaction(TARGET)), REDACTION)


def test_a_deletion_calls_nobody() -> None:
    place = Place(Limits(), nicks={"bob"})
    assert said(redaction(sender=ALICE, reason="bob!"), place) == ["alice deleted a message of b\u200bob: b\u200bob!"]
