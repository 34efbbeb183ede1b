"""Telling the services our password where they have no SASL."""

import pytest

from bridge.irc.effects import Heard, Notable, Write
from bridge.irc.wire.line import redacted
from tests.irc.test_session import Talk


def talk(**nickserv: object) -> Talk:
    return Talk(nickserv={"password": "hunter2", **nickserv})


def test_the_password_is_told_once_after_the_welcome_and_before_we_join() -> None:
    us = talk()
    assert us.hears(":irc 001 duck :Welcome") == ["PRIVMSG NickServ :IDENTIFY hunter2"]
    assert us.hears(":irc 376 duck :end", ":irc 001 duck :Welcome") == ["JOIN #Pond"]
    assert talk(recover="ghost").hears(":irc 001 duck :Welcome") == ["PRIVMSG NickServ :IDENTIFY hunter2"]
    assert Talk().hears(":irc 001 duck :Welcome") == []


def test_another_registered_nick_and_another_service_are_named() -> None:
    us = talk(nick="goose", service="NickServ@services.pond")
    assert us.hears(":irc 001 duck :Welcome") == ["PRIVMSG NickServ@services.pond :IDENTIFY goose hunter2"]


@pytest.mark.parametrize("command", ["ghost", "recover", "regain"])
def test_a_nick_that_somebody_uses_is_recovered_if_that_is_wanted(command: str) -> None:
    us = talk(recover=command)
    us.hears(":irc 433 * duck :in use")
    assert us.hears(":irc 001 duck_ :Welcome") == [
        "PRIVMSG NickServ :IDENTIFY duck hunter2",
        f"PRIVMSG NickServ :{command.upper()} duck hunter2",
    ]
    assert us.passes(2) == []
    assert us.passes(1) == ["NICK duck"]
    assert "NICK duck" not in us.passes(30)


def test_a_nick_that_somebody_uses_is_left_to_them_unless_its_recovery_is_wanted() -> None:
    us = talk()
    us.hears(":irc 433 * duck :in use")
    assert us.hears(":irc 001 duck_ :Welcome") == ["PRIVMSG NickServ :IDENTIFY duck hunter2"]
    assert us.passes(4) == []


def test_the_password_is_in_no_log_and_its_echo_is_nothing_that_was_said() -> None:
    us = talk(recover="ghost")
    us.hears(":irc CAP * LS :echo-message", ":irc CAP * ACK :echo-message")
    us.hears(":irc 433 * duck :in use", ":irc 001 duck_ :Welcome")
    shown = [redacted(each.data) for each in us.effects if isinstance(each, Write)]
    assert "hunter2" not in " ".join(shown)
    assert "PRIVMSG NickServ [redacted]" in shown
    us.hears(":duck_!u@h PRIVMSG NickServ :IDENTIFY duck hunter2")
    assert not us.of(Heard)
    others = [each for each in us.effects if not isinstance(each, Write)]
    assert "hunter2" not in repr(others)
    assert "hunter2" not in repr(us.settings)


def test_what_the_services_answer_is_logged_without_the_password() -> None:
    us = talk()
    us.hears(":irc 001 duck :Welcome", ":NickServ!s@services NOTICE duck :Password hunter2 incorrect.")
    us.hears(":bob!u@h NOTICE duck :hello", *[":nickserv!s@h NOTICE duck :1"] * 10)
    said = [each.reason for each in us.of(Notable) if each.event == "services_answer"]
    assert said == ["NickServ: Password [redacted] incorrect.", *["nickserv: 1"] * 4]
    us.passes(31)
    before = len(us.of(Notable))
    us.hears(":irc 001 duck :Welcome", ":NickServ!s@services NOTICE duck :You have a memo.")
    assert len(us.of(Notable)) == before


def test_a_network_without_that_service_is_logged() -> None:
    us = talk()
    us.hears(":irc 001 duck :Welcome", ":irc 401 duck NickServ :No such nick/channel")
    assert [each.reason for each in us.of(Notable)] == ["there is no NickServ on this network"]
