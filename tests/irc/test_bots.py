"""Bots on IRC: we show that we are one, know the others, and answer what clients ask each other, seldom."""

import pytest

from tests.irc.test_session import Talk

_SUPPORTS = "CASEMAPPING=ascii CHANTYPES=# PREFIX=(ov)@+"


def talk(supports: str = f"{_SUPPORTS} BOT=b WHOX", caps: str = "message-tags account-tag") -> Talk:
    return Talk().welcomed(caps, supports)


def asks(of: Talk, what: str, who: str = "bob!u@h", target: str = "duck", tags: str = "") -> list[str]:
    return of.hears(f"{tags}:{who} PRIVMSG {target} :\x01{what}\x01")


def test_we_are_marked_as_a_bot_where_the_server_has_a_mode_for_it() -> None:
    assert "MODE duck +b" in talk().written()
    for supports in (_SUPPORTS, f"{_SUPPORTS} BOT", f"{_SUPPORTS} BOT=", f"{_SUPPORTS} BOT=+b", f"{_SUPPORTS} BOT=xy"):
        assert not [line for line in talk(supports).written() if line.startswith("MODE duck")]


def says(of: Talk, tags: str = "") -> bool:
    """Whether a bot has said what `robo` says."""
    before = len(of.heard)
    of.hears(f"{tags}:robo!r@h PRIVMSG #pond :beep")
    assert len(of.heard) == before + 1
    return of.heard[-1].sender.bot


@pytest.mark.parametrize("tag", ["bot", "draft/bot", "inspircd.org/bot", "bot=someday"])
def test_a_line_with_the_tag_is_a_bots(tag: str) -> None:
    assert says(talk(), f"@{tag} ")
    assert not says(talk())


@pytest.mark.parametrize(
    "line",
    [
        ":irc 335 duck robo :is a Bot on IRCv3",
        ":irc 354 duck 271 #pond r h robo Hb 0",
        ":irc 354 duck 271 #pond r h ROBO Hb@ account",
    ],
)
def test_a_bot_is_known_by_whois_and_who_too_until_its_connection_ends(line: str) -> None:
    of = talk()
    of.hears(":robo!r@h JOIN #pond")
    assert not says(of)
    of.hears(line)
    assert says(of)
    of.hears(":robo!r@h NICK robot", ":robot!r@h NICK robo")
    assert says(of)
    of.hears(":robo!r@h QUIT :bye", ":robo!r@h JOIN #pond")
    assert not says(of)


def test_whoever_is_no_bot_any_more_is_none() -> None:
    of = talk()
    of.hears(":robo!r@h JOIN #pond", ":irc 335 duck robo :is a bot", ":irc 354 duck 271 #pond r h robo H 0")
    assert not says(of)


def test_the_flags_of_who_mean_nothing_where_there_is_no_bot_mode() -> None:
    of = talk(f"{_SUPPORTS} WHOX")
    of.hears(":robo!r@h JOIN #pond", ":irc 354 duck 271 #pond r h robo Hb 0")
    assert not says(of)


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("VERSION", "VERSION quackbridge"),
        ("ping 12 34", "PING 12 34"),
        ("TIME", "TIME 1970-01-01 00:16:40 UTC"),
        ("SOURCE", "SOURCE the Python package quackbridge"),
        ("CLIENTINFO", "CLIENTINFO ACTION CLIENTINFO PING SOURCE TIME VERSION"),
    ],
)
def test_what_clients_ask_each_other_in_private_is_answered(what: str, answer: str) -> None:
    of = talk()
    assert asks(of, what) == [f"NOTICE bob :\x01{answer}\x01"]
    assert not of.heard


@pytest.mark.parametrize(
    ("what", "target", "tags"),
    [
        ("VERSION", "#pond", ""),
        ("DCC SEND secrets.txt 2130706433 22 1", "duck", ""),
        ("DCC CHAT chat 2130706433 22", "duck", ""),
        ("FINGER", "duck", ""),
        ("", "duck", ""),
        ("VERSION", "duck", "@bot "),
    ],
)
def test_nothing_else_is_answered(what: str, target: str, tags: str) -> None:
    of = talk()
    assert asks(of, what, target=target, tags=tags) == []
    assert not of.heard


def test_a_long_ping_is_cut_and_its_line_is_one() -> None:
    (line,) = asks(talk(), "PING " + "x" * 400)
    assert len(line) < 100


def test_one_person_gets_two_answers_at_once_and_then_four_a_minute_under_whatever_nick() -> None:
    of = talk()
    answers = 0
    for number in range(60):
        of.now += 1
        answers += sum(len(asks(of, "VERSION", who=f"bob{number}!u{number}@h")) for _ in range(10))
    assert answers == 5


def test_a_crowd_gets_four_answers_at_once_and_then_one_in_two_seconds() -> None:
    of = talk()
    assert sum(len(asks(of, "VERSION", who=f"bob!u@h{number}")) for number in range(1000)) == 4
    of.passes(10)
    assert sum(len(asks(of, "VERSION", who=f"bob!u@h{number}")) for number in range(1000, 2000)) == 4
