"""The ids of the rooms of talks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import identifiers
from bridge.model.event import BOTS, Room
from bridge.model.talks import IrcTalk, MatrixTalk, has_address, irc_talk, is_talk, matrix_talk

_WORD = st.builds(
    str.__add__,
    st.sampled_from(["a", "Z", "_", "7", "#", "@", ">"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), max_size=20),
)
_NICK = st.from_regex(r"[A-Za-z\[\]\\`_^{|}][A-Za-z0-9\[\]\\`_^{|}-]{0,20}", fullmatch=True)
_NETWORK = st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True).filter(lambda name: name != BOTS)
_MATRIX = st.from_regex(r"@[\x21-\x39\x3b-\x7e]{1,20}:[a-z0-9.]{1,20}(:[0-9]{1,4})?", fullmatch=True)


def test_a_talk_has_a_room_on_each_network() -> None:
    assert IrcTalk("libera", "alice", "bob").room == Room("libera", "alice>bob")
    assert MatrixTalk("home", "@alice:hs", "libera", "bob").room == Room("home", "@alice:hs>libera/bob")
    assert IrcTalk.of("libera", "Alice", "bob") == IrcTalk("libera", "alice", "bob")


@given(_NETWORK, _WORD, _NICK)
def test_the_room_on_irc_says_who_talks(network: str, user: str, nick: str) -> None:
    """Or there is none; any sign may be in the name of a user."""
    talk = IrcTalk.of(network, user, nick)
    if talk is not None:
        assert irc_talk(talk.room) == talk
        assert talk.nick == nick
        assert matrix_talk(talk.room) is None


@given(_NETWORK, _MATRIX, _NETWORK, _NICK)
def test_the_room_on_matrix_says_who_talks(network: str, member: str, other: str, nick: str) -> None:
    talk = MatrixTalk.of(network, member, other, nick)
    assert talk == MatrixTalk(network, member, other, nick)
    assert talk is not None
    assert matrix_talk(talk.room) == talk
    assert irc_talk(talk.room) is None


@given(_NETWORK, _MATRIX)
def test_a_person_on_matrix_is_no_talk_whatever_signs_are_in_their_id(network: str, member: str) -> None:
    assert not is_talk(Room(network, member))


@given(_NETWORK, st.from_regex(r"[!\"#%&'()+./;<=>~][!-~]{1,30}", fullmatch=True))
def test_a_channel_or_a_room_is_no_talk(network: str, name: str) -> None:
    assert not is_talk(Room(network, name))


@given(_NETWORK, _NICK)
def test_a_person_on_irc_is_no_talk(network: str, nick: str) -> None:
    assert not is_talk(Room(network, nick))


@given(st.text(max_size=40))
def test_any_text_is_one_room_or_none(text: str) -> None:
    for found in (irc_talk(Room("net", text)), matrix_talk(Room("net", text))):
        assert found is None or found.room == Room("net", text)


@pytest.mark.parametrize(
    ("user", "nick"),
    [("#pond", "bob"), ("@alice", "bob"), ("", "bob"), ("alice", ""), ("alice", "bob,carl"), ("alice", "b>c")],
)
def test_there_is_no_talk_that_would_look_like_another_room(user: str, nick: str) -> None:
    assert IrcTalk.of("libera", user, nick) is None


def test_what_a_bot_hears_is_in_no_talk() -> None:
    assert not is_talk(Room(BOTS, "desk@libera/alice>bob"))
    assert not is_talk(Room(f"{BOTS}@worker", "@a:b>libera/bob"))


def test_a_nick_that_the_id_of_a_talk_could_end_in_has_no_address() -> None:
    """Some servers allow the sign in a nick."""
    assert not has_address("alice>bob")
    assert has_address("bob")


@given(_WORD)
def test_two_talks_have_two_rooms(user: str) -> None:
    one, other = IrcTalk.of("libera", user, "bob"), IrcTalk.of("libera", f"{user}>x", "bob")
    assert one is None or other is None or one.room != other.room


def test_the_ids_of_matrix_allow_the_sign_in_a_local_part_only() -> None:
    identifiers.matrix_user("@a>b/c:hs")
    assert matrix_talk(Room("home", "@a>b/c:hs")) is None
    with pytest.raises(ValueError, match="Matrix id"):
        identifiers.matrix_user("@a:hs>libera/bob")
