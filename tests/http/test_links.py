"""Signed links: short, good until they expire, and worth nothing once a character of them is changed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http.links import Expired, Forged, checked, handle_in, link, new_key, token
from bridge.model.event import FOREVER

KEY, OTHER = bytes(32), bytes([1]) * 32
HANDLE = "0123456789abcdef" * 2
handles = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(handles, st.integers(1, FOREVER))
def test_a_link_is_short_and_gives_its_handle_back_until_it_expires(handle: str, until: int) -> None:
    address = link("https://pond.social", KEY, handle, until)
    assert len(address.removeprefix("https://pond.social")) <= 60
    assert handle_in(address) == handle
    assert handle_in(f"see {address}, please") == handle
    given = address.rpartition("/")[2]
    assert checked(KEY, given, until - 0.5) == handle
    if until == FOREVER:
        assert checked(KEY, given, 10.0**12) == handle
    else:
        with pytest.raises(Expired):
            checked(KEY, given, until)


@given(handles, st.integers(1, FOREVER), st.integers(0, 287))
def test_a_link_with_one_bit_changed_is_forged(handle: str, until: int, bit: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(token(KEY, handle, until)))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Forged):
        checked(KEY, base64.urlsafe_b64encode(data).decode(), 0)


def test_a_link_with_the_signature_of_another_or_of_another_key_is_forged() -> None:
    one, other = token(KEY, HANDLE, 1_000), token(KEY, HANDLE, 2_000)
    for each in (one[:26] + other[26:], other[:27] + one[27:], token(OTHER, HANDLE, 1_000)):
        with pytest.raises(Forged):
            checked(KEY, each, 0)


@given(st.text(max_size=60))
def test_no_text_is_a_link_and_none_breaks_the_check(text: str) -> None:
    with pytest.raises(Forged):
        checked(KEY, text, 0)
    handle_in(text)


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t + "A", lambda t: t[:-1], lambda t: f"\n{t}"])
def test_a_link_has_one_spelling(change: "object") -> None:
    assert callable(change)
    given = change(token(KEY, HANDLE, 1_000))
    with pytest.raises(Forged):
        checked(KEY, given, 0)
    assert handle_in(f"/m/{token(KEY, HANDLE, 1_000)}A") is None


def test_keys_are_random() -> None:
    assert len(bytes.fromhex(new_key())) == 32
    assert new_key() != new_key()
