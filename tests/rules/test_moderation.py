"""What becomes of kicks and bans of puppets and ghosts (bridge.rules.moderation)."""

from dataclasses import replace

import pytest

from bridge.model.event import Act, Event, Moderation, Room
from bridge.model.people import Role, Sender
from bridge.model.presentation import Moderated
from bridge.rules.case import Verdict
from bridge.rules.link import Guests, Rules
from bridge.users import Measure, Sanction
from tests.events import HOME, LIBERA, irc, matrix
from tests.rules.test_gate import World

_MIRROR = Rules(moderation=Moderated.MIRROR)
_OP = irc("bob", "bob")
_PUPPET = Sender("libera", "alice_", "alice_", user="alice")
_GHOST = irc("bob", "bob")


def _done(world: World, act: Act, by: Sender = _OP, whom: Sender = _PUPPET, room: Room = LIBERA) -> Verdict:
    return world.gate.decide(Event(f"$ {world.now}", room, by, world.now, Moderation(act, whom, "spam")))


def _body(verdict: Verdict) -> Moderation:
    body = verdict.case.event.body
    assert isinstance(body, Moderation)
    return body


@pytest.mark.parametrize("act", [*Act])
def test_by_default_all_is_told_in_words_and_nothing_is_done(act: Act) -> None:
    verdict = _done(World(Rules()), act)
    assert (verdict.audience, verdict.refusal) == ((HOME,), None)
    assert not _body(verdict).mirrored


@pytest.mark.parametrize(
    ("act", "is_mirrored"),
    [(Act.KICK, True), (Act.BAN, True), (Act.UNBAN, True), (Act.QUIET, False), (Act.UNQUIET, False)],
)
def test_what_a_member_does_is_mirrored_to_the_identities_of_who_is_meant(act: Act, *, is_mirrored: bool) -> None:
    body = _body(_done(World(_MIRROR), act))
    assert body.mirrored is is_mirrored
    assert [str(each) for each in body.identities] == ["@alice:hs"]
    assert (body.person.user, body.reason) == ("alice", "spam")


def test_what_others_do_is_told_without_their_words_and_never_mirrored() -> None:
    body = _body(_done(World(_MIRROR), Act.BAN, by=irc("mallory")))
    assert (body.mirrored, body.reason) == (False, "")
    relayed = _body(_done(World(replace(_MIRROR, guests=Guests.RELAY)), Act.BAN, by=irc("mallory")))
    assert (relayed.mirrored, relayed.reason) == (False, "spam")
    other = replace(_MIRROR, members=frozenset({"carol"}))
    assert not _body(_done(World(other), Act.BAN)).mirrored


def test_an_admin_is_never_kicked_by_the_bridge() -> None:
    world = World(_MIRROR)
    world.users.set_role("alice", Role.ADMIN)
    assert not _body(_done(world, Act.BAN)).mirrored


def test_who_is_banned_on_the_allowlist_moderates_nobody() -> None:
    world = World(_MIRROR)
    world.users.sanction(Sanction("bob", Measure.BAN, "pond", 0.0, None, "", "test"))
    assert _done(world, Act.BAN).audience == ()


def test_a_ghost_is_known_by_its_account_and_a_guest_may_be_mirrored_too() -> None:
    known = _body(_done(World(_MIRROR), Act.BAN, matrix("alice"), _GHOST, HOME))
    assert (known.mirrored, known.person.user) == (True, "bob")
    guest = _body(_done(World(_MIRROR), Act.BAN, matrix("alice"), irc("eve", "eve"), HOME))
    assert (guest.mirrored, guest.person.user) == (True, None)
    assert [str(each) for each in guest.identities] == ["libera/eve"]


def test_five_at_once_are_passed_on_and_then_two_a_minute() -> None:
    world = World(_MIRROR)
    passed = [bool(_done(world, Act.BAN).audience) for _ in range(8)]
    assert passed == [True] * 5 + [False] * 3
    world.now += 60
    assert [bool(_done(world, Act.BAN).audience) for _ in range(3)] == [True, True, False]
