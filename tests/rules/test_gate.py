"""The gate: who somebody is, under which name they are shown, and what guests may ask for."""

from dataclasses import replace

import pytest

from bridge.model.event import DESK, Kind, Message, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.rules.budget import Allowance
from bridge.rules.gate import Gate
from bridge.rules.policy import Answers, Guests, Rules
from bridge.rules.routing import Bot, Link, ear
from bridge.users import Measure, Role, Sanction, User
from bridge.users.sessions import Sessions
from tests.events import HOME, LIBERA, answer, irc, matrix, said
from tests.fakes.users import MemoryUsers

DUCK = Bot("duck", ("duck",), Answers.MENTIONED)
DEFAULT = Rules()
ALONE = Room("libera", "eve")


class World:
    def __init__(self, rules: Rules = DEFAULT) -> None:
        self.now = 1_000.0
        self.users = MemoryUsers()
        self.users.add(
            User("alice", identities=(Identity(Proof.MATRIX, "", "@alice:hs"),), password="hash"),
            User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)),
        )
        self.sessions = Sessions(self.users, lambda: self.now, 60.0)
        links = [Link("pond", (HOME, LIBERA), rules, (DUCK,))]
        self.gate = Gate(self.users, self.sessions, links, clock=lambda: self.now, commands={"help"})

    def audience(self, event: Message) -> tuple[Room, ...]:
        return self.gate.decide(event).audience


@pytest.fixture
def world() -> World:
    return World()


def test_who_proves_nothing_and_has_logged_in_is_the_user(world: World) -> None:
    al = replace(irc("al"), connection="1 1")
    assert world.audience(said(LIBERA, al, "hi")) == ()
    world.sessions.open(al, world.users.get("alice"))
    assert world.audience(said(LIBERA, al, "hi")) == (HOME,)
    assert world.audience(said(LIBERA, replace(irc("al"), connection="1 2"), "hi")) == ()


def test_what_the_network_proves_counts_more_than_a_password(world: World) -> None:
    both = replace(irc("bob", "bob"), connection="1 1")
    world.sessions.open(both, world.users.get("alice"))
    user = world.gate.who(both)
    assert user is not None
    assert user.name == "bob"


def _shown(world: World, sender: Sender) -> str:
    return world.gate.decide(said(LIBERA if sender.network == "libera" else HOME, sender, "hi")).event.sender.name


def test_nobody_is_shown_so_that_they_could_be_taken_for_somebody_else() -> None:
    world = World(Rules(Guests.RELAY))
    assert _shown(world, matrix("alice", display="Alice A.")) == "Alice A."
    assert _shown(world, matrix("eve", display="alice")) == "alice (guest)"
    assert _shown(world, irc("alice")) == "alice (guest)"
    assert _shown(world, matrix("alice", display="BOB")) == "BOB (alice)"
    assert _shown(world, irc("bob", "bob")) == "bob"


def test_who_is_banned_in_one_link_is_carried_nowhere_from_there_and_answered_by_no_bot(world: World) -> None:
    world.users.sanction(Sanction("bob", Measure.BAN, "pond", 0.0, None, "", "test"))
    assert world.audience(said(LIBERA, irc("bob", "bob"), "duck: hi")) == ()
    alone = said(Room("libera", "bob"), irc("bob", "bob"), "hi", private=True)
    assert world.audience(alone) == (ear("duck", "libera/bob"),)
    world.users.sanction(Sanction("bob", Measure.BAN, None, 0.0, None, "", "test"))
    assert world.audience(alone) == ()
    assert not world.gate.decide(replace(alone, text=said(HOME, irc("x"), "login bob x").text)).whispered


def test_who_is_muted_everywhere_may_still_log_in_and_ask(world: World) -> None:
    world.users.sanction(Sanction("bob", Measure.MUTE, None, 0.0, None, "", "test"))
    alone = said(Room("libera", "bob"), irc("bob", "bob"), "login bob x", private=True)
    assert world.gate.decide(alone).whispered
    asked = said(Room("libera", "bob"), irc("bob", "bob"), "help", private=True)
    assert world.audience(asked) == (ear(DESK, "libera/bob"),)


def test_in_private_a_command_is_for_the_desk_and_all_else_for_the_bots(world: World) -> None:
    def asked(text: str, kind: Kind = Kind.TEXT, *, bot: bool = False) -> tuple[Room, ...]:
        return world.audience(said(ALONE, irc("eve", bot=bot), text, kind=kind, private=True))

    assert asked("help") == asked("!HELP users") == (ear(DESK, "libera/eve"),)
    assert asked("helpful") == (ear("duck", "libera/eve"),)
    assert asked("help", Kind.NOTICE) == asked("help", bot=True) == ()
    assert world.audience(said(LIBERA, irc("eve"), "help")) == ()


def test_a_password_is_whispered_to_the_desk_and_goes_nowhere_else(world: World) -> None:
    verdict = world.gate.decide(said(ALONE, irc("eve"), "login alice quack", private=True))
    assert (verdict.audience, verdict.whispered) == ((), True)
    verdict = world.gate.decide(said(LIBERA, irc("eve"), "duck: login alice quack"))
    assert (verdict.audience, verdict.whispered) == ((), False)
    verdict = world.gate.decide(said(ALONE, irc("eve"), "login alice quack", kind=Kind.NOTICE, private=True))
    assert (verdict.audience, verdict.whispered) == ((), False)


def test_a_guest_who_asks_a_lot_is_told_once_and_then_met_with_silence() -> None:
    world = World(Rules(per_guest=Allowance(2, 1)))
    question = said(LIBERA, irc("eve"), "duck: hi")
    verdicts = [world.gate.decide(question) for _ in range(5)]
    assert [bool(verdict.audience) for verdict in verdicts] == [True, True, False, False, False]
    assert [verdict.spent for verdict in verdicts] == [False, False, True, False, False]
    assert world.audience(said(LIBERA, irc("bob", "bob"), "duck: hi")) != ()
    assert world.audience(said(LIBERA, irc("mallory"), "duck: hi")) != ()
    world.now += 60
    assert world.audience(question) != ()


def test_a_guests_logins_count_as_questions() -> None:
    world = World(Rules())
    login = said(ALONE, irc("eve"), "login alice quack", private=True)
    verdicts = [world.gate.decide(login) for _ in range(8)]
    assert [verdict.whispered for verdict in verdicts] == [True] * 6 + [False] * 2
    assert [verdict.spent for verdict in verdicts] == [False] * 6 + [True, False]


def test_all_guests_together_have_a_budget_too_and_members_do_not_pay_for_it() -> None:
    world = World(Rules(per_link=Allowance(3, 1)))
    asked = [world.audience(said(LIBERA, irc(f"m{number}"), "duck: hi")) for number in range(6)]
    assert [bool(audience) for audience in asked] == [True] * 3 + [False] * 3
    for _ in range(100):
        assert len(world.audience(said(LIBERA, irc("bob", "bob"), "duck: hi"))) == 2


def test_a_budget_is_not_evaded_by_a_change_of_nick() -> None:
    world = World(Rules(per_guest=Allowance(2, 1)))
    asked = [
        world.audience(said(LIBERA, replace(irc(f"m{number}"), connection="1 1"), "duck: hi")) for number in range(4)
    ]
    assert [bool(audience) for audience in asked] == [True, True, False, False]


def test_a_guest_who_is_carried_is_carried_on_when_the_duck_has_heard_enough() -> None:
    world = World(Rules(Guests.RELAY, per_guest=Allowance(1, 1)))
    assert len(world.audience(said(LIBERA, irc("eve"), "duck: 1"))) == 2
    assert world.audience(said(LIBERA, irc("eve"), "duck: 2")) == (HOME,)


def test_other_links_count_from_one_event_to_the_next(world: World) -> None:
    assert world.audience(said(HOME, matrix("alice"), "hi")) == (LIBERA,)
    world.gate.use([Link("pond", (HOME,))])
    assert world.audience(said(HOME, matrix("alice"), "hi")) == ()
    world.gate.use([Link("pond", (HOME, LIBERA), Rules(members=frozenset({"bob"})))])
    assert world.audience(said(HOME, matrix("alice"), "hi")) == ()


def test_what_a_bot_answers_is_never_taken_for_a_command(world: World) -> None:
    assert world.audience(answer(ear("duck", "libera/eve"), "help", private=True)) == (ALONE,)


def test_who_asks_a_lot_keeps_nobody_from_logging_in_nor_other_networks_from_asking(world: World) -> None:
    for number in range(100):
        world.gate.decide(said(Room("libera", f"m{number}"), irc(f"m{number}"), "help", private=True))
    login = said(Room("libera", "al"), irc("al"), "login alice quack", private=True)
    assert world.gate.decide(login).whispered
    assert world.audience(said(Room("oftc", "al"), irc("al", network="oftc"), "help", private=True))


def test_no_pattern_silences_an_admin(world: World) -> None:
    world.users.set_role("alice", Role.ADMIN)
    world.users.sanction(Sanction("@a*:hs", Measure.BAN, None, 0.0, None, "", "test"))
    assert world.audience(said(HOME, matrix("alice"), "hi")) == (LIBERA,)
    assert world.audience(said(HOME, matrix("anna"), "duck: hi")) == ()


def test_a_password_that_is_said_to_the_duck_by_name_is_caught_with_the_names_that_it_has(world: World) -> None:
    for text, called in (("duck login alice quack", None), ("@quack:hs: login alice quack", "@quack:hs")):
        verdict = world.gate.decide(said(HOME, matrix("alice"), text, called=called))
        assert verdict.refusal is not None
        assert verdict.refusal.secret
        assert verdict.audience == ()
