"""What puppets are called."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.irc.puppets import nicks
from bridge.irc.puppets.nicks import candidates, is_reserved
from bridge.irc.puppets.settings import PuppetSettings
from bridge.irc.wire.line import compose
from bridge.model.casemap import Casemapping

_NICK = re.compile(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\-\[\]\\`_^{|}]*")
_ANN = "@ann:hs"


def first(name: str, template: str = "{name}", length: int = 30, identity: str = _ANN) -> str:
    return next(candidates(template, name, identity, length))


def test_a_plain_name_is_its_own_nick() -> None:
    assert first("alice") == "alice"
    assert first("alice", "{name}[m]") == "alice[m]"


def test_where_a_nick_is_taken_others_follow_that_are_like_it() -> None:
    nicks = [*candidates("{name}", "alice", _ANN, 30)]
    assert nicks[:3] == ["alice", "alice_", "alice-m"]
    assert len(nicks) == len({*nicks}) > 6


def test_names_that_lose_something_get_a_code_so_that_nobody_looks_like_somebody_else() -> None:
    for name in ("ali ce", "álice", "alice\u200b", "alice,", "ALICE!", "alice\r\nQUIT", "a" * 31):
        nick = first(name)
        assert re.fullmatch(r".+-[0-9a-f]{4}", nick), name
    assert first("álice") != first("àlice")


def test_a_name_without_any_letter_that_irc_knows_gets_a_nick_all_the_same() -> None:
    assert re.fullmatch("user-[0-9a-f]{4}", first("дон"))
    assert first("дон") != first("нод")


def test_a_nick_never_begins_with_a_digit() -> None:
    assert first("4711") == "_4711"


@pytest.mark.parametrize(
    "nick",
    ["NickServ", "ChanServ", "chanserv_", "m-NickServ", "[Global]", "Q", "root", "HistServ", "Services", "OperServ2"],
)
def test_nicks_of_services_are_reserved(nick: str) -> None:
    assert is_reserved(nick, Casemapping.RFC1459)


@pytest.mark.parametrize("nick", ["alice", "servant", "ann", "serve-me", "duck"])
def test_other_nicks_are_not_reserved(nick: str) -> None:
    assert not is_reserved(nick, Casemapping.RFC1459)


@given(st.text(max_size=80), st.sampled_from(["{name}", "{name}[m]", "m-{name}", "[{name}]-m"]), st.integers(5, 40))
def test_whatever_the_name_each_nick_is_one_that_fits(name: str, template: str, length: int) -> None:
    for nick in candidates(template, name, _ANN, length):
        assert _NICK.fullmatch(nick)
        assert len(nick) <= length
        assert compose("NICK", nick) == f"NICK {nick}\r\n".encode()


@given(st.text(alphabet=string.printable + "äß\u202e\u200b", min_size=1, max_size=40), st.integers(9, 30))
def test_a_name_keeps_its_nick(name: str, length: int) -> None:
    assert [*candidates("{name}", name, _ANN, length)] == [*candidates("{name}", name, _ANN, length)]


@given(st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=2, unique=True))
def test_of_two_names_only_a_whole_one_has_a_nick_without_a_code(names: list[str]) -> None:
    """What two names fold to differs, unless the server takes the letters for the same."""
    one, other = (first(name) for name in names)
    assert one != other or not {one, other} & {*names}


@given(st.text(max_size=300))
def test_a_user_name_is_nine_letters_that_tell_nothing(identity: str) -> None:
    assert re.fullmatch("q[a-z2-7]{8}", nicks.username(identity))


def test_each_person_has_a_user_name_of_their_own() -> None:
    assert nicks.username("@ann:hs") == nicks.username("@ann:hs") != nicks.username("@ann:hz")


@given(st.text(max_size=300), st.text(max_size=100))
def test_a_real_name_is_one_line(identity: str, name: str) -> None:
    told = nicks.realname("{name} is {id}", name, identity)
    assert compose("USER", "q", "0", "*", told).count(b"\n") == 1


def test_a_name_with_braces_is_not_a_template() -> None:
    assert nicks.realname("{name}", "{id}", "@ann:hs") == "{id}"


@pytest.mark.parametrize("nick", ["name", "{name}{name}", "{name} m", "-{name}", "1{name}", "{name}\r\n", "{n}"])
def test_a_template_that_makes_no_nick_is_refused(nick: str) -> None:
    with pytest.raises(ValidationError):
        PuppetSettings(nick=nick)


@pytest.mark.parametrize("realname", ["{password}", "{name", "a\nb", "x" * 101])
def test_a_template_that_makes_no_real_name_is_refused(realname: str) -> None:
    with pytest.raises(ValidationError):
        PuppetSettings(realname=realname)
