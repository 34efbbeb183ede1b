"""The gate: who somebody is, under which name they are shown, and what guests may ask for."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from bridge.model.accounting import Cause
from bridge.model.answering import Answers
from bridge.model.attribution import shown_as
from bridge.model.event import (
    BOTS,
    DESK,
    FOREVER,
    Body,
    Change,
    Edit,
    Event,
    EventKey,
    Kind,
    Media,
    Membership,
    Message,
    Reaction,
    Redaction,
    Room,
)
from bridge.model.outbox import Known
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Presentation
from bridge.model.text import words
from bridge.rules.budget import Allowance
from bridge.rules.case import Aside, Refusal, Told
from bridge.rules.gate import Gate, asked_about
from bridge.rules.joining import Door
from bridge.rules.link import Guests, Link, LinkedBot, Rules
from bridge.rules.routing import ear, everywhere
from bridge.users import Measure, Role, Sanction, User
from bridge.users.sessions import Sessions
from tests.events import HOME, LIBERA, answer, asks_for_help, irc, matrix, rebodied, said
from tests.fakes.users import MemoryUsers

DUCK = LinkedBot("duck", ("duck",), Answers.MENTIONED)
DEFAULT = Rules()
ALONE = Room("libera", "eve")
FAR = EventKey(HOME, "$never")
NOTHING: Mapping[EventKey, Known] = {}


class World:
    def __init__(self, rules: Rules = DEFAULT, *, by_hand: tuple[Room, ...] = (), bot: LinkedBot = DUCK) -> None:
        self.now = 1_000.0
        self.users = MemoryUsers()
        self.users.add(
            User("alice", identities=(Identity(Proof.MATRIX, "", "@alice:hs"),), password="hash"),
            User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)),
        )
        self.sessions = Sessions(self.users, lambda: self.now, 60.0)
        links = [Link("pond", (HOME, LIBERA), rules, (bot,), by_hand=by_hand)]
        self.gate = Gate(self.users, self.sessions, links, clock=lambda: self.now, commands=asks_for_help)

    def audience(self, event: Event) -> tuple[Room, ...]:
        return self.gate.decide(event).audience


@pytest.fixture
def world() -> World:
    return World()


def test_a_sender_without_proof_is_carried_after_a_login_on_the_same_connection(world: World) -> None:
    al = replace(irc("al"), connection="1 1")
    assert world.audience(said(LIBERA, al, "hi")) == ()
    world.sessions.open(al, world.users.get("alice"))
    assert world.audience(said(LIBERA, al, "hi")) == (HOME,)
    assert world.audience(said(LIBERA, replace(irc("al"), connection="1 2"), "hi")) == ()


def test_whether_somebody_is_carried_is_known_before_their_words_are_read(world: World) -> None:
    alice, eve = matrix("alice"), matrix("eve")
    assert world.gate.carries(alice, HOME)
    assert not world.gate.carries(eve, HOME)
    assert not world.gate.carries(irc("bob"), LIBERA), "not proved"
    assert World(Rules(Guests.RELAY)).gate.carries(eve, HOME)
    assert not World(Rules(members=frozenset({"bob"}))).gate.carries(alice, HOME)
    assert world.gate.carries(alice, Room("home", "@alice:hs"))
    assert not world.gate.carries(eve, Room("home", "@eve:hs"))
    world.users.sanction(Sanction("alice", Measure.MUTE, "pond", 0.0, None, "", "test"))
    assert not world.gate.carries(alice, HOME)
    relaying = World(Rules(Guests.RELAY))
    relaying.users.sanction(Sanction("@eve:*", Measure.BAN, "pond", 0.0, None, "", "test"))
    assert not relaying.gate.carries(eve, HOME), "a banned guest's typing is not shown"


def test_an_account_that_the_network_proves_counts_more_than_a_login(world: World) -> None:
    both = replace(irc("bob", "bob"), connection="1 1")
    world.sessions.open(both, world.users.get("alice"))
    user = world.gate.who(both)
    assert user is not None
    assert user.name == "bob"


def _shown(world: World, sender: Sender) -> str:
    event = said(LIBERA if sender.network == "libera" else HOME, sender, "hi")
    carried = world.gate.decide(event).case.event
    assert carried.sender.name == sender.name, "a person's own name is never rewritten"
    return shown_as(carried.sender)


def test_a_sender_who_shows_another_users_name_is_marked_as_guest_or_with_their_own() -> None:
    world = World(Rules(Guests.RELAY))
    assert _shown(world, matrix("alice", display="Alice A.")) == "Alice A."
    assert _shown(world, matrix("eve", display="alice")) == "alice (guest)"
    assert _shown(world, irc("alice")) == "alice (guest)"
    assert _shown(world, matrix("alice", display="BOB")) == "BOB (alice)"
    assert _shown(world, irc("bob", "bob")) == "bob"


def test_a_ban_in_a_link_counts_only_there_and_a_ban_everywhere_also_in_private(world: World) -> None:
    world.users.sanction(Sanction("bob", Measure.BAN, "pond", 0.0, None, "", "test"))
    assert world.audience(said(LIBERA, irc("bob", "bob"), "duck: hi")) == ()
    alone = said(Room("libera", "bob"), irc("bob", "bob"), "hi", private=True)
    assert world.audience(alone) == (ear("duck", "libera/bob"),)
    world.users.sanction(Sanction("bob", Measure.BAN, None, 0.0, None, "", "test"))
    assert world.audience(alone) == ()
    assert world.gate.decide(replace(alone, body=said(HOME, irc("x"), "login bob x").body)).aside is Aside.NONE


def test_a_user_who_is_muted_everywhere_may_still_log_in_and_ask_the_desk(world: World) -> None:
    world.users.sanction(Sanction("bob", Measure.MUTE, None, 0.0, None, "", "test"))
    alone = said(Room("libera", "bob"), irc("bob", "bob"), "login bob x", private=True)
    assert world.gate.decide(alone).aside is Aside.WHISPER
    asked = said(Room("libera", "bob"), irc("bob", "bob"), "help", private=True)
    assert world.audience(asked) == (ear(DESK, "libera/bob"),)


def test_a_private_command_goes_to_the_desk_and_any_other_private_message_to_the_bots(world: World) -> None:
    def asked(text: str, kind: Kind = Kind.TEXT, *, bot: bool = False) -> tuple[Room, ...]:
        return world.audience(said(ALONE, irc("eve", bot=bot), text, kind=kind, private=True))

    assert asked("help") == asked("!HELP users") == (ear(DESK, "libera/eve"),)
    assert asked("helpful") == (ear("duck", "libera/eve"),)
    assert asked("help", Kind.NOTICE) == asked("help", bot=True) == ()
    assert world.audience(said(LIBERA, irc("eve"), "help")) == ()


def test_a_private_login_is_whispered_to_the_desk_and_any_other_login_goes_nowhere(world: World) -> None:
    verdict = world.gate.decide(said(ALONE, irc("eve"), "login alice quack", private=True))
    assert (verdict.audience, verdict.aside) == ((), Aside.WHISPER)
    verdict = world.gate.decide(said(LIBERA, irc("eve"), "duck: login alice quack"))
    assert (verdict.audience, verdict.aside) == ((), Aside.NONE)
    verdict = world.gate.decide(said(ALONE, irc("eve"), "login alice quack", kind=Kind.NOTICE, private=True))
    assert (verdict.audience, verdict.aside) == ((), Aside.NONE)


def test_what_guests_say_to_others_costs_no_questions_and_is_heard_up_to_a_bound() -> None:
    world = World(Rules(per_guest=Allowance(2, 1)), bot=replace(DUCK, hears_all=True))
    talk, question = said(LIBERA, irc("eve"), "nice weather"), said(LIBERA, irc("eve"), "duck: hi")
    verdicts = [world.gate.decide(talk) for _ in range(25)]
    assert [bool(verdict.audience) for verdict in verdicts] == [True] * 20 + [False] * 5
    assert {verdict.aside for verdict in verdicts} == {Aside.NONE}
    assert [bool(world.audience(question)) for _ in range(3)] == [True, True, False]


def test_a_guest_who_asks_too_much_is_told_once_and_then_ignored_for_a_while() -> None:
    world = World(Rules(per_guest=Allowance(2, 1)))
    question = said(LIBERA, irc("eve"), "duck: hi")
    verdicts = [world.gate.decide(question) for _ in range(5)]
    assert [bool(verdict.audience) for verdict in verdicts] == [True, True, False, False, False]
    assert [verdict.aside is Aside.SPENT for verdict in verdicts] == [False, False, True, False, False]
    assert world.audience(said(LIBERA, irc("bob", "bob"), "duck: hi")) != ()
    assert world.audience(said(LIBERA, irc("mallory"), "duck: hi")) != ()
    world.now += 60
    assert world.audience(question) != ()


def test_a_guests_logins_count_as_questions() -> None:
    world = World(Rules())
    login = said(ALONE, irc("eve"), "login alice quack", private=True)
    verdicts = [world.gate.decide(login) for _ in range(8)]
    assert [verdict.aside is Aside.WHISPER for verdict in verdicts] == [True] * 6 + [False] * 2
    assert [verdict.aside is Aside.SPENT for verdict in verdicts] == [False] * 6 + [True, False]


def test_all_guests_of_a_link_share_a_budget_that_does_not_limit_members() -> None:
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


def test_a_relayed_guest_is_still_carried_when_their_budget_for_bots_is_spent() -> None:
    world = World(Rules(Guests.RELAY, per_guest=Allowance(1, 1)))
    assert len(world.audience(said(LIBERA, irc("eve"), "duck: 1"))) == 2
    assert world.audience(said(LIBERA, irc("eve"), "duck: 2")) == (HOME,)


def test_changed_links_and_rules_count_from_the_next_event(world: World) -> None:
    assert world.audience(said(HOME, matrix("alice"), "hi")) == (LIBERA,)
    world.gate.set_links([Link("pond", (HOME,))])
    assert world.audience(said(HOME, matrix("alice"), "hi")) == ()
    world.gate.set_links([Link("pond", (HOME, LIBERA), Rules(members=frozenset({"bob"})))])
    assert world.audience(said(HOME, matrix("alice"), "hi")) == ()


def test_an_answer_of_a_bot_is_never_taken_for_a_command(world: World) -> None:
    assert world.audience(answer(ear("duck", "libera/eve"), "help", private=True)) == (ALONE,)


def test_many_questions_on_one_network_block_neither_logins_nor_questions_on_another(world: World) -> None:
    for number in range(100):
        world.gate.decide(said(Room("libera", f"m{number}"), irc(f"m{number}"), "help", private=True))
    login = said(Room("libera", "al"), irc("al"), "login alice quack", private=True)
    assert world.gate.decide(login).aside is Aside.WHISPER
    assert world.audience(said(Room("oftc", "al"), irc("al", network="oftc"), "help", private=True))


def test_a_ban_by_pattern_does_not_silence_an_admin(world: World) -> None:
    world.users.set_role("alice", Role.ADMIN)
    world.users.sanction(Sanction("@a*:hs", Measure.BAN, None, 0.0, None, "", "test"))
    assert world.audience(said(HOME, matrix("alice"), "hi")) == (LIBERA,)
    assert world.audience(said(HOME, matrix("anna"), "duck: hi")) == ()


def test_a_login_that_is_said_to_a_bot_in_a_room_is_recognised_by_the_bots_names(world: World) -> None:
    for text, called in (("duck login alice quack", None), ("@quack:hs: login alice quack", "@quack:hs")):
        verdict = world.gate.decide(said(HOME, matrix("alice"), text, called=called))
        assert verdict.refusal is not None
        assert verdict.refusal.secret
        assert verdict.audience == ()


def test_the_correction_of_a_line_that_may_hold_a_password_is_not_carried_either(world: World) -> None:
    alice, wrong, right = matrix("alice"), "duck login alice quack1", "s/quack1/quack2/"
    assert world.audience(said(HOME, alice, right)) == (LIBERA,)
    assert world.audience(said(HOME, alice, wrong)) == ()
    verdict = world.gate.decide(said(HOME, alice, right))
    assert verdict.refusal is not None
    assert verdict.refusal.secret
    assert world.audience(said(HOME, alice, "sorry")) == (LIBERA,)
    assert world.audience(said(LIBERA, irc("bob", "bob"), right)) == (HOME,)
    world.now += 301.0
    assert world.audience(said(HOME, alice, right)) == (LIBERA,)


def known(events: list[Event], *rooms: Room) -> dict[EventKey, Known]:
    """What a store knows of `events`, which went to `rooms`."""
    return {event.key: Known(event.key, event.sender, "hi", (event.room, *rooms)) for event in events}


def about(original: Event, who: Sender, body: Body) -> Event:
    return Event("$about", original.room, who, 1_001.0, body)


def test_an_edit_redaction_or_reaction_goes_where_its_target_went_whatever_is_linked_now(world: World) -> None:
    first = said(HOME, matrix("alice"), "hi")
    gone = Room("oftc", "#gone")
    went = known([first], LIBERA, gone, ear("duck", "@home/#pond:hs"))
    for body in (Edit(first.key, words("ho")), Redaction(first.key), Reaction(first.key, "+1")):
        heard = world.gate.decide(about(first, matrix("alice"), body), went).audience
        assert [room for room in heard if room.network != BOTS] == [LIBERA, gone]
        assert len(heard) == (3 if isinstance(body, Edit) else 2)  # a question that waits is edited


def test_a_reaction_to_a_carried_message_goes_back_to_the_room_of_the_original(world: World) -> None:
    first = said(HOME, matrix("alice"), "hi")
    event = Event("1", LIBERA, irc("bob", "bob"), 1_001.0, Reaction(EventKey(LIBERA, "irc-1"), "+1"))
    went = {EventKey(LIBERA, "irc-1"): Known(first.key, first.sender, "hi", (HOME, LIBERA))}
    assert world.gate.decide(event, went).audience == (HOME,)


def test_a_reaction_to_an_unknown_event_is_refused_silently(world: World) -> None:
    verdict = world.gate.decide(about(said(HOME, matrix("alice"), "hi"), matrix("alice"), Reaction(FAR, "+1")))
    assert verdict.refusal is not None
    assert (verdict.audience, verdict.refusal.told) == ((), Told.NOTHING)


def test_an_edit_is_accepted_only_from_the_author(world: World) -> None:
    first = said(HOME, matrix("alice"), "hi")
    world.users.add(User("carol", Role.ADMIN, (Identity(Proof.MATRIX, "", "@carol:hs"),)))
    edit = Edit(first.key, words("I owe you money"))
    verdict = world.gate.decide(about(first, matrix("carol"), edit), known([first], LIBERA))
    assert verdict.refusal is not None
    assert verdict.audience == ()
    assert world.gate.decide(about(first, matrix("alice"), edit), known([first], LIBERA)).refusal is None


def test_a_message_that_was_removed_does_not_come_back_by_an_edit(world: World) -> None:
    first = said(HOME, matrix("alice"), "hi")
    went = {first.key: replace(known([first], LIBERA)[first.key], removed=True)}
    verdict = world.gate.decide(about(first, matrix("alice"), Edit(first.key, words("hi again"))), went)
    assert verdict.refusal is not None
    assert verdict.audience == ()


def test_who_leaves_with_words_like_a_password_gets_no_notice_which_could_not_arrive(world: World) -> None:
    bob = irc("bob", "bob")
    left = Event("1", LIBERA, bob, 1_000.0, Membership(bob, Change.LEFT, "duck: login alice quack"))
    verdict = world.gate.decide(left)
    assert verdict.refusal is not None
    assert (verdict.audience, verdict.refusal.told) == ((), Told.NOTHING)
    assert verdict.refusal.secret


def test_only_messages_are_edited_and_no_notice_of_who_came_and_left(world: World) -> None:
    alice = matrix("alice")
    first = Event("$joined", HOME, alice, 1_000.0, Membership(alice, Change.JOINED))
    for kind in ("membership", "edit", "reaction", "topic"):
        went = {first.key: replace(known([first], LIBERA)[first.key], type=kind)}
        verdict = world.gate.decide(about(first, alice, Edit(first.key, words("bob is an impostor"))), went)
        assert verdict.refusal is not None
        assert verdict.audience == ()


def test_a_removal_is_not_removed(world: World) -> None:
    alice = matrix("alice")
    first = Event("$gone", HOME, alice, 1_000.0, Redaction(EventKey(HOME, "$slip")))
    went = {first.key: replace(known([first], LIBERA)[first.key], type="redaction")}
    verdict = world.gate.decide(about(first, alice, Redaction(first.key)), went)
    assert verdict.refusal is not None
    assert verdict.audience == ()


def test_who_has_spoken_and_takes_another_nick_is_told_of_by_that_too() -> None:
    world = World(Rules(Guests.RELAY))

    def told(who: Sender, change: Change, detail: str = "") -> tuple[Room, ...]:
        return world.gate.decide(Event("1", LIBERA, who, 1_000.0, Membership(who, change, detail))).audience

    world.gate.speakers.spoke(LIBERA, replace(irc("bob", "bob"), user="bob"), world.now)
    assert told(irc("bob", "bob"), Change.RENAMED, "bobby") == (HOME,)
    assert told(irc("bobby"), Change.RENAMED, "rob") == (HOME,)
    assert told(irc("rob"), Change.LEFT) == (HOME,)
    assert told(irc("bobby"), Change.JOINED) == (HOME,)
    assert told(irc("eve"), Change.RENAMED, "carol") == ()
    assert told(irc("carol"), Change.LEFT) == ()


def test_the_reason_of_a_guest_or_a_muted_person_who_kicks_somebody_is_not_carried(world: World) -> None:
    kicked = Membership(irc("bob", "bob"), Change.KICKED, "alice is a thief")
    world.gate.speakers.spoke(LIBERA, replace(irc("bob", "bob"), user="bob"), world.now)
    world.users.sanction(Sanction("libera/mallory!*@*", Measure.MUTE, "pond", 0.0, None, "", "test"))
    masked = replace(irc("mallory"), mask="mallory!m@host")
    for who, reason in ((irc("bob", "bob"), "alice is a thief"), (irc("eve"), ""), (masked, "")):
        verdict = world.gate.decide(Event("1", LIBERA, who, 1_000.0, kicked))
        assert verdict.audience == (HOME,)
        assert isinstance(verdict.case.event.body, Membership)
        assert verdict.case.event.body.detail == reason


def test_an_edit_in_a_private_conversation_is_not_answered_and_its_author_is_told_so(world: World) -> None:
    first = said(Room("home", "!private"), matrix("alice"), "whoam", private=True)
    for found in ({}, known([first], ear("duck", "home/!private"))):
        for kind, told in ((Kind.TEXT, Told.REASON), (Kind.NOTICE, Told.NOTHING)):
            edit = replace(about(first, matrix("alice"), Edit(first.key, words("whoami"), kind)), private=True)
            verdict = world.gate.decide(edit, found)
            assert verdict.refusal is not None
            assert (verdict.audience, verdict.refusal.told) == ((), told)


@pytest.mark.parametrize("name", ["duck", "Duck", "\uff24uck", "d\u200duck"])
def test_a_member_who_is_called_like_a_bot_is_shown_with_their_address(world: World, name: str) -> None:
    verdict = world.gate.decide(said(HOME, matrix("alice", display=name), "hi"))
    assert shown_as(verdict.case.event.sender) == f"{name} (@alice:hs)"
    irc_side = world.gate.decide(said(LIBERA, irc("duck", "bob"), "hi"))
    assert shown_as(irc_side.case.event.sender) == "duck (bob)"


def test_a_redaction_is_accepted_only_from_the_author_a_moderator_or_an_admin() -> None:
    world = World(Rules(Guests.RELAY, moderators=frozenset({"bob"})))
    first = said(LIBERA, irc("eve", "eve"), "hi")
    world.users.add(User("carol", Role.ADMIN, (Identity(Proof.IRC, "libera", "carol"),)))
    heard = {
        who: world.gate.decide(about(first, irc(who, who), Redaction(first.key)), known([first], HOME)).refusal is None
        for who in ("eve", "bob", "carol", "mallory")
    }
    assert heard == {"eve": True, "bob": True, "carol": True, "mallory": False}


def test_a_guests_reaction_is_refused_without_a_hint(world: World) -> None:
    first = said(HOME, matrix("alice"), "hi")
    verdict = world.gate.decide(about(first, matrix("mallory"), Reaction(first.key, "+1")), known([first], LIBERA))
    assert verdict.refusal == Refusal("not a member", Told.NOTHING, Cause.GUEST, heard=True)
    assert verdict.audience == ()


def test_a_sender_who_passes_the_gate_carries_their_user_or_the_note_guest(world: World) -> None:
    carried = world.gate.decide(said(HOME, matrix("alice", display="A."), "hi")).case.event
    assert (carried.sender.user, carried.sender.note) == ("alice", "")
    guest = world.gate.decide(said(HOME, matrix("eve"), "duck: hi")).case.event
    assert (guest.sender.user, guest.sender.note) == (None, "guest")


def test_a_reply_that_mentions_us_is_a_question_only_if_it_replies_to_a_bot(world: World) -> None:
    duck, line = EventKey(Room(BOTS, "duck"), "$answer"), EventKey(LIBERA, "line")
    here = EventKey(HOME, "$carried")
    event = said(HOME, matrix("alice"), "I agree")
    mention = replace(event, body=Message(words("I agree"), called="", reply_to=here))
    asked = {ear(DUCK.key, "pond").network}
    for known, wanted in (({}, False), ({here: Known(line)}, False), ({here: Known(duck)}, True)):
        audience = world.gate.decide(mention, known).audience
        assert any(room.network in asked for room in audience) == wanted
    named = replace(mention, body=Message(words("duck: hi"), called="duck", reply_to=here))
    assert any(room.network in asked for room in world.gate.decide(named).audience)
    assert asked_about(mention) == here
    assert asked_about(named) is None


def _asked_of_two(event: Event, known: Mapping[EventKey, Known] = NOTHING) -> list[str]:
    """Which of the bots of a link, duck, heron and gray heron, are asked."""
    world, names = World(), ("duck", "heron", "gray heron")
    bots = tuple(LinkedBot(name.replace(" ", "-"), (name,), Answers.MENTIONED) for name in names)
    world.gate.set_links([Link("pond", (HOME, LIBERA), bots=bots)])
    return [room.id.partition("@")[0] for room in world.gate.decide(event, known).audience if room.network == BOTS]


@pytest.mark.parametrize(
    ("text", "called", "asked"),
    [
        ("heron: what about duck0?", "", ["heron"]),
        ("duck: hi", "duck", ["duck"]),
        ("gray heron, hi", None, ["gray-heron"]),
        ("duck0: hi", "duck0", ["duck", "heron", "gray-heron"]),
        ("hi", None, []),
    ],
)
def test_who_calls_one_bot_by_its_name_asks_no_other(text: str, called: str | None, asked: list[str]) -> None:
    assert _asked_of_two(said(HOME, matrix("alice"), text, called=called)) == asked


def test_who_calls_one_bot_in_private_asks_no_other() -> None:
    assert _asked_of_two(said(ALONE, irc("eve"), "heron: hi", private=True)) == ["heron"]
    assert len(_asked_of_two(said(ALONE, irc("eve"), "hi", private=True))) == 3


@pytest.mark.parametrize("called", ["", None])
def test_who_replies_to_one_bots_words_asks_no_other_mentioned_or_not(called: str | None) -> None:
    here = EventKey(HOME, "$answer")
    reply = said(HOME, matrix("alice"), "and you?", called=called, reply_to=here)
    known = {here: Known(EventKey(ear("heron", everywhere(HOME)), "x"))}
    assert asked_about(reply) == here
    assert _asked_of_two(reply, known) == ["heron"]
    assert _asked_of_two(reply, {here: Known(EventKey(LIBERA, "x"))}) == []
    assert _asked_of_two(replace(reply, body=Message(words("duck: and you?"), reply_to=here)), known) == ["duck"]
    away = {here: Known(EventKey(ear(DESK, str(ALONE)), "x"))}
    assert len(_asked_of_two(reply, away)) == 3


def test_the_line_limits_of_members_and_guests_are_configured_and_a_bot_without_a_link_has_20() -> None:
    world = World(Rules(Guests.RELAY, member_lines=9, guest_lines=3))
    assert world.gate.decide(said(HOME, matrix("alice"), "hi")).case.event.max_lines == 9
    assert world.gate.decide(said(HOME, matrix("eve"), "hi")).case.event.max_lines == 3
    assert (
        world.gate.decide(replace(said(HOME, matrix("eve"), "hi"), room=Room(BOTS, "duck"))).case.event.max_lines == 20
    )


def _asking(world: World) -> None:
    """Give the gate the desk's command, as the daemon does."""
    world.gate = Gate(
        world.users,
        world.sessions,
        world.gate.links,
        clock=lambda: world.now,
        commands=lambda line, _: line == "request",
    )


@pytest.mark.parametrize("text", ["duck: request", "@duck Request!", "littleduck: request"])
def test_a_request_in_a_room_goes_to_the_desk_which_answers_in_private(world: World, text: str) -> None:
    _asking(world)
    assert world.audience(said(LIBERA, irc("eve"), text, called="littleduck")) == (ear(DESK, "libera/eve"),)
    assert world.audience(said(HOME, matrix("eve"), "duck: request")) == (ear(DESK, "home/@eve:hs"),)
    assert world.audience(said(LIBERA, irc("bob", "bob"), "duck: request")) == (HOME, ear(DESK, "libera/bob"))
    assert world.audience(answer(ear(DESK, "home/@eve:hs"), "asked", private=True)) == (Room("home", "@eve:hs"),)


def test_a_request_to_nobody_and_a_request_for_something_else_are_no_commands(world: World) -> None:
    _asking(world)
    assert world.audience(said(LIBERA, irc("eve"), "request")) == ()
    assert world.audience(said(LIBERA, irc("eve"), "duck: request a song")) == (ear("duck", "libera/#pond"),)


def test_a_request_in_a_room_is_charged_to_the_guest() -> None:
    world = World(Rules(per_guest=Allowance(2, 1)))
    _asking(world)
    asked = [world.audience(said(LIBERA, irc("eve"), "duck: request", str(number))) for number in range(3)]
    assert [bool(each) for each in asked] == [True, True, False]


def test_a_banned_guests_request_is_not_heard(world: World) -> None:
    _asking(world)
    world.users.sanction(Sanction("libera/eve", Measure.BAN, None, 0.0, None, "", "test"))
    assert world.audience(said(LIBERA, irc("eve", "eve"), "duck: request")) == ()
    assert world.audience(said(ALONE, irc("eve", "eve"), "request", private=True)) == ()


def test_a_network_has_services_if_the_config_a_user_or_a_proof_says_so(world: World) -> None:
    first, login = "log in to services first", "login NAME PASSWORD"
    doors = {name: Door(passwords=True) for name in ("libera", "oftc", "plain")}
    world.gate.doors = {**doors, "own": Door(services=True)}
    assert first in world.gate.next_step(irc("eve", network="own"))
    assert first in world.gate.next_step(irc("eve", network="libera"))  # bob has an account there
    assert login in world.gate.next_step(irc("eve", network="oftc"))
    world.audience(said(Room("oftc", "#other"), irc("ann", "ann", network="oftc"), "hi"))
    assert first in world.gate.next_step(irc("eve", network="oftc"))
    assert login in world.gate.next_step(irc("eve", network="plain"))


CAT = Media("image", "cat.png", 500, "image/png", "mxc://hs/cat", until=7)
LINKS = Rules(files_last=60.0, largest_file=1_000)


def _until(rules: Rules, sender: Sender, media: Media = CAT, *, private: bool = False) -> int:
    """Until when the link to the picture of somebody works."""
    room = Room("home", "!dm:hs") if private else HOME
    event = rebodied(said(room, sender, "look", private=private), media=(media,))
    body = World(rules).gate.decide(event).case.event.body
    assert isinstance(body, Message)
    return body.media[0].until


def test_links_to_files_are_made_for_who_is_carried_as_long_as_the_link_says() -> None:
    alice, eve = matrix("alice"), matrix("eve")
    assert _until(LINKS, alice) == 1_060
    assert _until(replace(LINKS, files_last=math.inf), alice) == FOREVER
    assert _until(replace(LINKS, guests=Guests.RELAY), eve) == 1_060
    assert _until(LINKS, alice, replace(CAT, size=None)) == 1_060
    assert _until(DEFAULT, alice) == 0
    assert _until(LINKS, eve) == 0
    assert _until(LINKS, alice, private=True) == 0
    assert _until(LINKS, alice, replace(CAT, size=1_001)) == 0
    assert _until(LINKS, alice, replace(CAT, source="")) == 0


def test_an_edit_has_links_to_its_files_and_who_is_muted_has_none() -> None:
    world = World(LINKS)
    first = said(HOME, matrix("alice"), "old", "$old")
    edit = replace(said(HOME, matrix("alice"), "new"), body=Edit(first.key, words("new"), media=(CAT,)))
    there = {first.key: Known(first.key, first.sender, "old", (HOME, LIBERA))}
    body = world.gate.decide(edit, there).case.event.body
    assert isinstance(body, Edit)
    assert body.media[0].until == 1_060
    world.users.sanction(Sanction("alice", Measure.MUTE, "pond", 0.0, None, "", "test"))
    body = world.gate.decide(edit, there).case.event.body
    assert isinstance(body, Edit)
    assert body.media[0].until == 0


def test_a_guest_who_is_carried_may_cause_so_many_links_at_once_and_all_guests_five_times_as_many() -> None:
    world = World(replace(LINKS, guests=Guests.RELAY, guest_links=Allowance(2, 2)))

    def links(sender: Sender, name: str) -> int:
        event = rebodied(said(HOME, sender, "look", name), media=(CAT, replace(CAT, source="mxc://hs/dog")))
        body = world.gate.decide(event).case.event.body
        assert isinstance(body, Message)
        return sum(bool(each.until) for each in body.media)

    assert [links(matrix("eve"), f"$e{number}") for number in range(2)] == [2, 0]
    assert [links(matrix(f"guest{number}"), f"$g{number}") for number in range(5)] == [2, 2, 2, 2, 0]
    assert [links(matrix("alice"), f"$a{number}") for number in range(30)] == [2] * 30


def test_a_preview_is_offered_of_what_members_link_to_on_irc_only_where_the_link_wants_it() -> None:
    for preview, room, wanted in ((True, LIBERA, True), (True, HOME, False), (False, LIBERA, False)):
        gate = World(Rules(preview=preview), by_hand=(LIBERA,)).gate
        who = irc("bob", "bob") if room == LIBERA else matrix("alice")
        event = gate.decide(said(room, who, "see https://pics.example/cat.png.")).case.event
        assert event.preview == ("https://pics.example/cat.png" if wanted else "")


def test_a_bots_long_answer_has_a_link_to_its_text_where_those_who_hear_it_have_links() -> None:
    rules = Rules(Guests.DUCK_ONLY, files_last=60.0, member_lines=2, guest_links=Allowance(1, 1))
    gate = World(rules).gate
    for number in range(10):
        event = gate.decide(answer(ear("duck", everywhere(HOME)), "quack\n" * 9 + str(number))).case.event
        assert (event.text_until, event.max_lines) == (1_060, 2), "nobody's budget is charged"
    assert gate.decide(answer(ear("duck", str(LIBERA)), "quack\n" * 9)).case.event.text_until == 1_060
    assert gate.decide(answer(ear("duck", everywhere(HOME)), "quack")).case.event.text_until == 0
    alone = gate.decide(answer(ear("duck", str(ALONE)), "quack\n" * 99)).case.event
    assert (alone.text_until, alone.max_lines) == (0, 20), "a private conversation"
    gone = gate.decide(answer(ear("duck", everywhere(Room("home", "#gone:hs"))), "quack\n" * 99)).case.event
    assert gone.text_until == 0
    off = World(Rules(member_lines=2)).gate
    assert off.decide(answer(ear("duck", everywhere(HOME)), "quack\n" * 9)).case.event.text_until == 0


def test_nothing_is_offered_of_what_only_the_bots_hear() -> None:
    gate = World(Rules(preview=True, files_last=60.0, member_lines=2), by_hand=(LIBERA,)).gate
    long = "https://pics.example/cat.png\n" * 9
    event = gate.decide(said(LIBERA, irc("bob", "bob"), long)).case.event
    assert (event.text_until, bool(event.preview)) == (1_060, True)
    event = gate.decide(said(LIBERA, irc("eve", "eve"), f"duck: {long}")).case.event
    assert (event.text_until, event.preview) == (0, "")


def test_users_may_verify_the_bridge_but_nobody_who_is_muted_or_banned_everywhere() -> None:
    world = World()
    assert world.gate.knows(matrix("alice"))
    assert not world.gate.knows(matrix("eve"))
    world.users.sanction(Sanction("alice", Measure.MUTE, "pond", 0.0, None, "", "test"))
    assert world.gate.knows(matrix("alice"))
    world.users.sanction(Sanction("alice", Measure.MUTE, None, 0.0, None, "", "test"))
    assert not world.gate.knows(matrix("alice"))


def test_a_puppet_is_for_users_who_want_one_and_are_not_banned_everywhere() -> None:
    world = World()
    assert not world.gate.may_have_puppet("alice")  # no link has puppets
    world.gate.set_links([Link("pond", (HOME, LIBERA), DEFAULT, presentation=Presentation(puppets=True))])
    assert world.gate.may_have_puppet("alice")
    assert not world.gate.may_have_puppet("eve")
    world.users.set_puppet("bob", on=False)
    assert not world.gate.may_have_puppet("bob")
    world.users.sanction(Sanction("alice", Measure.MUTE, None, 0.0, None, "", "admin"))
    assert world.gate.may_have_puppet("alice")
    world.users.sanction(Sanction("alice", Measure.BAN, None, 0.0, None, "", "admin"))
    assert not world.gate.may_have_puppet("alice")


def test_members_may_begin_a_talk_with_members_and_nobody_else_may() -> None:
    world = World()
    alice, eve = matrix("alice"), matrix("eve")
    bob, bobs_nick = irc("robert", "bob"), replace(irc("robert"), user="bob")
    assert world.gate.why_not_talk(alice, bob) == world.gate.why_not_talk(alice, bobs_nick) == ""
    assert "Only members" in world.gate.why_not_talk(eve, bob)
    for stranger in (irc("mallory", "mallory"), irc("bob"), replace(irc("bob"), user="forgotten")):
        assert "is no member of this bridge" in world.gate.why_not_talk(alice, stranger)
    world.users.sanction(Sanction("bob", Measure.BAN, None, 0.0, None, "", "admin"))
    assert world.gate.why_not_talk(alice, bob)
    assert world.gate.why_not_talk(alice, bobs_nick)
    world.users.remove("bob")
    assert world.gate.why_not_talk(alice, bobs_nick)
    world.users.sanction(Sanction("alice", Measure.MUTE, None, 0.0, None, "", "admin"))
    assert "Only members" in world.gate.why_not_talk(alice, bob)


def test_a_nick_is_not_to_be_the_name_of_another_user() -> None:
    gate = World().gate
    assert gate.is_other_user("BOB", "alice")
    assert not gate.is_other_user("alice", "alice")
    assert not gate.is_other_user("eve", "alice")
