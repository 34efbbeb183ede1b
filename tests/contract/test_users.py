"""What every user database keeps: bridge.users.contract.Users."""

from pathlib import Path

import pytest

from bridge.casemap import Casemapping
from bridge.model import Identity, Proof, Sender
from bridge.users import Role, User, Users, UsersError
from bridge.users.tinydb import TinyUsers
from tests.events import irc, matrix
from tests.fakes.users import MemoryUsers

ALICE = Identity(Proof.MATRIX, "", "@alice:hs")
BOB = Identity(Proof.IRC, "libera", "Bob[away]")
MASK = Identity(Proof.IRC_MASK, "plain", "*!~carol@*.example.org")


@pytest.fixture(params=["tinydb", "memory"])
def users(request: pytest.FixtureRequest, tmp_path: Path) -> Users:
    return TinyUsers.create(tmp_path / "users.json") if request.param == "tinydb" else MemoryUsers()


def _carol(mask: str, casemapping: Casemapping = Casemapping.RFC1459) -> Sender:
    return Sender("plain", "carol", "carol", (Identity(Proof.IRC_MASK, "plain", mask),), casemapping)


def test_a_user_is_known_by_each_identity_on_every_network(users: Users) -> None:
    users.add(User("alice", identities=(ALICE, BOB, MASK)))
    for sender in (matrix("alice"), irc("x", "Bob[away]"), _carol("c!~carol@a.example.org")):
        found = users.identify(sender)
        assert found is not None
        assert found.name == "alice"


def test_whoever_proves_nothing_is_nobody(users: Users) -> None:
    users.add(User("bob", identities=(BOB,)))
    assert users.identify(irc("Bob[away]")) is None
    assert users.identify(irc("x", "Bob[away]", network="oftc")) is None
    assert users.identify(matrix("bob")) is None


def test_accounts_are_compared_under_the_networks_own_casemapping(users: Users) -> None:
    users.add(User("bob", identities=(BOB,)))

    def known(account: str, casemapping: Casemapping) -> bool:
        proof = Identity(Proof.IRC, "libera", account)
        return users.identify(Sender("libera", "x", "x", (proof,), casemapping)) is not None

    assert known("bob{AWAY}", Casemapping.RFC1459)
    assert known("BOB[away]", Casemapping.ASCII)
    assert not known("bob{away}", Casemapping.ASCII)


def test_a_letter_that_only_unicode_folds_to_another_is_another(users: Users) -> None:
    users.add(User("kim", identities=(Identity(Proof.IRC, "libera", "kim"),)))
    assert users.identify(irc("x", "KIM")) is not None
    assert users.identify(irc("x", "\N{KELVIN SIGN}im")) is None


def test_matrix_ids_are_compared_as_they_are(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    assert users.identify(matrix("Alice")) is None


def test_a_mask_must_match_as_a_whole(users: Users) -> None:
    users.add(User("carol", identities=(MASK,)))
    assert users.identify(_carol("any!~CAROL@a.b.example.org")) is not None
    assert users.identify(_carol("any!~carol@example.org")) is None
    assert users.identify(_carol("any!~carol@a.example.org.evil.net")) is None
    assert users.identify(_carol("any!~mallory@a.example.org")) is None
    assert users.identify(_carol("any!~x@a!~carol@a.example.org")) is None


def test_a_name_is_taken_once_in_any_letter_case(users: Users) -> None:
    users.add(User("Alice"))
    with pytest.raises(UsersError, match="there is a user 'Alice' already"):
        users.add(User("alice"))
    with pytest.raises(UsersError, match="there is a user 'Alice' already"):
        users.add(User("\N{FULLWIDTH LATIN SMALL LETTER A}lice"))
    assert users.get("ALICE").name == "Alice"


@pytest.mark.parametrize("name", ["", "two words", "new\nline", "a/b", "\u202ealice", "x" * 65])
def test_a_name_is_one_visible_word(users: Users, name: str) -> None:
    with pytest.raises(UsersError):
        users.add(User(name))
    assert list(users.list()) == []


def test_an_identity_has_one_owner_under_every_casemapping(users: Users) -> None:
    users.add(User("bob", identities=(BOB,)))
    users.add(User("eve"))
    rival = Identity(Proof.IRC, "libera", "bOB{away}")
    with pytest.raises(UsersError, match="belongs to bob already"):
        users.link_identity("eve", rival)
    with pytest.raises(UsersError, match="belongs to bob already"):
        users.add(User("mallory", identities=(rival,)))
    assert [user.name for user in users.list()] == ["bob", "eve"]


@pytest.mark.parametrize(
    "identity",
    [
        Identity(Proof.IRC_MASK, "plain", "alice!*@*"),
        Identity(Proof.IRC_MASK, "plain", "alice!*@*a*"),
        Identity(Proof.IRC_MASK, "plain", "*"),
        Identity(Proof.IRC, "libera", "*"),
        Identity(Proof.IRC, "", "alice"),
        Identity(Proof.MATRIX, "", "alice"),
        Identity(Proof.MATRIX, "home", "@alice:hs"),
    ],
)
def test_what_names_nobody_or_anybody_is_no_identity(users: Users, identity: Identity) -> None:
    users.add(User("alice"))
    with pytest.raises(UsersError):
        users.link_identity("alice", identity)
    with pytest.raises(UsersError):
        users.add(User("eve", identities=(identity,)))
    assert list(users.list()) == [User("alice")]


def test_an_identity_given_twice_is_held_once(users: Users) -> None:
    users.add(User("bob", identities=(BOB, ALICE, Identity(Proof.IRC, "libera", "BOB{AWAY}"))))
    assert users.get("bob").identities == (BOB, ALICE)


def test_linking_twice_changes_nothing(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.link_identity("alice", ALICE)
    assert users.get("alice").identities == (ALICE,)


def test_of_several_identities_all_change_hands_or_none(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.add(User("bob"))
    with pytest.raises(UsersError, match="belongs to alice already"):
        users.link_identity("bob", BOB, ALICE)
    assert users.get("bob").identities == ()
    users.link_identity("bob", BOB, MASK, BOB)
    assert users.get("bob").identities == (BOB, MASK)
    with pytest.raises(UsersError, match="has no identity @alice:hs"):
        users.unlink_identity("bob", BOB, ALICE)
    assert users.get("bob").identities == (BOB, MASK)
    users.unlink_identity("bob", BOB, MASK)
    assert users.get("bob").identities == ()


def test_an_identity_can_be_taken_back_and_given_to_another(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.add(User("bob"))
    users.unlink_identity("alice", ALICE)
    assert users.identify(matrix("alice")) is None
    users.link_identity("bob", ALICE)
    assert users.identify(matrix("alice")) == users.get("bob")
    with pytest.raises(UsersError, match="has no identity"):
        users.unlink_identity("alice", ALICE)


def test_a_removed_user_is_a_guest(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.remove("alice")
    assert users.identify(matrix("alice")) is None
    assert list(users.list()) == []


def test_roles_and_passwords_change(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.set_role("alice", Role.ADMIN)
    users.set_password("alice", "hash")
    assert users.get("alice") == User("alice", Role.ADMIN, (ALICE,), "hash")
    users.set_password("alice", None)
    assert users.get("alice").password is None


def test_nobody_is_named(users: Users) -> None:
    for verb in (
        lambda: users.get("nobody"),
        lambda: users.remove("nobody"),
        lambda: users.set_role("nobody", Role.ADMIN),
        lambda: users.set_password("nobody", None),
        lambda: users.link_identity("nobody", ALICE),
        lambda: users.unlink_identity("nobody", ALICE),
    ):
        with pytest.raises(UsersError, match="there is no user 'nobody'"):
            verb()


def test_users_are_listed_by_name(users: Users) -> None:
    for name in ("carol", "alice", "bob"):
        users.add(User(name))
    assert [user.name for user in users.list()] == ["alice", "bob", "carol"]
    assert users.refresh() is False
