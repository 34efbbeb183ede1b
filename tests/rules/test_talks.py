"""Private talk between members: where it goes, who may, and how it begins."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.attribution import shown_as
from bridge.model.event import Edit, Event, EventKey, Kind, Mentioned, Message, Redaction, Room
from bridge.model.outbox import Known
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import Presentation
from bridge.model.talks import MatrixTalk
from bridge.model.text import words
from bridge.rules.case import Aside, Refusal, Told
from bridge.rules.gate import Gate
from bridge.rules.joining import Door
from bridge.rules.link import Link, LinkedBot
from bridge.rules.policy import is_removal
from bridge.rules.talks import beginning
from bridge.users import Measure, Sanction, User
from bridge.users.sessions import Sessions
from tests.events import HOME, LIBERA, OFTC, asks_for_help, irc, matrix, rebodied, said
from tests.fakes.users import MemoryUsers
from tests.rules.test_gate import DUCK

TO_ALICE = Room("libera", "alice>bob")
OF_ALICE = Room("home", "@alice:hs>libera/bob")
BOB, ALICE = irc("bob", "bob"), matrix("alice")
_BOTS: tuple[LinkedBot, ...] = (DUCK,)


def _matrix(value: str) -> Identity:
    return Identity(Proof.MATRIX, "", value)


def _gate(*, puppets: bool = True, rooms: tuple[Room, ...] = (HOME, LIBERA)) -> tuple[Gate, MemoryUsers]:
    users = MemoryUsers()
    users.add(
        User("alice", identities=(_matrix("@alice:hs"), _matrix("@alice:work"))),
        User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)),
        User("dora", identities=(_matrix("@dora:hs"),)),
        User("carol", identities=(Identity(Proof.IRC, "libera", "carol"),)),
    )
    links = [Link("pond", rooms, bots=_BOTS, presentation=Presentation(puppets=puppets))]
    doors = {"libera": Door(), "oftc": Door()}
    gate = Gate(
        users, Sessions(users, lambda: 0.0, 60.0), links, clock=lambda: 0.0, commands=asks_for_help, doors=doors
    )
    return gate, users


@pytest.fixture
def gate() -> Gate:
    return _gate()[0]


def _from_irc(who: Sender = BOB, text: str = "hi", *, mentions: tuple[str, ...] = ("@alice:hs",)) -> Event:
    return rebodied(said(TO_ALICE, who, text, private=True), mentions=mentions)


def _from_matrix(text: str = "hi", to: str = "bob", who: Sender = ALICE) -> Event:
    return replace(said(OF_ALICE, who, text, private=True), mentioned=(Mentioned("bob", to, ()),))


def _refused(gate: Gate, event: Event) -> Refusal:
    verdict = gate.decide(event)
    assert verdict.refusal is not None
    assert verdict.audience == ()
    assert verdict.aside is Aside.NONE
    return verdict.refusal


def test_what_a_member_says_to_a_puppet_goes_to_its_owner_and_to_nobody_else(gate: Gate) -> None:
    for text in ("hi", "help", "duck: hi"):
        verdict = gate.decide(_from_irc(text=text))
        assert verdict.audience == (OF_ALICE,)
        assert verdict.case.event.mentioned[0].user == "alice"


def test_it_goes_to_the_matrix_id_by_which_the_owner_speaks_else_to_their_first_one(gate: Gate) -> None:
    for mentions, member in ((("@alice:work",), "@alice:work"), (("@eve:hs",), "@alice:hs"), ((), "@alice:hs")):
        talk = MatrixTalk("home", member, "libera", "bob")
        assert gate.decide(_from_irc(mentions=mentions)).audience == (talk.room,)


def test_what_a_member_says_in_a_talk_goes_to_irc_with_the_user_whom_the_nick_must_prove_to_be(gate: Gate) -> None:
    verdict = gate.decide(_from_matrix("help"))
    assert verdict.audience == (TO_ALICE,)
    assert [each.user for each in verdict.case.event.mentioned] == ["bob"]


def test_the_adapter_may_know_the_account_of_who_is_meant(gate: Gate) -> None:
    asked = said(OF_ALICE, ALICE, "hi", private=True)
    assert gate.decide(rebodied(asked, mentions=("libera/bob",))).case.event.mentioned[0].user == "bob"
    for account in ("oftc/bob", "libera/nobody", "bob", "libera/"):
        assert "To begin a talk" in _refused(gate, rebodied(asked, mentions=(account,))).reason
    assert "To begin a talk" in _refused(gate, asked).reason


def test_guests_are_refused_in_words_and_programs_without_any(gate: Gate) -> None:
    """A nick proves nothing."""
    refusal = _refused(gate, _from_irc(irc("bob")))
    assert refusal.told is Told.REASON
    assert refusal.reason.startswith("I speak for alice by a bridge.")
    assert _refused(gate, rebodied(_from_irc(irc("eve")), kind=Kind.NOTICE)).told is Told.NOTHING
    assert _refused(gate, _from_irc(irc("eve", bot=True))).told is Told.NOTHING


@pytest.mark.parametrize("measure", Measure)
def test_who_is_muted_or_banned_everywhere_is_refused(measure: Measure) -> None:
    gate, users = _gate()
    users.sanction(Sanction("bob", measure, None, 0.0, None, "", "test"))
    assert _refused(gate, _from_irc()).told is Told.REASON
    assert (gate.user_of(BOB) is None) is (measure is Measure.BAN)


def test_who_is_no_member_any_more_or_wants_no_puppet_gets_nothing() -> None:
    gate, users = _gate()
    users.set_puppet("alice", on=False)
    assert "cannot reach alice" in _refused(gate, _from_irc()).reason
    assert "say `puppet on`" in _refused(gate, _from_matrix()).reason
    users.remove("alice")
    assert "cannot reach alice" in _refused(gate, _from_irc()).reason
    gate, users = _gate()
    users.remove("bob")
    assert "To begin a talk" in _refused(gate, _from_matrix()).reason


def test_without_puppets_in_a_link_of_both_networks_there_is_no_talk() -> None:
    for gate, _ in (_gate(puppets=False), _gate(rooms=(HOME, OFTC))):
        assert "cannot reach alice" in _refused(gate, _from_irc()).reason
        assert _refused(gate, _from_matrix()).told is Told.EACH


def test_only_its_member_speaks_in_a_talk(gate: Gate) -> None:
    other = _from_matrix(who=matrix("dora"))
    assert _refused(gate, other).reason == "that is the talk of somebody else"
    key = EventKey(OF_ALICE, "$one")
    removal = replace(other, body=Redaction(key))
    known = {key: Known(key, None, rooms=(OF_ALICE, TO_ALICE))}
    verdict = gate.decide(removal, known)
    assert verdict.refusal is not None
    assert not is_removal(verdict.case)


@pytest.mark.parametrize("text", ["login alice hunter2", "/msg duck login alice hunter2", "passwd hunter2"])
def test_what_looks_like_a_password_is_neither_carried_nor_given_to_the_desk(gate: Gate, text: str) -> None:
    for event in (_from_irc(text=text), _from_matrix(text)):
        refusal = _refused(gate, event)
        assert "password" in refusal.reason
        assert "hunter2" not in refusal.reason


def test_a_member_whose_nick_does_not_say_who_they_are_is_named(gate: Gate) -> None:
    for sender, shown in ((BOB, "bob"), (irc("BOB", "bob"), "BOB"), (irc("robert", "bob"), "robert (bob)")):
        assert shown_as(gate.decide(_from_irc(sender)).case.event.sender) == shown
    assert shown_as(gate.decide(_from_irc(irc("bob", "carol"))).case.event.sender) == "bob (carol)"


def test_who_has_said_something_in_a_talk_may_edit_and_remove_it(gate: Gate) -> None:
    mine, theirs = EventKey(OF_ALICE, "$one"), EventKey(TO_ALICE, "two")
    known = {key: Known(key, None, rooms=(OF_ALICE, TO_ALICE)) for key in (mine, theirs)}
    for body in (Edit(mine, words("new")), Redaction(mine)):
        assert gate.decide(replace(_from_matrix(), body=body), known).audience == (TO_ALICE,)
    for body in (Edit(theirs, words("new")), Redaction(theirs)):
        assert gate.decide(replace(_from_matrix(), body=body), known).refusal is not None
    assert is_removal(gate.decide(replace(_from_matrix(), body=Redaction(mine)), known).case)


# How a talk begins


@pytest.mark.parametrize(
    ("line", "nick", "rest"),
    [
        ("msg libera/bob hello there", "bob", "hello there"),
        ("/msg bob: hello", "bob", "hello"),
        ("!MSG libera/b[o]b  x", "b[o]b", "x"),
        ("msg: bob\nhello", "bob", "hello"),
    ],
)
def test_a_line_that_begins_a_talk_names_somebody_and_has_words(line: str, nick: str, rest: str) -> None:
    wanted = beginning(line)
    assert wanted is not None
    assert (wanted.nick, line[wanted.length :]) == (nick, rest)
    assert wanted.network == ("libera" if "/bob" in line[1:] or "b[o]b" in line else "")


@pytest.mark.parametrize(
    "line", ["msg", "msg bob", "msg libera/bob", "msgs bob hi", "message bob hi", "hi msg bob x", ""]
)
def test_any_other_line_begins_none(line: str) -> None:
    assert beginning(line) is None


@given(st.text(max_size=60))
def test_the_words_are_what_is_left_of_the_line(text: str) -> None:
    wanted = beginning(f"msg bob {text}")
    assert (wanted is not None) is bool(text.strip())
    assert wanted is None or f"msg bob {text}"[wanted.length :].strip() in text


def _partner(gate: Gate, line: str, who: Sender = ALICE) -> str:
    found = gate.begins_talk(who, line)
    assert found is not None
    return found if isinstance(found, str) else f"{found[0].room}={found[1].user}"


def test_it_is_with_the_member_who_has_that_account_or_that_name(gate: Gate) -> None:
    assert _partner(gate, "msg libera/BOB hi") == f"{OF_ALICE}=bob"
    assert _partner(gate, "msg carol hi").endswith("/carol=carol")


def test_it_is_with_the_member_who_was_seen_under_that_nick_unless_it_is_anothers_account(gate: Gate) -> None:
    assert _partner(gate, "msg robert hi").startswith("I know no member")
    gate.decide(said(LIBERA, irc("robert", "bob"), "quack"))
    assert _partner(gate, "msg robert hi").endswith("/robert=bob")
    gate.decide(said(LIBERA, irc("robert"), "I am a guest with that nick now"))
    assert _partner(gate, "msg robert hi").startswith("I know no member")
    gate.decide(said(LIBERA, irc("bob", "carol"), "I have the nick of bob"))
    assert _partner(gate, "msg bob hi").endswith("/bob=bob")


def test_why_none_can_begin_is_said_in_words(gate: Gate) -> None:
    assert _partner(gate, "msg bob hi", matrix("eve")) == "That is for members."
    assert _partner(gate, "msg alice hi").startswith("I know no member who is called alice")
    assert _partner(gate, "msg oftc/bob hi") == "Members have no nicks of their own there."
    assert _partner(_gate(puppets=False)[0], "msg bob hi") == "Members have no nicks of their own there."
    several, _ = _gate(rooms=(HOME, LIBERA, OFTC))
    assert _partner(several, "msg bob hi") == "Which of these: libera/bob, oftc/bob?"


def test_a_line_for_the_desk_or_for_a_bot_is_in_no_talk(gate: Gate) -> None:
    event = said(Room("home", "!private"), ALICE, "x", private=True)
    assert gate.is_meant_for_us("help: x", event, "help")
    assert gate.is_meant_for_us("duck: x", event, "DUCK")
    assert not gate.is_meant_for_us("bob: x", event, "bob")


def test_a_message_in_a_talk_calls_no_bot(gate: Gate) -> None:
    event = gate.decide(_from_irc(text="duck: hi")).case.event
    assert isinstance(event.body, Message)
    assert event.body.bot == ""
