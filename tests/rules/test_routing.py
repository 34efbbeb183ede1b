from dataclasses import replace

import pytest

from bridge.model.accounting import Cause
from bridge.model.answering import Answers
from bridge.model.event import Edit, Event, Reach, Redaction, Room
from bridge.model.outbox import Known
from bridge.model.text import words
from bridge.rules.case import Case, Refusal, Told
from bridge.rules.link import Guests, Link, LinkedBot, Rules
from bridge.rules.routing import Links, ear, everywhere, route
from tests.events import HOME, LIBERA, OFTC, answer, irc, matrix, rebodied, said

DUCK = LinkedBot("duck", ("duck", "Little Yellow Duck"), Answers.MENTIONED)


@pytest.fixture
def links() -> Links:
    return Links(
        [
            Link("pond", (HOME, LIBERA, OFTC), bots=(DUCK,)),
            Link("silent", (Room("home", "#silent:hs"),), rules=Rules(Guests.IGNORE), bots=(DUCK,)),
        ]
    )


def audience(links: Links, event: Event, *, carried: bool) -> tuple[Room, ...]:
    """Who gets `event`, a member's or a guest's."""
    refusal = None if carried else Refusal("not a member", Told.HINT, Cause.GUEST, heard=True)
    return route(Case(event, links.of(event.room)), refusal, links).audience


def test_a_carried_message_goes_to_the_other_rooms_of_its_link(links: Links) -> None:
    assert audience(links, said(LIBERA, irc("bob", "bob"), "hi"), carried=True) == (HOME, OFTC)


def test_a_message_that_is_not_carried_goes_nowhere(links: Links) -> None:
    assert audience(links, said(LIBERA, irc("bob"), "hi"), carried=False) == ()


def test_a_members_question_is_answered_in_every_room(links: Links) -> None:
    *rooms, asked = audience(links, said(LIBERA, irc("bob", "bob"), "duck: hi"), carried=True)
    assert rooms == [HOME, OFTC]
    assert audience(links, answer(asked, "hi"), carried=True) == (HOME, LIBERA, OFTC)


def test_a_guests_question_is_answered_where_it_was_asked(links: Links) -> None:
    (asked,) = audience(links, said(LIBERA, irc("bob"), "duck: hi"), carried=False)
    assert audience(links, answer(asked, "hi"), carried=True) == (LIBERA,)


def test_a_private_question_is_answered_privately(links: Links) -> None:
    alone = Room("libera", "bob")
    for member in (True, False):
        (asked,) = audience(links, said(alone, irc("bob"), "hi", private=True), carried=member)
        assert audience(links, answer(asked, "hi", private=True), carried=True) == (alone,)


def test_in_private_a_guest_does_not_reach_the_bots_of_a_link_that_ignores_guests() -> None:
    links = Links([Link("silent", (LIBERA,), Rules(Guests.IGNORE), (DUCK,))])
    alone = said(Room("libera", "bob"), irc("bob"), "hi", private=True)
    assert audience(links, alone, carried=False) == ()
    assert audience(links, alone, carried=True) == (ear("duck", "libera/bob"),)


def test_an_answer_goes_to_the_rooms_that_are_now_linked_with_the_room_of_the_question(links: Links) -> None:
    *_, asked = audience(links, said(LIBERA, irc("bob", "bob"), "duck: hi"), carried=True)
    lake = Room("libera", "#lake")
    swapped = Links([Link("pond", (lake,)), Link("lake", (HOME, LIBERA))])
    assert swapped.hearers(asked) == (HOME, LIBERA)
    assert Links([Link("pond", (HOME, lake))]).hearers(asked) == ()
    assert links.hearers(ear("duck", "gone")) == ()


def test_a_room_outside_of_all_links_has_no_audience(links: Links) -> None:
    assert audience(links, said(Room("home", "#other:hs"), matrix("alice"), "duck: hi"), carried=True) == ()


def test_the_rooms_of_a_network_are_those_of_all_its_links(links: Links) -> None:
    assert links.rooms("home") == (HOME, Room("home", "#silent:hs"))


def _growing(links: Links, event: Event, target: Known | None = None) -> tuple[Room, ...]:
    return route(Case(event, target=target), None, links, editable={"home"}).audience


@pytest.mark.parametrize(
    ("reach", "rooms"), [(Reach.ALL, (HOME, LIBERA, OFTC)), (Reach.EDITABLE, (HOME,)), (Reach.FIXED, (LIBERA, OFTC))]
)
def test_a_part_of_an_answer_reaches_the_rooms_where_it_can_be_edited_or_the_others(
    links: Links, reach: Reach, rooms: tuple[Room, ...]
) -> None:
    part = rebodied(answer(ear("duck", everywhere(LIBERA)), "hi"), reach=reach)
    assert _growing(links, part) == rooms


def test_what_a_bot_says_about_its_own_words_goes_where_these_went(links: Links) -> None:
    said_first = answer(ear("duck", everywhere(LIBERA)), "hi")
    for body in (Edit(said_first.key, words("hello")), Redaction(said_first.key)):
        later = replace(said_first, id="later", body=body)
        assert _growing(links, later, Known(said_first.key, rooms=(said_first.room, HOME))) == (HOME,)
        assert _growing(links, later) == ()
