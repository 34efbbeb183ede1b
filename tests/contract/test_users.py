"""The contract of every user database: bridge.users.contract.Users."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.model.casemap import Casemapping
from bridge.model.event import Room
from bridge.model.people import Identity, Proof, Sender
from bridge.store.postgres.users import UsersText
from bridge.store.redis.users import UsersText as RedisText
from bridge.users import IrcLogin, Measure, MembershipRequest, Role, Sanction, Standing, User, Users, UsersError
from bridge.users.requests import LASTS_S, open_ones
from bridge.users.tinydb import TinyUsers
from tests.conftest import need
from tests.events import irc, matrix
from tests.fakes.redis import RedisServer, shared, unique
from tests.fakes.users import MemoryUsers
from tests.postgres import Postgres

ALICE = Identity(Proof.MATRIX, "", "@alice:hs")
BOB = Identity(Proof.IRC, "libera", "Bob[away]")
MASK = Identity(Proof.IRC_MASK, "plain", "*!~carol@*.example.org")


@pytest.fixture(
    params=[
        "tinydb",
        "memory",
        pytest.param("postgres", marks=pytest.mark.servers),
        pytest.param("redis", marks=pytest.mark.servers),
    ]
)
def users(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Users]:
    if request.param == "redis":
        need(RedisServer)
        on_redis = RedisText(shared().url(unique()))
        yield TinyUsers.create(on_redis)
        on_redis.close()
    elif request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        server.empty()
        text = UsersText(server.url)
        yield TinyUsers.create(text)
        text.close()
    else:
        yield TinyUsers.create(tmp_path / "users.json") if request.param == "tinydb" else MemoryUsers()


def _carol(mask: str, casemapping: Casemapping = Casemapping.RFC1459) -> Sender:
    return Sender("plain", "carol", "carol", (Identity(Proof.IRC_MASK, "plain", mask),), casemapping)


def test_a_user_is_known_by_each_identity_on_every_network(users: Users) -> None:
    users.add(User("alice", identities=(ALICE, BOB, MASK)))
    for sender in (matrix("alice"), irc("x", "Bob[away]"), _carol("c!~carol@a.example.org")):
        found = users.identify(sender)
        assert found is not None
        assert found.name == "alice"


def test_a_sender_whose_proofs_match_no_identity_is_no_user(users: Users) -> None:
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


def test_letters_that_are_equal_only_by_unicode_folding_differ_in_an_account(users: Users) -> None:
    users.add(User("kim", identities=(Identity(Proof.IRC, "libera", "kim"),)))
    assert users.identify(irc("x", "KIM")) is not None
    assert users.identify(irc("x", "\N{KELVIN SIGN}im")) is None


def test_matrix_ids_are_case_sensitive(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    assert users.identify(matrix("Alice")) is None


def test_a_mask_must_match_as_a_whole(users: Users) -> None:
    users.add(User("carol", identities=(MASK,)))
    assert users.identify(_carol("any!~CAROL@a.b.example.org")) is not None
    assert users.identify(_carol("any!~carol@example.org")) is None
    assert users.identify(_carol("any!~carol@a.example.org.evil.net")) is None
    assert users.identify(_carol("any!~mallory@a.example.org")) is None
    assert users.identify(_carol("any!~x@a!~carol@a.example.org")) is None


def test_a_user_name_is_unique_in_any_letter_case(users: Users) -> None:
    users.add(User("Alice"))
    with pytest.raises(UsersError, match="there is a user 'Alice' already"):
        users.add(User("alice"))
    with pytest.raises(UsersError, match="there is a user 'Alice' already"):
        users.add(User("\N{FULLWIDTH LATIN SMALL LETTER A}lice"))
    assert users.get("ALICE").name == "Alice"


@pytest.mark.parametrize("name", ["", "two words", "new\nline", "a/b", "\u202ealice", "x" * 65])
def test_a_user_name_must_be_one_short_visible_word(users: Users, name: str) -> None:
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
def test_an_identity_that_is_malformed_or_fits_anybody_is_refused(users: Users, identity: Identity) -> None:
    users.add(User("alice"))
    with pytest.raises(UsersError):
        users.link_identity("alice", identity)
    with pytest.raises(UsersError):
        users.add(User("eve", identities=(identity,)))
    assert list(users.list()) == [User("alice")]


def test_an_identity_given_twice_is_held_once(users: Users) -> None:
    users.add(User("bob", identities=(BOB, ALICE, Identity(Proof.IRC, "libera", "BOB{AWAY}"))))
    assert users.get("bob").identities == (BOB, ALICE)


def test_linking_an_identity_twice_changes_nothing(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.link_identity("alice", ALICE)
    assert users.get("alice").identities == (ALICE,)


def test_several_identities_are_linked_and_unlinked_all_or_none(users: Users) -> None:
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


def test_an_identity_can_be_unlinked_and_linked_to_another_user(users: Users) -> None:
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


def test_roles_and_passwords_can_be_changed(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.set_role("alice", Role.ADMIN)
    users.set_password("alice", "hash")
    assert users.get("alice") == User("alice", Role.ADMIN, (ALICE,), "hash")
    users.set_password("alice", None)
    assert users.get("alice").password is None


def test_a_user_may_do_without_a_puppet(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)), User("bob", puppet=False))
    assert (users.get("alice").puppet, users.get("bob").puppet) == (True, False)
    users.set_puppet("alice", on=False)
    users.set_puppet("bob", on=True)
    assert users.get("alice") == User("alice", identities=(ALICE,), puppet=False)
    assert users.get("bob").puppet
    users.set_role("alice", Role.ADMIN)
    assert not users.get("alice").puppet


def test_a_user_has_one_account_on_a_network_until_it_is_taken_back(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    first, second, other = (IrcLogin(*each) for each in (("net", "a", "x"), ("net", "b", "y"), ("far", "c", "z")))
    for login in (first, other, second):
        users.set_irc_login("Alice", login.network, login)
    assert users.get("alice") == User("alice", identities=(ALICE,), logins=(other, second))
    assert users.get("alice").login("net") == second
    users.set_role("alice", Role.ADMIN)
    assert users.get("alice").logins == (other, second)
    users.set_irc_login("alice", "net", None)
    assert users.get("alice").logins == (other,)
    with pytest.raises(UsersError, match="no account on net"):
        users.set_irc_login("alice", "net", None)


def test_the_accounts_of_users_move_with_their_network(users: Users) -> None:
    users.add(User("alice", logins=(IrcLogin("net", "a", "x"),)), User("bob"))
    assert users.rename_network("net", "far") == 1
    assert users.get("alice").logins == (IrcLogin("far", "a", "x"),)


def test_a_user_who_does_not_exist_is_named_in_the_error(users: Users) -> None:
    for verb in (
        lambda: users.get("nobody"),
        lambda: users.remove("nobody"),
        lambda: users.set_role("nobody", Role.ADMIN),
        lambda: users.set_password("nobody", None),
        lambda: users.set_puppet("nobody", on=False),
        lambda: users.set_irc_login("nobody", "libera", None),
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


def test_several_users_are_added_together_or_not_at_all(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)), User("bob", identities=(BOB,)))
    before = [*users.list()]
    for wrong in (User("ALICE"), User("eve", identities=(ALICE,)), User("two words"), User("carol")):
        with pytest.raises(UsersError):
            users.add(User("carol"), wrong)
        assert [*users.list()] == before


def test_put_replaces_users_of_the_same_name_and_adds_the_others(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)), User("bob", identities=(BOB,)))
    users.put(User("Alice", Role.ADMIN, (BOB,)), User("bob", identities=(ALICE,)), User("carol"))
    found = {user.name: user.identities for user in users.list()}
    assert found == {"Alice": (BOB,), "bob": (ALICE,), "carol": ()}
    for wrong in ((User("carol", identities=(ALICE,)),), (User("dave"), User("DAVE"))):
        with pytest.raises(UsersError):
            users.put(*wrong)
    assert {user.name: user.identities for user in users.list()} == found


def _sanctioned(users: Users, sender: Sender, link: str | None, now: float) -> Sanction | None:
    return users.sanctioned(sender, users.identify(sender), link, now)


def _about(target: str, measure: Measure, link: str | None = None, until: float | None = None) -> Sanction:
    return Sanction(target, measure, link, 0.0, until, "for a reason", "test")


def test_a_mute_counts_for_its_user_in_its_link_until_it_ends(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.sanction(_about("Alice", Measure.MUTE, "pond", until=2e9))
    (muted,) = users.sanctions()
    assert muted.target == "alice"
    assert _sanctioned(users, matrix("alice"), "pond", 1e9) == muted
    assert _sanctioned(users, matrix("alice"), "lake", 1e9) is None
    assert _sanctioned(users, matrix("alice"), None, 1e9) is None
    assert _sanctioned(users, matrix("bob"), "pond", 1e9) is None
    assert _sanctioned(users, matrix("alice"), "pond", 2e9) is None


def test_the_strictest_of_several_sanctions_counts(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.sanction(_about("alice", Measure.MUTE))
    users.sanction(_about("alice", Measure.BAN, "pond"))
    found = _sanctioned(users, matrix("alice"), "pond", 1.0)
    assert found is not None
    assert found.measure is Measure.BAN
    elsewhere = _sanctioned(users, matrix("alice"), "lake", 1.0)
    assert elsewhere is not None
    assert elsewhere.measure is Measure.MUTE


def test_a_ban_by_pattern_counts_for_the_senders_that_it_fits_and_for_no_others(users: Users) -> None:
    users.add(User("bob", identities=(BOB,)))
    users.sanction(_about("@*:spam.example", Measure.BAN))
    users.sanction(_about("libera/*!*@*.Spam.example", Measure.BAN))
    users.sanction(_about("libera/spam*", Measure.BAN))

    def banned(sender: Sender) -> bool:
        return _sanctioned(users, sender, "pond", 1.0) is not None

    spammer = Sender("home", "@x:spam.example", "x", (Identity(Proof.MATRIX, "", "@X:SPAM.example"),))
    assert banned(spammer)
    assert banned(replace(irc("nick"), mask="nick!u@a.spam.EXAMPLE"))
    assert banned(replace(irc("bob", "Bob[away]"), mask="bob!u@a.spam.example"))
    assert not banned(replace(irc("nick", network="oftc"), mask="nick!u@a.spam.example"))
    assert not banned(replace(irc("nick"), mask="nick!u@spam.example.org"))
    assert banned(irc("x", "Spammer"))
    assert not banned(irc("spammer"))
    assert not banned(matrix("alice"))


@pytest.mark.parametrize(
    "target", ["*/*!*@*", "@*:*", "libera/*", "libera/?*!*@*", "@", "@nobody", "text:hi", "/x", ""]
)
def test_a_ban_by_a_pattern_that_fits_everybody_or_is_malformed_is_refused(users: Users, target: str) -> None:
    with pytest.raises(UsersError):
        users.sanction(_about(target, Measure.BAN))
    assert not users.sanctions()


def test_a_sanction_that_is_lifted_no_longer_counts(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.sanction(_about("alice", Measure.BAN))
    users.sanction(_about("alice", Measure.MUTE))
    assert len(users.lift("ALICE", None)) == 2
    assert _sanctioned(users, matrix("alice"), "pond", 1.0) is None
    with pytest.raises(UsersError, match="isn't muted or banned in all links"):
        users.lift("alice", None)


def test_a_sanction_replaces_an_earlier_one_of_the_same_kind(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.sanction(_about("alice", Measure.BAN, until=2e9))
    users.sanction(_about("alice", Measure.BAN, until=3e9))
    assert [each.until for each in users.sanctions()] == [3e9]


def test_removing_a_user_removes_the_sanctions_against_them(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.sanction(_about("alice", Measure.BAN))
    users.remove("alice")
    assert not users.sanctions()


def test_a_ban_by_name_needs_an_existing_user(users: Users) -> None:
    with pytest.raises(UsersError, match="there is no user"):
        users.sanction(_about("alice", Measure.BAN))


def test_a_renamed_network_keeps_its_identities_masks_and_sanctions(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)), User("bob", identities=(BOB, MASK)))
    users.sanction(Sanction("libera/spam*", Measure.BAN, None, 1.0, None, "", "x"))
    users.sanction(Sanction("bob", Measure.MUTE, None, 1.0, None, "", "x"))
    users.ask(MembershipRequest(replace(BOB, value="carol"), Room("libera", "carol"), 1_000.0))
    assert users.rename_network("libera", "lib") == 3
    (asked,) = users.requests()
    assert (str(asked.identity), str(asked.room), asked.handle) == ("lib/carol", "lib/carol", "carol")
    assert users.get("bob").identities == (replace(BOB, network="lib"), MASK)
    assert users.identify(irc("x", "Bob[away]", network="lib")) == users.get("bob")
    assert [each.target for each in users.sanctions()] == ["lib/spam*", "bob"]
    assert users.rename_network("libera", "lib") == 0


def test_a_network_is_not_renamed_to_one_where_an_identity_belongs_to_somebody_else(users: Users) -> None:
    users.add(User("bob", identities=(BOB,)), User("eve", identities=(replace(BOB, network="lib"),)))
    with pytest.raises(UsersError, match="belongs to"):
        users.rename_network("libera", "lib")
    assert users.get("bob").identities == (BOB,)


def _wish(identity: Identity, since: float = 1_000.0) -> MembershipRequest:
    return MembershipRequest(identity, Room("libera", "nick"), since)


def _account(name: str) -> Identity:
    return Identity(Proof.IRC, "libera", name)


def _handles(users: Users, now: float = 1_000.0) -> list[str]:
    return [each.handle for each in open_ones(users.requests(), now)]


def test_a_request_is_kept_with_a_handle_and_once_per_identity(users: Users) -> None:
    first = users.ask(_wish(BOB))
    again = users.ask(_wish(Identity(Proof.IRC, "libera", "BOB{AWAY}"), since=2_000.0))
    assert first == again
    assert (first.handle, first.standing, first.since) == ("Bobaway", Standing.OPEN, 1_000.0)
    assert list(users.requests()) == [first]


def test_an_approved_request_makes_a_user_who_is_known_at_once(users: Users) -> None:
    users.ask(_wish(_account("bob")))
    users.approve("BOB", "robert", 1_500.0)
    assert users.identify(irc("x", "bob")) == User("robert", identities=(_account("bob"),))
    (kept,) = users.requests()
    assert (kept.standing, kept.decided, kept.user) == (Standing.APPROVED, 1_500.0, "robert")
    assert _handles(users) == []


def test_an_approved_request_may_add_its_identity_to_an_existing_user(users: Users) -> None:
    users.add(User("alice", Role.ADMIN, (ALICE,), "hash"))
    users.ask(_wish(_account("al")))
    users.approve_as("al", "ALICE", 1_500.0)
    assert users.get("alice") == User("alice", Role.ADMIN, (ALICE, _account("al")), "hash")
    assert [each.user for each in users.requests()] == ["alice"]


def test_an_approval_that_fails_leaves_the_request_open(users: Users) -> None:
    users.add(User("alice", identities=(ALICE,)))
    users.ask(_wish(_account("bob")))
    for name in ("alice", "two words", "-x/y"):
        with pytest.raises(UsersError):
            users.approve("bob", name, 1_500.0)
    with pytest.raises(UsersError, match="there is no user 'nobody'"):
        users.approve_as("bob", "nobody", 1_500.0)
    assert _handles(users) == ["bob"]
    assert [user.name for user in users.list()] == ["alice"]


def test_a_denied_identity_may_not_ask_again_for_30_days(users: Users) -> None:
    users.ask(_wish(_account("bob")))
    users.deny("bob", 1_500.0)
    for since in (1_500.0, 1_499.0 + LASTS_S):
        with pytest.raises(UsersError, match="was denied"):
            users.ask(_wish(_account("BOB"), since))
    assert _handles(users) == []
    assert users.ask(_wish(_account("bob"), 1_500.0 + LASTS_S)).standing is Standing.OPEN


def test_a_request_expires_after_30_days(users: Users) -> None:
    users.ask(_wish(_account("bob")))
    assert _handles(users, 999.0 + LASTS_S) == ["bob"]
    assert _handles(users, 1_000.0 + LASTS_S) == []
    with pytest.raises(UsersError, match="no open request"):
        users.approve("bob", "bob", 1_000.0 + LASTS_S)


def test_a_request_that_does_not_exist_or_is_decided_cannot_be_decided(users: Users) -> None:
    users.ask(_wish(_account("bob")))
    users.deny("bob", 1_500.0)
    decisions: list[Callable[[], object]] = [
        lambda: users.approve("bob", "bob", 1_600.0),
        lambda: users.approve_as("bob", "bob", 1_600.0),
        lambda: users.deny("bob", 1_600.0),
        lambda: users.deny("nobody", 1_600.0),
    ]
    for decide in decisions:
        with pytest.raises(UsersError, match="no open request"):
            decide()


def test_who_holds_an_identity_cannot_ask_and_who_gets_one_does_not_ask_any_more(users: Users) -> None:
    users.ask(_wish(_account("bob")))
    users.ask(_wish(_account("carol")))
    users.add(User("bob", identities=(_account("BOB"),)), User("c"))
    users.link_identity("c", _account("carol"))
    assert _handles(users) == []
    with pytest.raises(UsersError, match="belongs to a user already"):
        users.ask(_wish(_account("bob")))
    users.remove("bob")
    assert _handles(users) == []
    assert users.ask(_wish(_account("bob"))).handle == "bob"


@pytest.mark.parametrize(
    ("identity", "handle"),
    [
        (Identity(Proof.MATRIX, "", "@-bob:hs"), "bob"),
        (Identity(Proof.MATRIX, "", "@/:hs"), "somebody"),
        (Identity(Proof.MATRIX, "", "@a;$(rm)'`:hs"), "arm"),
        (_account("--as"), "as"),
        (_account("\N{CYRILLIC SMALL LETTER A}lice"), "lice"),
        (Identity(Proof.IRC_MASK, "plain", "*!~bob@a.example.org"), "bob"),
        (_account("x" * 64), "x" * 24),
        (_account("\u202e"), "somebody"),
    ],
)
def test_a_handle_is_short_and_safe_to_type(users: Users, identity: Identity, handle: str) -> None:
    assert users.ask(_wish(identity)).handle == handle
    users.approve(handle, f"{handle}-2", 1_500.0)
    assert users.get(f"{handle}-2").identities == (identity,)


def test_a_handle_is_neither_a_users_name_nor_given_twice_while_its_request_is_kept(users: Users) -> None:
    users.add(User("Alice", identities=(ALICE,)))
    evil = [Identity(Proof.MATRIX, "", f"@alice:evil{number}.example") for number in range(3)]
    assert [users.ask(_wish(each)).handle for each in evil[:2]] == ["alice2", "alice3"]
    users.deny("alice2", 1_500.0)
    assert users.ask(_wish(evil[2])).handle == "alice4"
    assert users.deny(str(evil[1]), 1_500.0).handle == "alice3"
