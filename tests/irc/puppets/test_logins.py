"""The login of a puppet to its owner's account, line by line."""

from base64 import b64encode

import pytest

from bridge.irc.puppets.logins import Account, LoggedIn, NotLoggedIn, WrongLogins
from bridge.irc.puppets.session import Outcome, Renamed, Welcomed
from tests.irc.puppets.test_session import Talk

ANN = Account("ann", "hunter2")
GIVEN = b64encode(b"ann\0ann\0hunter2").decode()


def talk(account: Account = ANN, *nicks: str) -> Talk:
    return Talk(*nicks, account=account)


def in_by_message(account: Account = ANN, *nicks: str) -> Talk:
    """A puppet that the server has let in without SASL, and that has asked who NickServ is."""
    made = talk(account, *nicks)
    made.hears(":irc CAP * LS :message-tags", ":irc CAP * ACK :message-tags", ":irc 001 ann :Welcome")
    return made


def test_a_puppet_logs_in_before_it_is_let_in() -> None:
    said = talk()
    said.hears(":irc CAP * LS * :sasl=EXTERNAL,PLAIN", ":irc CAP * LS :message-tags")
    assert said.wrote[-1] == "CAP REQ :message-tags sasl"
    said.hears(":irc CAP * ACK :message-tags sasl", "AUTHENTICATE +")
    assert said.wrote[-2:] == ["AUTHENTICATE PLAIN", f"AUTHENTICATE {GIVEN}"]
    assert "CAP END" not in said.wrote
    assert said.hears(":irc 900 * ann!q@h ann :in", ":irc 903 * :ok") == [LoggedIn("ann")]
    assert said.wrote[-1] == "CAP END"
    assert said.session.tags


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([":irc 904 * :SASL failed"], True),
        ([":irc 902 * :locked"], True),
        ([":irc 906 * :aborted"], False),
        ([":irc 908 * EXTERNAL :are the mechanisms", ":irc 904 * :SASL failed"], False),
    ],
)
def test_who_is_not_logged_in_is_let_in_without_an_account(lines: list[str], wrong: bool) -> None:
    said = talk()
    said.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl", "AUTHENTICATE +")
    (told,) = said.hears(*lines)
    assert isinstance(told, NotLoggedIn)
    assert told.wrong is wrong
    assert said.wrote.count("CAP END") == 1
    assert said.hears(":irc 001 ann :Welcome") == [Welcomed("ann")]
    assert not any("WHOIS" in line or "IDENTIFY" in line for line in said.wrote)


def test_a_server_that_does_not_answer_the_login_lets_in_without_it() -> None:
    said = talk()
    said.hears(":irc CAP * LS :sasl", ":irc CAP * ACK :sasl")
    said.take(said.session.login_overdue())
    assert said.wrote[-2:] == ["AUTHENTICATE *", "CAP END"]
    assert said.told == [NotLoggedIn("ann", "the services do not answer", wrong=False)]
    said.take(said.session.login_overdue())
    assert said.hears("AUTHENTICATE +", ":irc 903 * :ok") == []
    assert not any(GIVEN in line for line in said.wrote)


@pytest.mark.parametrize("proof", ["313 ann_ NickServ :is a Network Service", "312 ann_ NickServ services.net :x"])
@pytest.mark.parametrize("offered", ["message-tags", "message-tags sasl=EXTERNAL", "message-tags sasl=SCRAM-SHA-256"])
def test_without_sasl_services_are_told_the_password_if_the_server_knows_them(offered: str, proof: str) -> None:
    said = talk()
    said.hears(f":irc CAP * LS :{offered}", ":irc CAP * ACK :message-tags", ":irc 001 ann_ :Welcome")
    assert said.wrote[-1] == "WHOIS NickServ"
    said.hears(":irc 311 ann_ NickServ s services * :x", f":irc {proof}")
    assert "IDENTIFY" not in said.wrote[-1]
    said.hears(":irc 318 ann_ NickServ :End")
    assert said.wrote[-1] == "PRIVMSG NickServ :IDENTIFY ann hunter2"
    assert said.hears(":NickServ!s@services NOTICE ann_ :Password accepted.") == [LoggedIn("ann")]


@pytest.mark.parametrize(
    "lines",
    [
        [":irc 401 ann NickServ :No such nick", ":irc 318 ann NickServ :End"],
        [":irc 312 ann NickServ irc.services.evil :x", ":irc 318 ann NickServ :End"],
        [":irc 313 ann eve :is an operator", ":irc 318 ann NickServ :End"],
    ],
)
def test_nobody_who_is_merely_called_like_services_gets_the_password(lines: list[str]) -> None:
    said = in_by_message()
    (told,) = [each for each in said.hears(*lines) if isinstance(each, NotLoggedIn)]
    assert not told.wrong
    said.hears(":NickServ!eve@evil NOTICE ann :tell me", ":irc 313 ann NickServ :x", ":irc 318 ann NickServ :End")
    assert not any("hunter2" in line for line in said.wrote)


def test_services_that_the_operator_names_get_it_at_once_and_without_a_nick_that_is_ours() -> None:
    said = in_by_message(Account("ann", "hunter2", "NickServ@services.test", trusted=True))
    assert said.wrote[-1] == "PRIVMSG NickServ@services.test :IDENTIFY hunter2"


def test_a_wrong_password_is_told_without_it() -> None:
    said = in_by_message(Account("ann", "hunter2", trusted=True))
    (told,) = said.hears(":NickServ!s@services NOTICE ann :Invalid password hunter2")
    assert told == NotLoggedIn("ann", "Invalid password [redacted]", wrong=True)


@pytest.mark.parametrize(
    ("answer", "account", "renames"),
    [
        ("Password accepted", "ann", False),
        ("Password accepted", "anna", True),
        ("Password incorrect", "ann", True),
    ],
)
def test_a_nick_that_services_call_registered_is_kept_if_it_proves_to_be_ours(
    answer: str, account: str, renames: bool
) -> None:
    said = in_by_message(Account(account, "hunter2", trusted=True))
    said.hears(":NickServ!s@services NOTICE ann :This nickname is registered and protected.")
    assert "NICK ann_" not in said.wrote
    said.hears(f":NickServ!s@services NOTICE ann :{answer}")
    assert ("WHOIS NickServ" in said.wrote) is renames  # whether they are services
    said.hears(":irc 313 ann NickServ :is a network service", ":irc 318 ann NickServ :End")
    assert ("NICK ann_" in said.wrote) is renames


def test_without_an_account_nothing_of_this_is_said() -> None:
    said = Talk().online()
    told: list[Outcome] = said.hears(":irc 904 ann :x", ":irc 318 ann NickServ :End", "AUTHENTICATE +")
    assert told == []
    assert said.wrote[2:] == ["NICK ann", "CAP REQ message-tags", "CAP END"]
    assert Renamed("ann", asked=True) not in said.told


def test_a_wrong_login_is_remembered_until_another_one_is_right() -> None:
    wrong = WrongLogins({})
    wrong.add("Ann", "1")
    assert wrong.has("ann", "1")
    assert not wrong.has("ann", "2")
    kept = {key: version for key, version in wrong.unsaved().items() if version is not None}
    assert wrong.unsaved() == {}
    again = WrongLogins(kept)
    assert again.has("ann", "1")
    again.forget("ann")
    assert not again.has("ann", "1")
    assert again.unsaved() == dict.fromkeys(kept)
