"""Keys that are withheld (bridge.matrix.crypto.devices.withheld), by others and by us."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from bridge.matrix.crypto.devices import withheld
from bridge.matrix.crypto.devices.withheld import CAUSES, Withheld
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, Unsigned
from bridge.matrix.crypto.opening import Keyless
from bridge.matrix.crypto.signatures import ALGORITHM
from bridge.matrix.dialect.fields import Json
from tests.matrix.crypto.parties import ROOM, Party
from tests.matrix.crypto.test_opening import _Reader
from tests.matrix.test_power import JSON


def _said(code: str, session: str, sender: str = "@ann:hs", **more: object) -> Json:
    content = {"algorithm": ALGORITHM, "code": code, "room_id": ROOM, "session_id": session, "sender_key": "x", **more}
    return {"type": "m.room_key.withheld", "sender": sender, "content": content}


async def _sealed() -> tuple[Party, Party, Any]:
    """Ann, the duck, and what ann says in a room whose key the duck does not have."""
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    ann.give_key(await Party("@bob:hs").begin())
    return ann, duck, ann.say("hi")


@pytest.mark.parametrize("code", [*CAUSES])
async def test_a_message_is_given_up_at_once_if_its_sender_says_why_there_is_no_key(code: str) -> None:
    _, duck, event = await _sealed()
    reader = _Reader(duck)
    assert await reader.read(event) is None
    assert await reader.hear(_said(code, event["content"]["session_id"])) == [event]
    with pytest.raises(Keyless) as found:
        await reader.read(event)
    assert (str(found.value), found.value.told) == (CAUSES[code].reason, CAUSES[code].told)


@pytest.mark.parametrize(
    "said",
    [
        {"code": "m.no_olm"},
        {"code": "m.unavailable"},
        {"code": "m.unverified", "sender": "@eve:hs"},
        {"code": "m.unverified", "algorithm": "none"},
        {"code": "m.unverified", "room_id": "!other:hs"},
    ],
)
async def test_it_goes_on_waiting_if_the_key_may_come_or_somebody_else_says_it(said: dict[str, str]) -> None:
    _, duck, event = await _sealed()
    reader = _Reader(duck)
    assert await reader.read(event) is None
    await reader.hear(_said(session=event["content"]["session_id"], **said))
    assert await reader.read(event) is None


async def test_a_key_that_comes_all_the_same_opens_the_message() -> None:
    ann, duck, event = await _sealed()
    reader = _Reader(duck)
    reader.directory.known = [ann]
    await reader.hear(_said("m.unverified", event["content"]["session_id"]))
    await reader.hear(*ann.give_key(duck))
    assert await reader.read(ann.say("again", "$2")) == "again"


def test_only_some_are_remembered() -> None:
    known = Withheld()
    for number in range(2 * withheld._MOST):
        known.note(_said("m.unverified", str(number)))
    assert len(known._codes) == withheld._MOST
    assert known.note(_said("m.unverified", "x" * 1000)) is None


@settings(max_examples=100, deadline=None)
@given(JSON, JSON)
def test_nothing_that_is_said_makes_trouble(content: Any, sender: Any) -> None:
    assert Withheld().note({"type": withheld.KIND, "sender": sender, "content": content}) is None


def test_a_hundred_devices_are_told_with_one_request() -> None:
    found: list[Any] = [
        *withheld.bodies(((f"@{n % 7}:hs", str(n)) for n in range(250)), withheld.without_session("key"))
    ]
    assert [sum(len(devices) for devices in body["messages"].values()) for body in found] == [100, 100, 50]
    assert "m.no_olm" in json.dumps(found[0])


async def test_only_devices_that_their_owners_have_signed_get_keys_and_are_believed_if_it_is_so_set() -> None:
    ann, laptop = await Party("@ann:hs", "PHONE").begin(), await Party("@ann:hs", "LAPTOP").begin()
    duck = await Party("@duck:hs", signed_only=True).begin()
    signing = ann.sign()
    duck.learn(ann, laptop, signing=signing)
    assert duck.machine.devices.receivers(["@ann:hs"]) == [ann.pair]
    assert duck.machine.devices.refused(["@ann:hs"]) == [laptop.pair]
    for party in (ann, laptop):
        duck.hear(party.give_key(duck))
    assert duck.read(ann.say("signed")) == "signed"
    with pytest.raises(Unsigned):
        duck.read(laptop.say("unsigned", "$2"))
    await duck.rows.flush()
    again = await duck.again()
    assert again.machine.devices.is_signed(ann.pair)


async def test_a_device_that_its_owner_signs_later_is_believed_from_then_on_and_named_only_before() -> None:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    duck.hear(ann.give_key(duck))
    event = ann.say("hi")
    assert duck.read(event) == "hi"
    assert duck.machine.inbound.unsigned_sender(ROOM, event) == ann.pair
    duck.learn(ann, signing=ann.sign())
    assert duck.machine.inbound.unsigned_sender(ROOM, event) is None
    assert isinstance(NoKey("x"), NotOpened)
