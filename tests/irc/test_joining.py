"""Getting into channels: keys, invitations, the operator's own commands before, and why we are not let in."""

import random

import pytest
from structlog.testing import capture_logs

from bridge.irc.effects import Barred, Joined, Notable, Write
from bridge.irc.session.session import Session
from bridge.lib.lru import LruDict
from bridge.model.event import Room
from tests.footprint import footprint
from tests.irc.test_client import Ircd, running
from tests.irc.test_session import POND, Talk
from tests.settings import irc_settings

_LAKE = Room("net", "#lake")


def joins(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("JOIN")]


def online(talk: Talk, supports: str = "CASEMAPPING=ascii CHANTYPES=#") -> list[str]:
    return talk.hears(":irc 001 duck :Welcome", f":irc 005 duck {supports} :are supported", ":irc 376 duck :end")


# Keys


def test_a_channel_with_a_key_is_joined_with_it_however_its_name_is_spelt() -> None:
    talk = Talk(rooms=(POND, _LAKE), channel_keys={"#PoND": {"password": "swan"}})
    assert joins(online(talk)) == ["JOIN #Pond swan", "JOIN #lake"]
    secret = [each for each in talk.of(Write) if each.is_secret]
    assert [each.data for each in secret] == [b"JOIN #Pond swan\r\n"]


def test_whoever_has_given_no_key_is_told_where_and_whoever_has_given_a_wrong_one_too() -> None:
    hints = []
    for keys in ({}, {"#pond": {"password": "swan"}}):
        talk = Talk(channel_keys=keys)
        online(talk)
        talk.hears(":irc 475 duck #Pond :Cannot join channel (+k)")
        hints.append(talk.of(Barred)[0].hint)
    assert hints[0].startswith("give it under `channel_keys`")
    assert hints[1].startswith("correct it under `channel_keys`")


@pytest.mark.parametrize("key", ["two words", "a,b", ":x", "", "x\ny"])
def test_a_key_that_is_no_word_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ValueError, match="a channel's key is one word") as error:
        irc_settings(channel_keys={"#pond": {"password": key}})
    assert "two words" not in str(error.value.errors(include_input=False))  # type: ignore[attr-defined]


@pytest.mark.real_time
async def test_neither_a_key_nor_a_command_of_the_operator_gets_into_the_log() -> None:
    ircd = Ircd()
    with capture_logs() as entries:
        async with running(ircd, channel_keys={"#pond": {"password": "swan"}}, pre_join=["PRIVMSG Q :AUTH duck goose"]):
            await ircd.told(lambda line: line == "JOIN #pond swan")
    assert "PRIVMSG Q :AUTH duck goose" in ircd.lines
    assert "swan" not in repr(entries)
    assert "goose" not in repr(entries)
    assert {"event": "pre_join", "detail": "PRIVMSG"}.items() <= next(
        each for each in entries if each["event"] == "pre_join"
    ).items()


# Many

_MANY = tuple(Room("net", f"#c{number}") for number in range(300))


def answered(line: str) -> list[str]:
    return [f":duck!u@h JOIN {name}" for name in line.removeprefix("JOIN ").split(",")]


def test_hundreds_of_channels_are_joined_by_ten_as_the_server_answers() -> None:
    """Servers drop a client of which some twenty lines wait; we ask about each channel that we are in, too."""
    talk = Talk(rooms=_MANY)
    lines, asked = joins(online(talk)), list[str]()
    while lines:
        assert len(lines) == 1
        assert len(lines[0].split(",")) == 10
        asked += lines
        *first, last = answered(lines[0])
        lines = joins(talk.hears(*first[:4])) + joins(talk.hears(*first[4:], last))
    assert len(asked) == 30
    assert all(talk.session.channels.joined(room.id) for room in _MANY)


def test_an_answer_of_the_server_costs_no_look_at_each_channel_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else a thousand channels take a million looks."""
    looks: list[str] = []

    def look(name: str) -> bool:
        looks.append(name)
        return True

    monkeypatch.setattr("bridge.irc.session.channels._sendable", look)
    talk = Talk(rooms=_MANY)
    lines = joins(online(talk))
    while lines:
        lines = [line for each in answered(lines[0]) for line in joins(talk.hears(each))]
    assert all(talk.session.channels.joined(room.id) for room in _MANY)
    assert len(looks) < 20 * 2 * len(_MANY)  # twice each answer


def test_a_channel_that_we_are_in_takes_little_memory() -> None:
    """Half as much again is for other versions of Python."""
    with footprint() as taken:
        talk = Talk(rooms=_MANY)
        lines = joins(online(talk))
        while lines:
            lines = joins(talk.hears(*answered(lines[0])))
        for room in _MANY:
            talk.hears(f":irc 353 duck = {room.id} :@bob duck", f":irc 324 duck {room.id} +nt")
        talk.effects.clear()
        assert taken() < len(_MANY) * 2_000


def test_channels_that_the_server_does_not_answer_for_do_not_keep_us_out_of_others_for_long() -> None:
    talk = Talk(rooms=_MANY[:30])
    assert len(joins(online(talk))) == 1
    assert joins(talk.passes(9)) == []
    assert joins(talk.passes(2)) == ["JOIN " + ",".join(room.id for room in _MANY[10:20])]


def test_a_join_waits_for_the_flood_budget() -> None:
    talk, budget = Talk(rooms=_MANY[:30]), [True, False, False, True]
    talk.session.channels.may_write = lambda _: budget.pop(0)
    (first,) = joins(online(talk))
    assert joins(talk.hears(*answered(first)[:5])) == []
    assert joins(talk.passes(1)) == []
    assert joins(talk.passes(1)) == ["JOIN " + ",".join(room.id for room in _MANY[10:20])]


# Before


def test_the_operators_commands_are_sent_once_before_the_first_join() -> None:
    talk = Talk(pre_join=["MODE {nick} +x", "PRIVMSG Q :AUTH me secret", "WHO"])
    assert online(talk) == ["MODE duck +x", "PRIVMSG Q :AUTH me secret", "WHO", "JOIN #Pond"]
    assert Notable("pre_join", "MODE, PRIVMSG, WHO") in talk.effects
    assert talk.hears(":irc 376 duck :end") == []


@pytest.mark.parametrize("command", ["", "001 x", "PRIVMSG x\nQUIT", ":me NICK x", "@a=b NICK x", "WHO " + "x" * 500])
def test_what_is_no_command_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="must be one IRC command"):
        irc_settings(pre_join=[command])


def test_channels_are_joined_when_the_delay_is_over() -> None:
    talk = Talk(join_delay="20s")
    assert online(talk) == []
    assert talk.passes(19) == []
    assert talk.session.set_rooms([POND, _LAKE]) == []
    assert joins(talk.passes(2)) == ["JOIN #Pond,#lake"]


def test_a_delay_of_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="5m at most"):
        irc_settings(join_delay="6m")


# Invitations


def test_an_invite_only_channel_is_asked_to_let_us_in_and_joined_when_it_does() -> None:
    talk = Talk()
    online(talk, "CASEMAPPING=ascii CHANTYPES=# KNOCK")
    (knock,) = talk.hears(":irc 473 duck #Pond :Cannot join channel (+i)")
    assert knock.startswith("KNOCK #Pond :This is a bridge")
    assert talk.hears(":op!u@h INVITE duck #Pond") == ["JOIN #Pond"]
    talk.hears(":duck!u@h JOIN #Pond")
    assert talk.of(Joined)


def test_we_knock_once_a_day_over_all_connections_and_only_where_there_is_knock() -> None:
    knocked: LruDict[str, float] = LruDict(10)
    knocks = []
    for hour in range(49):
        talk = Talk()
        talk.session = Session(
            talk.settings, [POND], origin="o", now=hour * 3600.0, rng=random.Random(1), knocked=knocked
        )
        talk.now = hour * 3600.0
        online(talk, "CHANTYPES=# KNOCK")
        knocks += talk.hears(":irc 473 duck #Pond :Cannot join channel (+i)")
    assert len(knocks) == 3
    talk = Talk()
    online(talk)
    assert talk.hears(":irc 473 duck #Pond :Cannot join channel (+i)") == []


_NUMERICS = "402 403 405 407 437 471 473 474 475 476 477 479 480 485 489 490 495 500 520 926"


@pytest.mark.parametrize("numeric", _NUMERICS.split())
def test_each_reason_not_to_be_let_in_is_told_once_in_our_words(numeric: str) -> None:
    talk = Talk()
    online(talk)
    for _ in range(4):
        talk.hears(f":irc {numeric} duck #POND :Gibberish")
        while not joins(talk.passes(1)):
            talk.hears(":irc PONG irc :quackbridge")
    first, *others = talk.of(Barred)
    assert "Gibberish" not in first.reason
    assert first.hint
    assert [first.news, *(each.news for each in others)] == [True, *(False for _ in others)]
    assert len(others) == 3


def test_a_channel_that_forwards_is_told_and_the_other_is_left() -> None:
    talk = Talk()
    online(talk)
    talk.hears(":irc 470 duck #Pond ##overflow :Forwarding to another channel")
    assert talk.of(Barred)[0].reason == "the channel forwards to ##overflow"
    assert talk.hears(":duck!u@h JOIN ##overflow") == ["PART ##overflow"]
