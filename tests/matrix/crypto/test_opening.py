"""Messages that wait for their key (bridge.matrix.crypto.opening), and how syncs, rooms and restarts go with it."""

import json
from contextlib import suppress
from typing import Any

import pytest

from bridge.matrix.crypto import opening
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.opened import NotOpened, heard_once
from bridge.matrix.crypto.opening import NO_KEY, Keyless, Opening
from bridge.matrix.crypto.signatures import ALGORITHM
from bridge.matrix.dialect import sync
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.dialect.sync import ForDevice
from bridge.matrix.dialect.verification import Verification
from bridge.matrix.hearing.unsealing import Unreadable, Unsealing
from bridge.matrix.http.homeserver import Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room
from tests.matrix.crypto.parties import ROOM, Party


class _Directory(Homeserver):
    """Answers /keys/query with the devices of `known`."""

    def __init__(self) -> None:
        super().__init__("http://localhost", "@duck:hs")
        self.known: list[Party] = []
        self.asked = 0
        self.is_away = False

    async def post(self, *path: str, query: Any = None, body: Json | None = None) -> Json:
        assert path == ("keys", "query")
        self.asked += 1
        if self.is_away:
            raise Unreachable("it is away")
        users = table(body or {}, "device_keys")
        found: dict[str, dict[str, Any]] = {user: {} for user in users}
        for party in self.known:
            if party.user in found:
                found[party.user][party.device] = party.published["device_keys"]
        return {"device_keys": found}


class _Reader:
    """The part of the duck's adapter that opens messages, at a time that tests set."""

    def __init__(self, duck: Party) -> None:
        self.now = 1000.0
        self.directory = _Directory()
        account: Any = None
        patience: Patience = None  # type: ignore[assignment]
        self.keys = Keys("home", self.directory, account, patience, duck.rows, lambda: self.now)
        self.keys.machine = duck.machine
        self.opening = Opening(self.keys, duck.rows, lambda: self.now)

    async def read(self, event: Json) -> str | None:
        opened = await self.opening.open(ROOM, event)
        return None if opened is None else str(table(opened, "content")["body"])

    async def hear(self, *events: Json) -> list[Json]:
        """What may be opened after to-device events came."""
        keys = await self.keys.hear(ForDevice(tuple(events)))
        return [waiting.event for waiting in self.opening.ripe(keys)]


async def _both() -> tuple[Party, Party, _Reader]:
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    reader = _Reader(duck)
    reader.directory.known = [ann]
    await reader.hear()  # at the start, all that wait are tried
    return ann, duck, reader


async def test_a_message_whose_key_comes_later_waits_and_is_opened_then_also_after_a_restart() -> None:
    ann, duck, reader = await _both()
    key = ann.give_key(duck)
    event = ann.say("early")
    assert await reader.read(event) is None
    await duck.memory.remember(await duck.rows.take())  # as a batch does
    duck = await duck.again()
    later = _Reader(duck)
    later.directory.known = [ann]
    assert await later.hear() == [event]
    assert await later.read(event) is None
    assert await later.hear(*key) == [event]
    assert await later.read(event) == "early"
    assert await later.hear() == []
    assert not duck.rows.of("waiting")


async def test_a_message_whose_key_does_not_come_is_given_up_after_five_minutes() -> None:
    ann, duck, reader = await _both()
    ann.give_key(duck)
    event = ann.say("never")
    assert await reader.read(event) is None
    reader.now += 299
    assert await reader.hear() == [event]
    assert await reader.read(event) is None
    assert await reader.hear() == []
    reader.now += 31
    assert await reader.hear() == [event]
    with pytest.raises(NotOpened, match=NO_KEY.reason):
        await reader.read(event)
    assert not duck.rows.of("waiting")


async def test_an_unsigned_device_is_heard_when_it_verifies_us_and_not_else() -> None:
    duck = await Party("@duck:hs", signed_only=True).begin()
    ann = await Party("@ann:hs").begin()
    reader = _Reader(duck)
    reader.directory.known = [ann]
    unsealing = Unsealing("home", reader.keys, reader.opening)
    await unsealing.hear(ForDevice(tuple(ann.give_key(duck))))
    joined = JoinedRoom(ROOM, Room("home", "#pond:hs"))

    async def hears(number: int, msgtype: str) -> object:
        (entry,) = sync.entries([ann.say("hi", f"${number}", msgtype=msgtype)])
        assert isinstance(entry, sync.Sealed)
        return await unsealing.open(joined, entry)

    assert isinstance(await hears(1, "m.key.verification.request"), Verification)
    assert isinstance(await hears(2, "m.text"), Unreadable)


async def test_not_more_messages_wait_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_MOST", 2)
    ann, duck, reader = await _both()
    ann.give_key(duck)
    assert [await reader.read(ann.say("x", f"${number}")) for number in range(2)] == [None, None]
    with pytest.raises(NotOpened, match=NO_KEY.reason):
        await reader.read(ann.say("x", "$2"))
    assert await reader.read(ann.say("x", "$1")) is None


async def test_the_devices_of_a_sender_are_asked_for_once_and_again_when_they_have_changed() -> None:
    ann, duck, reader = await _both()
    await reader.hear(*ann.give_key(duck))
    assert [await reader.read(ann.say("x", f"${number}")) for number in range(3)] == ["x"] * 3
    assert reader.directory.asked == 1
    stranger = await Party("@ann:hs", "NEW").begin()
    await reader.hear(*stranger.give_key(duck))
    for number in range(3):
        with pytest.raises(NotOpened, match="no known device"):
            await reader.read(stranger.say("x", f"$n{number}"))
    assert reader.directory.asked == 1
    reader.directory.known.append(stranger)
    await reader.keys.hear(ForDevice(changed=("@ann:hs",)))
    assert await reader.read(stranger.say("y", "$n9")) == "y"
    assert reader.directory.asked == 2


async def test_a_message_waits_while_the_homeserver_does_not_tell_the_devices_of_its_sender() -> None:
    ann, duck, reader = await _both()
    await reader.hear(*ann.give_key(duck))
    reader.directory.is_away = True
    event = ann.say("x")
    assert await reader.read(event) is None
    reader.directory.is_away = False
    reader.now += 31
    assert await reader.hear() == [event]
    assert await reader.read(event) == "x"


def test_what_was_heard_of_a_key_is_one_object_in_compact_json() -> None:
    kept = "{}"
    for index in (0, 1, 12, 2, 112, 11):
        kept = heard_once(kept, index, f"${index}")
        assert heard_once(kept, index, f"${index}") == kept
        with pytest.raises(NotOpened, match="repeats"):
            heard_once(kept, index, "$another")
    assert kept == json.dumps(json.loads(kept), separators=(",", ":"))
    assert [*json.loads(kept)] == ["0", "1", "12", "2", "112", "11"]


def _made_up(user: str, number: int, **more: object) -> dict[str, Any]:
    content = {"algorithm": ALGORITHM, "session_id": f"{user} {number}", "ciphertext": "x", **more}
    return {"type": "m.room.encrypted", "sender": user, "event_id": f"${user} {number}", "content": content}


async def test_messages_that_somebody_makes_up_leave_places_for_those_of_others() -> None:
    ann, duck, reader = await _both()
    for number in range(2 * opening._MOST):
        with suppress(Keyless):
            await reader.read(_made_up("@eve:hs", number))
    assert len(duck.rows.of("waiting")) == opening._EACH
    key = ann.give_key(duck)
    event = ann.say("early")
    assert await reader.read(event) is None
    assert await reader.hear(*key) == [event]
    assert await reader.read(event) == "early"
    reader.now += 1000
    for waiting in await reader.hear():
        with pytest.raises(Keyless):
            await reader.read(waiting)
    assert not duck.rows.of("waiting")


async def test_a_message_that_is_nested_too_deeply_does_not_wait() -> None:
    _, _, reader = await _both()
    deep = 0
    for levels in range(10, 1000, 10):
        try:
            nested = json.loads("[" * levels + "]" * levels)
        except RecursionError:
            break
        event = _made_up("@eve:hs", levels, nested=nested)
        try:
            assert await reader.read(event) is None
        except NotOpened:
            deep = levels
        assert len([*reader.opening.ripe({(ROOM, f"@eve:hs {levels}")})]) == (0 if deep else 1)
        reader.opening.forget(str(event["event_id"]))
    assert deep
