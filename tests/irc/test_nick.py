"""Our nick, while somebody else has it or services take it from us: asked for when it is free, and seldom."""

import pytest

from bridge.irc.effects import Notable
from tests.irc.test_session import Talk

_MONITOR = ":irc 005 duck_ MONITOR=100 CASEMAPPING=ascii :are supported"


def without(*supports: str, nick: str = "duck") -> Talk:
    """Welcomed as `duck_`."""
    talk = Talk(nick=nick)
    talk.hears(f":irc 433 * {nick} :in use", f":irc 001 {nick}_ :Welcome", *supports, f":irc 376 {nick}_ :end")
    return talk


def nicks(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("NICK ")]


def test_where_there_is_monitor_the_nick_is_watched_and_asked_for_once_it_is_free() -> None:
    talk = without(_MONITOR)
    assert "MONITOR + duck" in talk.written()
    assert talk.hears(":irc 730 duck_ :duck!a@b") == []
    assert talk.hears(":irc 731 duck_ :swan,DUCK") == ["NICK duck"]
    assert talk.hears(":duck_!a@b NICK duck") == ["MONITOR - duck"]
    assert Notable("nick_regained", "duck") in talk.effects
    assert not nicks(talk.passes(3600))


def test_elsewhere_and_where_the_list_of_monitor_is_full_ison_is_asked_once_a_minute() -> None:
    for talk in (without(), without(_MONITOR)):
        talk.hears(":irc 734 duck_ 100 duck :full")
        asked = []
        for _ in range(600):
            lines = talk.passes(1)
            if "ISON duck" in lines:
                asked.append(talk.now)
                talk.hears(":irc 303 duck_ :DUCK")
            talk.hears(":irc PONG irc :quackbridge")
            assert not nicks(lines)
        assert len(asked) in (9, 10)
        assert talk.hears(":irc 303 duck_ :") == ["NICK duck"]


def test_a_server_that_knows_no_ison_is_asked_for_the_nick_itself() -> None:
    talk = without()
    assert nicks(talk.passes(70)) == ["NICK duck"]


def test_services_that_rename_us_at_once_are_not_fought() -> None:
    """Another bridge wrote 540 NICKs in ten seconds."""
    talk = Talk()
    talk.welcomed(supports="CASEMAPPING=ascii CHANTYPES=# MONITOR=100")
    asked = 0
    for number in range(3600):
        lines = talk.passes(1)
        if number == 0:
            lines += talk.hears(":duck!q@h NICK Guest1", ":irc 731 Guest1 :duck")
        lines += talk.hears(":irc 303 Guest1 :", ":irc PONG irc :quackbridge")
        while nicks(lines) and asked < 100:
            asked += 1
            lines = talk.hears(":Guest1!q@h NICK duck", ":duck!q@h NICK Guest1", ":irc 731 Guest1 :duck")
    assert 3 <= asked <= 7


def test_whoever_takes_and_leaves_our_nick_all_the_time_makes_us_ask_six_times_a_minute_at_most() -> None:
    talk = without()
    asked = 0
    for _ in range(60):
        talk.now += 1
        for _ in range(20):
            asked += len(nicks(talk.hears(":duck!x@y NICK goose", ":goose!x@y NICK duck")))
    assert asked <= 6


def test_renames_of_long_ago_do_not_count() -> None:
    talk = Talk().welcomed()
    for _ in range(4):
        talk.hears(":duck!q@h NICK Guest")
        while not nicks(talk.passes(1)):
            talk.hears(":irc PONG irc :quackbridge")
        talk.hears(":Guest!q@h NICK duck")
    talk.now += 10_000
    talk.hears(":irc PONG irc :quackbridge", ":duck!q@h NICK Guest")
    assert "NICK duck" in talk.passes(70)


@pytest.mark.parametrize("have", ["littleduc", "LITTLEDUC"])
def test_a_nick_that_is_too_long_is_ours_as_the_server_cuts_it(have: str) -> None:
    talk = Talk(nick="littleduckling")
    supports = ":irc 005 x NICKLEN=9 MONITOR=5 CASEMAPPING=ascii :are supported"
    talk.hears(f":irc 001 {have} :Welcome", supports, f":irc 376 {have} :end")
    assert not [line for line in talk.passes(300) if line.startswith(("NICK littleduckling", "MONITOR", "ISON"))]


def test_a_nick_is_cut_before_it_is_asked_for_again() -> None:
    talk = without(":irc 005 x NICKLEN=9 MONITOR=5 CASEMAPPING=ascii :are supported", nick="littleduckling")
    assert "MONITOR + littleduc" in talk.written()
    assert talk.hears(":irc 731 x :littleduc") == ["NICK littleduc"]


def test_a_server_without_a_greeting_is_one_like_any_other_after_five_seconds() -> None:
    talk = Talk()
    talk.hears(":irc 433 * duck :in use", ":irc 001 duck_ :Welcome", _MONITOR)
    assert "MONITOR + duck" in talk.passes(7)
