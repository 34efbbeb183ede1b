"""The ids of ghosts: nobody can have another's (bridge.matrix.dialect.ghost_ids, bridge.matrix.dialect.face)."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.ghost_ids import escaped, ghost_id, may_be_ghost, parsed
from bridge.matrix.ghosts.records import Ghosts
from bridge.model.casemap import Casemapping
from bridge.model.identifiers import MATRIX_ID_LIMIT, matrix_user
from bridge.model.people import Identity, Proof, Sender
from tests.events import irc, matrix

_LOCALPART = re.compile(r"@[a-z0-9._=/+-]+:.+")
_SIGNS = st.text(alphabet="ab_=2f5A|~{}é/-.1 \r\n\ud800", max_size=8)
_NAMES = _SIGNS | st.text(max_size=300)
_WHO = st.tuples(_NAMES, _NAMES, st.integers(0, 9))


@given(_WHO, _WHO)
@example(("libera", "x_y", 0), ("libera_x", "y", 0))
@example(("libera", "bob", 1), ("libera", "bob_1", 0))
@example(("libera", "bob", 0), ("libera", "bob", 1))
@example(("libera", "/", 0), ("libera", "=2f", 0))
@example(("libera", "a" * 250, 0), ("libera", "a" * 251, 0))
@example(("libera", "a" * 250, 1), ("libera", "a" * 250, 2))
def test_no_two_people_have_one_id(one: tuple[str, str, int], other: tuple[str, str, int]) -> None:
    ids = [ghost_id(who[0], escaped(who[1]), who[2], "hs.example.org") for who in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


@given(_NAMES, _NAMES, st.integers(0, 9), st.integers(1, 200))
def test_an_id_is_valid_whatever_the_names_and_never_too_long(
    network: str, name: str, number: int, length: int
) -> None:
    server = "h" * length
    found = ghost_id(network, escaped(name), number, server)
    assert _LOCALPART.fullmatch(found)
    assert matrix_user(found)
    assert len(found.encode()) <= MATRIX_ID_LIMIT
    assert may_be_ghost(found, server)
    assert not may_be_ghost(found, server + "x")


@given(_WHO, st.integers(1, 200))
@example(("libera", "x_y", 1), 9)
def test_an_id_tells_whose_it_is_unless_it_is_too_long(who: tuple[str, str, int], length: int) -> None:
    network, name, number = who
    found = parsed(ghost_id(network, escaped(name), number, "h" * length))
    assert found in ((network, name), None)
    if len(network.encode(errors="surrogatepass")) + len(name.encode(errors="surrogatepass")) < 10:
        assert found is not None


@pytest.mark.parametrize("user", ["@bob:hs", "@irc_:hs", "@irc_quack:hs", "@irc_a_b_c_d:hs", "@irc_a_b_12:hs", ""])
def test_an_id_that_is_no_ghosts_tells_of_nobody(user: str) -> None:
    assert parsed(user) is None


def test_a_server_with_too_long_a_name_has_no_ghosts() -> None:
    with pytest.raises(ValueError, match="too long"):
        ghost_id("libera", "bob", 0, "h" * 250)


def test_ids_look_as_documented() -> None:
    assert ghost_id("libera", "bob", 0, "example.org") == "@irc_libera_bob:example.org"
    assert ghost_id("libera", "bob", 1, "example.org") == "@irc_libera_bob_1:example.org"
    assert ghost_id("libera", escaped("x_y"), 1, "example.org") == "@irc_libera_x=5fy_1:example.org"
    assert escaped("[Bob]\r\n=2f") == "=5b=42ob=5d=0d=0a=3d2f"


def _someone(nick: str, account: str | None = None, host: str = "b@one.example") -> Sender:
    return replace(irc(nick, account), mask=f"{nick}!{host}")


def test_an_account_is_one_person_whatever_the_nick_and_the_case() -> None:
    faces = [Face.of(_someone(*who)) for who in (("bob", "bob"), ("Rob", "BOB"), ("x", "bob"))]
    assert {(face.name, face.owner) for face in faces if face is not None} == {("bob", "")}
    assert [face.shown for face in faces if face is not None] == ["bob", "Rob", "x"]


def test_a_nick_is_folded_as_its_network_does_and_is_another_one_than_an_account_of_that_name() -> None:
    one, other = Face.of(_someone("Bob[]")), Face.of(_someone("bob{}"))
    assert one is not None
    assert other is not None
    assert (one.name, one.owner) == (other.name, other.owner) != ("", "")
    ghosts = Ghosts("hs")
    account = Face.of(_someone("bob", "bob"))
    nick = Face.of(_someone("bob"))
    assert account is not None
    assert nick is not None
    made = [ghosts.add(each, 0) for each in (nick, account)]
    assert [each.user for each in made if each is not None] == ["@irc_libera_bob_1:hs", "@irc_libera_bob:hs"]


def test_who_takes_a_nick_does_not_get_the_ghost_of_who_had_it_and_the_first_has_it_still() -> None:
    ghosts, faces = Ghosts("hs"), [Face.of(_someone("bob", host=f"b@{number}.example")) for number in range(11)]
    made = [ghosts.add(face, 0) for face in faces if face is not None]
    users = [each.user if each is not None else "" for each in made]
    assert users == [*(f"@irc_libera_bob_{number}:hs" for number in range(1, 10)), "", ""]
    assert faces[2] is not None
    assert ghosts.of(faces[2]) is made[2]


@pytest.mark.parametrize(
    "sender",
    [
        matrix("alice"),
        irc("bob"),  # whom nothing tells from others of that nick
        replace(_someone("bob", "bob"), bot=True),
        replace(_someone("bob"), casemapping=Casemapping.EXACT),
    ],
)
def test_others_have_no_face(sender: Sender) -> None:
    assert Face.of(sender) is None


def test_an_account_of_another_network_proves_nothing_here() -> None:
    sender = replace(_someone("bob"), proofs=(Identity(Proof.IRC, "oftc", "bob"),))
    face = Face.of(sender)
    assert face is not None
    assert face.owner


@pytest.mark.parametrize("name", ["bob\r\nPRIVMSG", "bob\ud800", "\u202ebob", "b" * 1000])
def test_a_name_is_one_line_that_can_be_shown(name: str) -> None:
    face = Face.of(replace(_someone("bob", "bob"), name=name))
    assert face is not None
    assert face.shown.isprintable()
    assert face.shown.encode()
    assert len(face.shown) <= 200


_HEADS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5), st.integers(1, 9)), max_size=3)


@given(_HEADS, st.sampled_from(["", "owner"]))
def test_a_face_is_read_back_as_it_was(heads: list[tuple[str, str, int]], owner: str) -> None:
    yes = bool(owner)
    face = Face("libera", "bob", owner, "Bob", tuple(heads), 12, yes, not yes, yes)
    fields = face.encode()
    assert Face.decode({**fields, "heads": [[*head] for head in heads]}) == face
    assert Face.decode({}) is None
    assert Face.decode({"network": "libera", "name": 7, "shown": "x"}) is None
