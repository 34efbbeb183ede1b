"""Cross-signing keys, secret storage and recovery keys (bridge.matrix.crypto.account.signing, recovery)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.crypto.account import recovery_key, signing
from bridge.matrix.crypto.account.signing import SigningKey, fits, seal, unseal
from bridge.matrix.crypto.signatures import is_signed
from bridge.matrix.dialect.fields import Json

_SECRET = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
_WRITTEN = "EsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d"
"""A pair that other clients agree on (matrix-js-sdk has it in its tests)."""


def test_a_recovery_key_is_written_as_other_clients_write_it() -> None:
    assert recovery_key.shown(_SECRET) == _WRITTEN
    assert recovery_key.read(_WRITTEN) == recovery_key.read(f" {_WRITTEN.replace(' ', '')}\n") == _SECRET


@given(st.binary(min_size=32, max_size=32))
def test_any_recovery_key_is_read_back(secret: bytes) -> None:
    assert recovery_key.read(recovery_key.shown(secret)) == secret


@pytest.mark.parametrize(
    "written", ["", "x", _WRITTEN[:-1], _WRITTEN.replace("LW2K", "LW2J"), _WRITTEN + "1", "0" * 48, "z" * 10_000, "é"]
)
def test_a_recovery_key_with_a_typing_error_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no recovery key"):
        recovery_key.read(written)


@given(st.text(max_size=80))
def test_nothing_but_a_recovery_key_is_read(written: str) -> None:
    with pytest.raises(ValueError, match="no recovery key"):
        recovery_key.read(written)


def test_a_signature_is_checked_with_the_public_key_and_others_stay_beside_it() -> None:
    """By vodozemac, which knows nothing of how it was made."""
    master, other = SigningKey(b"1" * 32), SigningKey(b"2" * 32)
    published = master.published("@duck:hs", "self_signing")
    signed = other.sign("@ann:hs", master.sign("@duck:hs", published))
    assert is_signed(signed, "@duck:hs", master.public, master.public)
    assert is_signed(signed, "@ann:hs", other.public, other.public)
    assert not is_signed(signed, "@duck:hs", master.public, other.public)
    assert not is_signed({**signed, "usage": ["master"]}, "@duck:hs", master.public, master.public)
    again = other.sign("@duck:hs", signed)
    assert is_signed(again, "@duck:hs", master.public, master.public)


def test_what_is_sealed_is_opened_with_the_same_key_and_name_only() -> None:
    box = seal(_SECRET, "m.cross_signing.master", b"a seed")
    assert unseal(_SECRET, "m.cross_signing.master", box) == b"a seed"
    wrong: list[tuple[bytes, str, Json]] = [
        (bytes(32), "m.cross_signing.master", box),
        (_SECRET, "m.cross_signing.user_signing", box),
        (_SECRET, "m.cross_signing.master", box | {"mac": ""}),
        (_SECRET, "m.cross_signing.master", box | {"ciphertext": "AAAA"}),
        (_SECRET, "m.cross_signing.master", {}),
    ]
    for secret, name, there in wrong:
        with pytest.raises(ValueError, match="another one"):
            unseal(secret, name, there)


def test_a_key_is_known_by_its_description_and_no_other_fits() -> None:
    described = signing.description(_SECRET)
    assert fits(_SECRET, described)
    assert not fits(bytes(32), described)
    for odd in ({}, described | {"mac": "AAAA"}, described | {"iv": "x"}, described | {"iv": 7}):
        assert not fits(_SECRET, odd)
