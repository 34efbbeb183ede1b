"""Whose keys are whose (bridge.matrix.crypto.signatures)."""

from typing import Any

import pytest
from hypothesis import given, settings

from bridge.matrix.crypto import signatures
from bridge.matrix.crypto.olm.opened import Unsigned
from bridge.matrix.crypto.signatures import Device, devices, is_signed, master_key
from tests.matrix.crypto.parties import Party
from tests.matrix.test_power import JSON

_ANN = "@ann:hs"


async def _published() -> tuple[Party, dict[str, Any]]:
    ann = await Party(_ANN, "PHONE").begin()
    return ann, ann.published["device_keys"]


async def test_a_device_is_known_by_the_keys_that_it_has_signed() -> None:
    ann, keys = await _published()
    expected = Device(_ANN, "PHONE", ann.machine.curve25519, ann.machine.ed25519)
    unsigned = {"unsigned": {"device_display_name": "x"}}
    assert [*devices({"device_keys": {_ANN: {"PHONE": keys | unsigned}}}, _ANN)] == [expected]


async def test_a_device_with_another_key_owner_or_name_than_it_has_signed_is_none() -> None:
    other, keys = await _published()
    ann, keys = await _published()
    stolen = {"keys": keys["keys"] | {"curve25519:PHONE": other.machine.curve25519}}
    wrong = [
        keys | stolen,
        keys | {"keys": keys["keys"] | {"ed25519:PHONE": other.machine.ed25519}},
        keys | {"keys": keys["keys"] | {"ed25519:PHONE": "not base64 at all!"}},
        keys | {"keys": {}},
        keys | {"signatures": {}},
        keys | {"signatures": {"@eve:hs": keys["signatures"][_ANN]}},
        keys | {"user_id": "@eve:hs"},
        keys | {"device_id": "LAPTOP"},
        {},
        7,
    ]
    for each in wrong:
        assert [*devices({"device_keys": {_ANN: {"PHONE": each}}}, _ANN)] == []
    assert [*devices({"device_keys": {"@eve:hs": {"PHONE": keys}}}, "@eve:hs")] == []
    assert [*devices({"device_keys": {_ANN: {"LAPTOP": keys}}}, _ANN)] == []
    assert ann.machine.ed25519 != other.machine.ed25519


async def test_of_thousands_of_devices_only_some_are_looked_at() -> None:
    _, keys = await _published()
    crowd = {f"D{number}": keys for number in range(signatures._MOST)}
    assert [*devices({"device_keys": {_ANN: crowd | {"PHONE": keys}}}, _ANN)] == []


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_no_answer_makes_trouble(keys: Any, signature: Any) -> None:
    for answer in ({"device_keys": keys}, {"device_keys": {_ANN: keys}}, {"device_keys": {_ANN: {"PHONE": keys}}}):
        assert [*devices(answer, _ANN)] == []
    assert not is_signed({"signatures": {_ANN: {"ed25519:D": signature}}}, _ANN, "D", str(signature))


async def _signed() -> tuple[Party, dict[str, Any]]:
    """Ann's device, and an answer to /keys/query with it and her cross-signing keys."""
    ann, _ = await _published()
    signing = ann.sign()
    return ann, {"device_keys": {_ANN: {"PHONE": ann.published["device_keys"]}}, **signing}


async def test_a_device_is_signed_by_its_owners_key_which_their_master_key_has_signed() -> None:
    _, answer = await _signed()
    assert [device.signed for device in devices(answer, _ANN)] == [True]
    assert master_key(answer, _ANN) in answer["master_keys"][_ANN]["keys"].values()


async def test_a_chain_of_signatures_with_a_piece_that_is_missing_or_anothers_signs_nothing() -> None:
    _, answer = await _signed()
    _, other = await _signed()
    wrong: list[dict[str, Any]] = [
        {"master_keys": other["master_keys"]},
        {"self_signing_keys": other["self_signing_keys"]},
        {"master_keys": {}},
        {"self_signing_keys": {}},
        {"self_signing_keys": {_ANN: answer["self_signing_keys"][_ANN] | {"usage": ["master"]}}},
        {"self_signing_keys": {_ANN: answer["self_signing_keys"][_ANN] | {"user_id": "@eve:hs"}}},
        {"self_signing_keys": {_ANN: answer["self_signing_keys"][_ANN] | {"signatures": {}}}},
        {"master_keys": {_ANN: answer["master_keys"][_ANN] | {"usage": "master"}}},
        {"self_signing_keys": {_ANN: answer["master_keys"][_ANN]}},
    ]
    for part in wrong:
        assert [device.signed for device in devices(answer | part, _ANN)] == [False], part


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_no_cross_signing_keys_make_trouble(master: Any, own: Any) -> None:
    answer = {"master_keys": {_ANN: master}, "self_signing_keys": {_ANN: own}, "device_keys": {_ANN: {"PHONE": {}}}}
    assert [*devices(answer, _ANN)] == []
    assert isinstance(master_key({"master_keys": master}, _ANN), str)


async def test_a_signed_device_does_not_vouch_for_other_keys_that_were_shown_under_its_name_before() -> None:
    duck = await Party("@duck:hs", signed_only=True).begin()
    evil, ann = await Party(_ANN, "PHONE").begin(), await Party(_ANN, "PHONE").begin()
    duck.learn(evil)
    duck.hear(evil.give_key(duck))
    event = evil.say("trust me")
    with pytest.raises(Unsigned):
        duck.read(event)
    duck.learn(ann, signing=ann.sign())
    with pytest.raises(Unsigned):
        duck.read(event)
    assert not duck.machine.devices.receivers([_ANN])
