"""Any sequence of lines leaves the session with the same people in its channels as a simple reference model."""

import contextlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.dialect.stems import stem_of
from bridge.irc.effects import Write
from bridge.irc.wire.line import MAX_BODY
from bridge.model.event import Room
from bridge.network import Needless, PermanentError
from tests.irc.reference import Known, Reference
from tests.irc.test_session import ALL, Talk
from tests.strategies import with_runs

ROOMS = ["#Pond", "#lake[]"]
_SUPPORTS = "CASEMAPPING=rfc1459 PREFIX=(ov)@+ CHANTYPES=# CHANMODES=beI,k,lH,cimnpst WHOX"
_CAPS = f"{ALL} multi-prefix userhost-in-names away-notify chghost setname"

_NICKS = st.sampled_from(["al", "al", "AL", "bob[", "Éva"]) | st.sampled_from(["duck", "bob{", "éva", "x^", "x~"])
_CHANNELS = st.just("#pond") | st.sampled_from(
    ["#Pond", "#pond", "#LAKE[]", "#lake[]", "#other", "@#pond", "#pond,#lake[]"]
)
_USERS = st.sampled_from(["u@h", "u@h", "u@h", "v@elsewhere"])
_SOURCES = st.builds(":{}!{}".format, _NICKS, _USERS) | _NICKS.map(":{}".format) | st.sampled_from([":irc.test", ""])
_ACCOUNTS = st.sampled_from(["*", "Alice", "alice", "bob[", "0"])
_NAMES = st.builds(
    "{}{}{}".format, st.sampled_from(["", "@", "+", "@+", "~"]), _NICKS, _USERS.map("!{}".format) | st.just("")
)
_LETTERS = st.text("+-ovqbklHims", max_size=8)
_TAGS = st.sampled_from(["", "", "", "", "@batch=1 ", "@batch=2 ", "@account=Alice;time=2030-01-01T00:00:00.000Z "])


def _line(template: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(template.format, *parts)


def _words(parts: st.SearchStrategy[str], most: int = 4) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=most).map(" ".join)


_BY_PEOPLE = st.one_of(
    _line("JOIN {}", _CHANNELS),
    _line("JOIN {} {} :Real Name", _CHANNELS, _ACCOUNTS),
    _line("PART {}", _CHANNELS),
    _line("PART {} :bye {}", _CHANNELS, _NICKS),
    _line("QUIT :a.test b.test"),
    _line("NICK {}", _NICKS),
    _line("KICK {} {} :out", _CHANNELS, _NICKS),
    _line("MODE {} {} {}", _CHANNELS | _NICKS, _LETTERS, _words(_NICKS | st.just("5"))),
    _line("MODE #pond {} {}", st.sampled_from(["+o", "-o", "+v", "-v"]), _NICKS),
    _line("MODE #pond {} {} {}", st.sampled_from(["-lo+v", "+lo", "+b-o", "-k+v-i", "+Ho"]), _NICKS, _NICKS),
    _line("ACCOUNT {}", _ACCOUNTS),
    _line("AWAY{}", st.sampled_from(["", " :", " :lunch"])),
    _line("SETNAME :{}", _NICKS),
    _line("CHGHOST {}", st.sampled_from(["v elsewhere", "u h", "w", ""])),
    _line("PRIVMSG {} :hi {}", _CHANNELS | _NICKS, _NICKS),
    _line("NOTICE {} :hi", _CHANNELS | _NICKS),
    _line("TOPIC {} :words", _CHANNELS),
    _line("INVITE {} {}", _NICKS, _CHANNELS),
)
_NUMERICS = "263 301 311 317 318 330 332 396 401 403 404 433 437 471 473 482"
_BY_SERVERS = st.one_of(
    _line("353 duck = {} :{}", _CHANNELS, _words(_NAMES, 6)),
    _line("353 duck {} :{}", _CHANNELS, _words(_NAMES, 6)),
    _line("366 duck {} :End", _CHANNELS),
    _line(
        "354 duck 271 {} {} {} {} {} :Name",
        _CHANNELS,
        _USERS.map(lambda each: each.replace("@", " ")),
        _NICKS,
        st.sampled_from(["H", "G", "G@", "H*"]),
        _ACCOUNTS,
    ),
    _line(
        "352 duck {} {} irc.test {} {} :0 Name",
        _CHANNELS,
        _USERS.map(lambda each: each.replace("@", " ")),
        _NICKS,
        st.sampled_from(["H", "G@"]),
    ),
    _line("315 duck {} :End", _CHANNELS),
    _line("005 duck CASEMAPPING={} :are supported", st.sampled_from(["ascii", "rfc1459", "rfc1459-strict", "rfc8265"])),
    _line("005 duck PREFIX={} :are supported", st.sampled_from(["(ov)@+", "(qo)~@", ""])),
    _line(
        "CAP duck {} :{}",
        st.sampled_from(["ACK", "DEL", "NEW"]),
        st.sampled_from(["extended-join", "account-notify extended-join", "-extended-join", "batch", "away-notify"]),
    ),
    _line(
        "BATCH {} {}",
        st.sampled_from(["+1", "-1", "+2", "-2"]),
        st.sampled_from(["netsplit a.test b.test", "netjoin a.test b.test", "chathistory #pond", "labeled-response"]),
    ),
    _line(
        "{} duck {} :no",
        st.sampled_from(_NUMERICS.split()),
        _CHANNELS | _NICKS,
    ),
    _line("PING :{}", with_runs(st.text(max_size=5))),
    _line("PONG irc.test {}", st.sampled_from(["history", "probe", "p1"])),
)
_LINES = _line("{}{} {}", _TAGS, _SOURCES, _BY_PEOPLE) | _line("{}:irc.test {}", _TAGS, _BY_SERVERS)


def _spoilt(line: str, cut: int, at: int, junk: str) -> str:
    """With fewer parameters, and junk somewhere in it."""
    short = " ".join(line.split(" ")[:cut]) if cut else line
    return short[:at] + junk + short[at:]


_GARBAGE = st.builds(
    _spoilt, _LINES, st.integers(0, 6), st.integers(0, 40), st.text("\x00\r \t:@!,;=éa1+-", max_size=3)
)
_COMMANDS = st.sampled_from(
    ["MODE", "JOIN", "NICK", "353", "354", "KICK", "BATCH", "CHGHOST", "ACCOUNT", "WHATEVER", "999"]
)
_RANDOM = with_runs(st.text(max_size=20)) | _line(":{} {} {}", st.text(max_size=5), _COMMANDS, st.text(max_size=30))
_REAL = st.sampled_from(
    [
        [":duck!u@h JOIN #Pond", ":irc.test 353 duck = #Pond :@al!u@h +bob[ duck"],
        [":duck!u@h JOIN #lake[]", ":irc.test 353 duck = #lake[] :@+al Éva duck"],
        ["@batch=9 :irc.test 376 duck :End"],
        [
            ":irc.test 005 duck CASEMAPPING=ascii :are supported",
            ":irc.test 353 duck = #lake[] :bob[ bob{ Éva éva x^ duck",
            ":irc.test 005 duck CASEMAPPING=rfc1459 :are supported",
        ],
        [":irc.test 353 duck = #pond :@al!u@h +bob[ Éva @duck", ":al!u@h ACCOUNT Alice"],
        [":irc.test BATCH +1 netsplit a.test b.test", "@batch=1 :al!u@h QUIT :a.test b.test", ":irc.test BATCH -1"],
        [":irc.test BATCH +2 netjoin a.test b.test", "@batch=2 :al!u@h JOIN #Pond * :Al", ":irc.test BATCH -2"],
    ]
)
_REALISTIC = _REAL | st.lists(_LINES, min_size=5, max_size=20)
_STEPS = st.lists(_REALISTIC | st.integers(1, 70), max_size=8)
_WILD_STEPS = st.lists(
    _REALISTIC | st.lists(_LINES | _GARBAGE | _RANDOM, min_size=5, max_size=20) | st.integers(1, 70), max_size=8
)


@pytest.mark.parametrize("caps", ["", _CAPS])
@given(steps=_STEPS)
def test_any_sequence_of_lines_leaves_the_people_that_the_reference_has(
    caps: str, steps: list[list[str] | int]
) -> None:
    _play(caps, steps)


@pytest.mark.parametrize("caps", ["", _CAPS])
@given(steps=_WILD_STEPS)
def test_garbage_among_the_lines_changes_nothing_of_that(caps: str, steps: list[list[str] | int]) -> None:
    _play(caps, steps)


def _play(caps: str, steps: list[list[str] | int]) -> None:
    talk = Talk(rooms=tuple(Room("net", name) for name in ROOMS))
    talk.welcomed(caps, _SUPPORTS)
    talk.hears(":irc.test 421 duck WHOIS :Unknown command")  # accounts come from what is told, not from questions
    reference = Reference(ROOMS, caps=caps)
    for line in (f":irc.test 005 duck {_SUPPORTS} :x", ":duck!~quack@host.example JOIN #pond"):
        reference.hears(line)
    for number, step in enumerate(steps):
        if isinstance(step, int):
            talk.passes(step)
            continue
        for line in _readable(step):
            talk.hears(line)
            reference.hears(line)
            assert seen(talk) == expected(reference), line
        _speak(talk, f"p{number}")
    for effect in talk.effects:
        if isinstance(effect, Write):
            _check(effect.data)


def _readable(lines: list[str]) -> list[str]:
    """Without 005 lines that are spoilt: what malformed tokens mean is the business of `test_isupport`."""
    whole = ("CASEMAPPING=ascii ", "CASEMAPPING=rfc1459 ", "CASEMAPPING=rfc1459-strict ", "CASEMAPPING=rfc8265 ")
    ranks = ("PREFIX=(ov)@+ ", "PREFIX=(qo)~@ ", "PREFIX= ")
    return [
        line
        for line in lines
        if "005" not in line or line.endswith(tuple(f"005 duck {each}:are supported" for each in whole + ranks))
    ]


def _speak(talk: Talk, post: str) -> None:
    with contextlib.suppress(PermanentError, Needless):
        talk.says(post)


def _check(data: bytes) -> None:
    assert data.endswith(b"\r\n")
    assert not set(b"\r\n\0") & set(data[:-2])
    tags, space, body = data.partition(b" ") if data.startswith(b"@") else (b"", b"", data)
    assert len(body) <= MAX_BODY
    assert len(tags + space) <= 4096


def seen(talk: Talk) -> dict[str, object]:
    """Who is where, as the session knows it."""
    state, found = talk.session._state, {}
    for name in ROOMS:
        assert state.people.stems(name) == Counter(map(stem_of, state.people.nicks(name)))
        for key in state.people.nicks(name):
            person = state.people.find(key)
            assert person is not None
            assert state.people.is_in(person.nick, name)
            facts = (person.nick, person.user, person.host, person.account, person.realname, person.away)
            found[f"{name} {key}"] = (*facts, frozenset(state.people.ranks(key, name)))
    joined = {name for name in ROOMS if state.channels.joined(name)}
    return {"us": state.us.nick, "joined": joined, "there": found, "known": set(state.people._people)}


def expected(reference: Reference) -> dict[str, object]:
    found = {}
    for key, each in reference.people.items():
        for name, ranks in each.ranks.items():
            found[f"{name} {key}"] = (*_facts(each), frozenset(ranks))
    return {"us": reference.us, "joined": reference.joined, "there": found, "known": set(reference.people)}


def _facts(each: Known) -> tuple[str, str, str, str | None, str, bool]:
    return each.nick, each.user, each.host, each.account, each.realname, each.away
