"""What a server says about itself: each token as it is meant, taken back, escaped, malformed and huge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.wire.isupport import Isupport
from bridge.model.casemap import Casemapping
from tests.strategies import with_runs


def told(*lines: str) -> Isupport:
    supports = Isupport()
    for line in lines:
        supports.load(["duck", *line.split(" "), "are supported by this server"])
    return supports


def test_without_a_word_of_the_server_the_rfc_holds() -> None:
    supports = told()
    assert supports.casemapping is Casemapping.RFC1459
    assert dict(supports.ranks) == {"@": "o", "+": "v"}
    assert supports.channel_modes == ["beI", "k", "l", "aimnpqrst"]
    assert (supports.line_length, supports.user_length, supports.host_length) == (512, 12, 64)
    assert [supports.is_channel(name) for name in ("#a", "&a", "+a", "a", "")] == [True, True, False, False, False]
    assert (supports.nick_length, supports.topic_length, supports.chathistory) == (0, 0, 0)
    assert supports.extban == ("", "")
    assert supports.of_ranks("@#a") == ""
    assert not supports.whox


def test_each_token_that_we_use_is_read() -> None:
    supports = told(
        "CASEMAPPING=ascii PREFIX=(qaohv)~&@%+ CHANTYPES=#~ CHANMODES=b,k,Hl,cimnS,x,y NICKLEN=30 LINELEN=2048",
        "TARGMAX=JOIN:4,PRIVMSG:,KICK:1 EXTBAN=~,qjncrRa STATUSMSG=~&@%+ WHOX TOPICLEN=300 USERLEN=18 HOSTLEN=63",
    )
    assert supports.casemapping is Casemapping.ASCII
    assert "".join(supports.ranks) == "~&@%+"
    assert supports.channel_modes == ["b", "k", "Hl", "cimnS"]
    assert supports.has_history_mode
    assert supports.colour_modes == {"c", "S"}
    assert (supports.nick_length, supports.line_length, supports.topic_length) == (30, 2048, 300)
    assert [supports.targets(each, 10) for each in ("JOIN", "PRIVMSG", "KICK", "PART")] == [4, 10, 1, 10]
    assert supports.extban == ("~", "qjncrRa")
    assert supports.whox


@pytest.mark.parametrize("ban", [("EXTBAN=,ABC", ("", "ABC")), ("EXTBAN=$,", ("$", "")), ("EXTBAN=x", ("", ""))])
def test_extended_bans_may_have_no_sign(ban: tuple[str, tuple[str, str]]) -> None:
    assert told(ban[0]).extban == ban[1]


def test_a_token_is_taken_back_and_what_holds_without_it_holds_again() -> None:
    supports = told(
        "PREFIX=(o)! CHANTYPES=+ WHOX CASEMAPPING=ascii NICKLEN=5", "-PREFIX -CHANTYPES -WHOX -NICKLEN=5 -NO"
    )
    assert dict(supports.ranks) == {"@": "o", "+": "v"}
    assert supports.is_channel("#a")
    assert not supports.whox
    assert supports.casemapping is Casemapping.ASCII
    assert supports.nick_length == 0


def test_a_later_token_replaces_an_earlier_one_in_any_letter_case() -> None:
    assert told("LINELEN=1024", "linelen=2048").line_length == 2048


def test_values_are_unescaped() -> None:
    supports = told(r"CHANTYPES=\x23\x3D PREFIX=(\x6Fv)\x40+ STATUSMSG=\x40 NICKLEN=\x")
    assert supports.is_channel("#a")
    assert supports.is_channel("=a")
    assert dict(supports.ranks) == {"@": "o", "+": "v"}
    assert supports.of_ranks("@#a") == "#a"


@pytest.mark.parametrize("token", ["CHANTYPES", "CHANTYPES="])
def test_a_server_may_have_no_channels_at_all(token: str) -> None:
    assert not told(token).is_channel("#a")


@pytest.mark.parametrize("token", ["PREFIX", "PREFIX=", "PREFIX=()"])
def test_a_server_may_have_no_ranks(token: str) -> None:
    supports = told(token)
    assert dict(supports.ranks) == {}
    assert not supports.moderates("o")


@pytest.mark.parametrize("token", ["PREFIX=(ov", "PREFIX=ov)@+", "PREFIX=@+", "PREFIX=(o v)@+", "PREFIX=(é)@"])
def test_malformed_ranks_are_those_of_the_rfc(token: str) -> None:
    assert dict(told(token).ranks) == {"@": "o", "+": "v"}


@pytest.mark.parametrize("token", ["PREFIX=(ov)@", "PREFIX=(o)@+"])
def test_a_rank_needs_a_mode_and_a_sign(token: str) -> None:
    assert dict(told(token).ranks) == {"@": "o"}


def test_the_channel_of_a_message_for_ranks_is_told_but_a_channel_is_itself() -> None:
    supports = told("CHANTYPES=#+ STATUSMSG=@+")
    assert supports.of_ranks("@#a") == "#a"
    assert [supports.of_ranks(name) for name in ("+#a", "#a", "@a", "@", "")] == [""] * 5  # +#a is a channel there
    assert told("STATUSMSG=@+").of_ranks("@+#a") == "#a"


@pytest.mark.parametrize("value", ["", "²", "-1", "0x10", "1e3", "9" * 3000, "5000000000"])
def test_a_number_that_is_none_or_too_large_to_be_one_is_not_believed(value: str) -> None:
    supports = told(f"LINELEN={value} NICKLEN={value} CHATHISTORY={value}")
    assert (supports.line_length, supports.nick_length, supports.chathistory) == (512, 0, 0)


@pytest.mark.parametrize(("value", "length"), [("0", 256), ("100", 256), ("999999999", 8192)])
def test_a_line_length_is_kept_in_bounds(value: str, length: int) -> None:
    assert told(f"LINELEN={value}").line_length == length


def test_many_and_huge_tokens_cost_no_memory() -> None:
    supports = Isupport()
    for number in range(1000):
        supports.load(
            ["duck", *(f"X{number}Y{each}={'z' * 500}" for each in range(20)), f"PREFIX=({'a' * 9000}){'@' * 9000}"]
        )
        supports.load(["duck", f"CHANTYPES={'#' * 16_000}", f"TARGMAX={'a:1,' * 4000}", f"CHANMODES={'a,' * 8000}"])
    assert sum(map(len, supports._tokens.values())) < 20_000
    assert len(supports.ranks) <= 32
    assert len(supports.channel_modes) <= 4


_NAMES = (
    "CASEMAPPING CHANMODES CHANTYPES CLIENTTAGDENY EXTBAN LINELEN NICKLEN PREFIX STATUSMSG TARGMAX WHOX CHATHISTORY"
)
_TOKENS = st.builds("{}{}{}".format, st.sampled_from(["", "-"]), st.sampled_from(_NAMES.split()), with_runs(st.text()))


@given(st.lists(_TOKENS | st.text()))
def test_no_server_can_make_what_it_says_about_itself_raise(tokens: list[str]) -> None:
    supports = Isupport()
    supports.load(tokens)
    for name in ("#a", "", "@#a", tokens[0] if tokens else "x"):
        supports.is_channel(name)
        supports.of_ranks(name)
        supports.tag_allowed(name)
        assert 1 <= supports.targets("JOIN", 10) <= 10
    assert 256 <= supports.line_length <= 8192
    assert supports.moderates("") is False
    assert supports.casemapping in Casemapping
    assert len(supports.extban) == 2
    assert supports.colour_modes <= {"c", "S"}
