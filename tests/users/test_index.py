"""Who a sender is, under each network's own way to compare names."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.casemap import Casemapping, widest
from bridge.model.people import Identity, Proof, Sender
from bridge.users import User
from bridge.users.index import Index

_ACCOUNT = st.text("aA[]{}\\|^~k\N{KELVIN SIGN}", min_size=1, max_size=4)
_NETWORK = st.sampled_from(["libera", "oftc"])


@given(_ACCOUNT, _NETWORK, _ACCOUNT, _NETWORK, st.sampled_from(Casemapping))
def test_an_account_identifies_a_user_exactly_if_it_is_equal_under_its_networks_casemapping(
    held: str, on: str, proven: str, network: str, casemapping: Casemapping
) -> None:
    alice = User("alice", identities=(Identity(Proof.IRC, on, held),))
    sender = Sender(network, "x", "alice", (Identity(Proof.IRC, network, proven),), casemapping)
    same = on == network and casemapping.fold(held) == casemapping.fold(proven)
    assert Index([alice]).identify(sender) == (alice if same else None)


@given(_ACCOUNT, st.sampled_from(Casemapping))
def test_a_proof_of_one_kind_does_not_match_an_identity_of_another_kind(value: str, casemapping: Casemapping) -> None:
    alice = User("alice", identities=(Identity(Proof.IRC, "libera", value),))
    for proof in (Identity(Proof.MATRIX, "", value), Identity(Proof.IRC_MASK, "libera", f"{value}!{value}@{value}")):
        sender = Sender("libera", value, value, (proof,), casemapping)
        assert Index([alice]).identify(sender) is None


@given(st.lists(_ACCOUNT, unique_by=widest, max_size=6), st.data())
def test_an_index_that_was_changed_equals_an_index_made_anew(accounts: list[str], data: st.DataObject) -> None:
    users = [User(f"u{n}", identities=(Identity(Proof.IRC, "libera", one),)) for n, one in enumerate(accounts)]
    gone = data.draw(st.lists(st.sampled_from(users), unique=True)) if users else []
    come = [User(f"new{number}", identities=user.identities) for number, user in enumerate(gone)]
    left = [user for user in users if user not in gone] + come
    changed, anew = Index(users).changed(gone, come), Index(left)
    assert changed.users == anew.users
    for account in accounts:
        sender = Sender("libera", "x", "x", (Identity(Proof.IRC, "libera", account),), Casemapping.RFC1459)
        assert changed.identify(sender) == anew.identify(sender)
