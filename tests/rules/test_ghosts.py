"""Ghosts come and go with their people, whoever is told of it in words (bridge.rules.gate)."""

import pytest

from bridge.model.event import Change, Event, Membership
from bridge.model.people import Sender
from bridge.model.presentation import Ghosts, Memberships
from bridge.rules.case import Verdict
from bridge.rules.link import Rules
from bridge.rules.speakers import LATELY_S
from tests.events import HOME, LIBERA, irc, matrix, said
from tests.rules.test_gate import World

_BOB = irc("bob", "bob")


def _leaves(world: World, who: Sender = _BOB, change: Change = Change.LEFT, detail: str = "") -> Verdict:
    room = HOME if who.network == "home" else LIBERA
    return world.gate.decide(Event("1", room, who, 1_000.0, Membership(who, change, detail)))


def _body(verdict: Verdict) -> Membership:
    body = verdict.case.event.body
    assert isinstance(body, Membership)
    return body


@pytest.mark.parametrize("memberships", [Memberships.OFF, Memberships.SPEAKERS])
def test_who_has_ever_spoken_goes_quietly_where_nobody_is_told(memberships: Memberships) -> None:
    world = World(Rules(memberships=memberships, ghosts=Ghosts.SPEAKERS))
    assert _leaves(world).audience == ()  # nobody has a ghost who has said nothing
    world.gate.decide(said(LIBERA, _BOB, "hi"))
    world.now += LATELY_S + 1
    verdict = _leaves(world)
    assert (verdict.audience, _body(verdict).quiet) == ((HOME,), True)


def test_where_people_are_told_it_is_not_quiet() -> None:
    world = World(Rules(memberships=Memberships.SPEAKERS, ghosts=Ghosts.SPEAKERS))
    world.gate.decide(said(LIBERA, _BOB, "hi"))
    assert not _body(_leaves(world)).quiet


def test_without_ghosts_and_of_people_on_matrix_nothing_goes_quietly() -> None:
    for rules in (Rules(memberships=Memberships.OFF), Rules(memberships=Memberships.OFF, ghosts=Ghosts.SPEAKERS)):
        world = World(rules)
        who = _BOB if rules.ghosts is Ghosts.OFF else matrix("alice")
        world.gate.decide(said(LIBERA if rules.ghosts is Ghosts.OFF else HOME, who, "hi"))
        assert _leaves(world, who).audience == ()


def test_a_new_nick_has_the_note_that_it_needs() -> None:
    world = World(Rules(ghosts=Ghosts.SPEAKERS))
    world.gate.decide(said(LIBERA, _BOB, "hi"))
    assert _body(_leaves(world, change=Change.RENAMED, detail="alice")).note == "bob"
    assert _body(_leaves(world, change=Change.RENAMED, detail="robert")).note == ""


def test_where_all_have_ghosts_members_come_and_go_quietly_and_guests_not_at_all() -> None:
    world = World(Rules(memberships=Memberships.OFF, ghosts=Ghosts.ALL))
    for change in (Change.JOINED, Change.LEFT):
        verdict = _leaves(world, change=change)
        assert (verdict.audience, _body(verdict).quiet) == ((HOME,), True)
        assert _leaves(world, irc("mallory"), change).audience == ()


@pytest.mark.parametrize("memberships", [*Memberships])
def test_who_was_there_before_gets_a_ghost_where_all_have_one_and_is_never_told_of(memberships: Memberships) -> None:
    world = World(Rules(memberships=memberships, ghosts=Ghosts.ALL))
    verdict = _leaves(world, change=Change.PRESENT)
    assert (verdict.audience, _body(verdict).quiet) == ((HOME,), True)
    greets = world.gate.greets(LIBERA)
    assert greets is not None
    assert [greets(who) for who in (_BOB, irc("mallory"))] == [True, False]
    for ghosts in (Ghosts.OFF, Ghosts.SPEAKERS):
        world = World(Rules(memberships=memberships, ghosts=ghosts))
        assert _leaves(world, change=Change.PRESENT).audience == ()
        assert world.gate.greets(LIBERA) is None
