"""Whose keys are whose (bridge.matrix.crypto.trust)."""

from typing import Any

from hypothesis import given, settings

from bridge.matrix.crypto import trust
from bridge.matrix.crypto.trust import Device, devices, is_signed
from tests.matrix.parties import Party
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
    crowd = {f"D{number}": keys for number in range(trust._MOST)}
    assert [*devices({"device_keys": {_ANN: crowd | {"PHONE": keys}}}, _ANN)] == []


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_no_answer_makes_trouble(keys: Any, signature: Any) -> None:
    for answer in ({"device_keys": keys}, {"device_keys": {_ANN: keys}}, {"device_keys": {_ANN: {"PHONE": keys}}}):
        assert [*devices(answer, _ANN)] == []
    assert not is_signed({"signatures": {_ANN: {"ed25519:D": signature}}}, _ANN, "D", str(signature))
