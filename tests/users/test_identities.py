"""What an identity, a mask and a password may be, and when they are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.casemap import Casemapping
from bridge.model.people import Identity, Proof, Sender
from bridge.users import UsersError
from bridge.users import identities as parse
from bridge.users.identities import checked_name, lasting, same
from bridge.users.passwords import choose_password, hash_password


@pytest.mark.parametrize(
    "text",
    [
        "plain/alice!*@*",
        "plain/*!*@*.*",
        "plain/*!*@*a*",
        "plain/alice",
        "plain/alice!user",
        "alice!a@host",
        "plain/a!b@h\r\nQUIT",
    ],
)
def test_a_mask_without_a_host_is_no_identity(text: str) -> None:
    with pytest.raises(UsersError):
        parse.irc_mask(text)


@pytest.mark.parametrize("text", ["alice:hs", "@alice", "@al ice:hs", "@alice:hs\n", "@a:" + "h" * 300, ""])
def test_a_malformed_matrix_id_is_refused(text: str) -> None:
    with pytest.raises(UsersError, match="is not a Matrix id"):
        parse.matrix(text)


@pytest.mark.parametrize("text", ["alice", "libera/", "/alice", "libera/al ice", "libera/*", "libera/a,b"])
def test_a_malformed_account_is_refused(text: str) -> None:
    with pytest.raises(UsersError):
        parse.irc(text)


def test_a_password_is_kept_as_an_argon2id_hash() -> None:
    assert hash_password("quack").startswith("$argon2id$")
    for wrong in ("", "x" * 1025, "\udc80"):
        with pytest.raises(UsersError):
            hash_password(wrong)


def test_a_password_that_is_chosen_has_8_characters_and_can_be_typed_in_a_chat() -> None:
    assert choose_password("quack it").startswith("$argon2id$")
    for wrong in ("quack", "quack it ", "quack\nquack", "x" * 1025):
        with pytest.raises(UsersError):
            choose_password(wrong)


@given(st.text("aA[{^~", max_size=3), st.text("aA[{^~", max_size=3), st.sampled_from(Casemapping))
def test_accounts_that_are_equal_under_any_casemapping_are_the_same_identity(
    left: str, right: str, casemapping: Casemapping
) -> None:
    if casemapping.fold(left) == casemapping.fold(right):
        assert same(Identity(Proof.IRC, "libera", left)) == same(Identity(Proof.IRC, "libera", right))


@pytest.mark.parametrize("text", ["net/*!~bob@*.example.org", "net/*!*@user/bob", "net/b?b!*@2001:db8:*", "net/*!b@hs"])
def test_a_mask_with_a_host_is_an_identity(text: str) -> None:
    assert str(parse.irc_mask(text)) == text


@pytest.mark.parametrize("name", ["alice", "Zoë", "鸭子", "a.b-c_d@e", "x" * 64])
def test_a_user_name_may_hold_letters_of_any_script_and_some_punctuation(name: str) -> None:
    assert checked_name(name) == name


def test_the_lasting_identity_is_the_best_that_is_proven_and_of_a_mask_what_a_new_nick_does_not_change() -> None:
    mask = Identity(Proof.IRC_MASK, "plain", "eve!~e@a.example.org")
    account = Identity(Proof.IRC, "plain", "eve")
    assert lasting(Sender("plain", "eve", "eve", (mask, account))) == account
    assert lasting(Sender("plain", "eve", "eve", (mask,))) == Identity(Proof.IRC_MASK, "plain", "*!~e@a.example.org")
    assert lasting(Sender("plain", "eve", "eve")) is None


@pytest.mark.parametrize("mask", ["eve!*@a.example.org", "eve!~??@a.example.org", "eve!e@*", f"eve!e@{'a' * 300}.org"])
def test_a_mask_that_would_fit_others_or_is_too_long_is_no_lasting_identity(mask: str) -> None:
    assert lasting(Sender("plain", "eve", "eve", (Identity(Proof.IRC_MASK, "plain", mask),))) is None
