"""Sealing for a whole room (bridge.matrix.crypto.sealing, keys): who gets the key, when, and what it costs."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

import pytest
from nio.crypto import Olm
from structlog.testing import capture_logs

from bridge.matrix.client import MatrixNetwork
from bridge.matrix.crypto import sealing
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.opened import NotOpened
from bridge.matrix.crypto.sealing import Sealing
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.dialect.sync import ForDevice
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.model.event import Room
from bridge.model.outbox import Attached, Owed
from bridge.network import PermanentError, TransientError
from bridge.store import Full, PatientMemory
from tests.events import irc, said
from tests.fakes.memory import Notebook
from tests.matrix.crypto.parties import ROOM, Party
from tests.settings import matrix_settings

_US = "@duck:hs"


class _People(Homeserver):
    """A homeserver with the devices and the mail of some people, all of whom are in one room."""

    def __init__(self, *parties: Party) -> None:
        super().__init__("http://localhost", _US)
        self.parties = {(party.user, party.device): party for party in parties}
        self.inside = {_US, *(party.user for party in parties)}
        self.mail: dict[str, list[Json]] = {}
        self.withheld: list[tuple[str, str, str]] = []
        self.asked: Counter[str] = Counter()
        self.signing: Json = {}
        """The cross-signing keys that an answer to /keys/query has."""
        self.trouble: dict[str, Exception] = {}
        self.meanwhile: dict[str, Callable[[], None]] = {}
        """What happens while the next answer to a request is on its way."""

    async def each(self, *path: str, query: Any = None, take: Callable[[Json], None]) -> Json:
        await self._answer_to("members")
        for user in [*self.inside]:
            take({"state_key": user, "content": {"membership": "join"}})
        return {"chunk": []}

    async def post(self, *path: str, query: Any = None, body: Mapping[str, Any] | None = None) -> Json:
        await self._answer_to("/".join(path))
        asked = body or {}
        if path == ("keys", "query"):
            there: dict[str, Any] = {user: {} for user in asked["device_keys"]}
            for (user, device), party in self.parties.items():
                if user in there:
                    there[user][device] = json.loads(json.dumps(party.published["device_keys"]))
            return {"device_keys": there, **self.signing}
        assert path == ("keys", "claim")
        found: dict[str, Any] = {}
        for user, devices in asked["one_time_keys"].items():
            for device in devices:
                if keys := self.parties[user, device].published["one_time_keys"]:
                    found.setdefault(user, {})[device] = dict([keys.popitem()])
        return {"one_time_keys": found}

    async def put(self, *path: str, body: Any) -> Json:
        if path[:2] == ("sendToDevice", "m.room_key.withheld"):
            for user, devices in json.loads(body)["messages"].items():
                self.withheld += [(user, device, content["code"]) for device, content in devices.items()]
            return {}
        assert path[:2] == ("sendToDevice", "m.room.encrypted")
        await self._answer_to("sendToDevice")
        messages = json.loads(body)["messages"]
        for user in messages:
            for content in messages[user].values():
                event: Json = {"type": "m.room.encrypted", "sender": _US, "content": content}
                self.mail.setdefault(user, []).append(event)
        return {}

    async def _answer_to(self, what: str) -> None:
        self.asked[what] += 1
        if what in self.trouble:
            raise self.trouble.pop(what)
        self.meanwhile.pop(what, lambda: None)()
        await asyncio.sleep(0)


class _Bridge:
    """The part of the duck's adapter that seals."""

    def __init__(self, duck: Party, homeserver: _People) -> None:
        account: Any = None
        patience: Any = None
        self.keys_of_duck = duck
        self.now = 1000.0
        self.homeserver = homeserver
        self.keys = Keys("home", homeserver, account, patience, duck.rows, lambda: self.now)
        self.keys.machine = duck.machine
        rooms = Rooms("home")
        self.joined: JoinedRoom = rooms.add(ROOM, Room("home", "#pond:hs"))
        rooms.encrypt(self.joined, {})
        self.sealing = Sealing(rooms, homeserver, self.keys, lambda: self.now)

    async def say(self, text: str, to: Pair | None = None) -> Json:
        content = await self.sealing.seal(self.joined, "m.room.message", {"body": text}, to)
        return {"type": "m.room.encrypted", "sender": _US, "event_id": f"${text}", "content": content}


async def _room(*names: str, signed_only: bool = False) -> tuple[_Bridge, list[Party]]:
    duck = await Party(_US, signed_only=signed_only).begin()
    parties = [await Party(f"@{name}:hs").begin() for name in names]
    for party in parties:
        party.learn(duck)
    return _Bridge(duck, _People(*parties)), parties


def _reads(bridge: _Bridge, party: Party, event: Json) -> str:
    party.hear(bridge.homeserver.mail.pop(party.user, []))
    return party.read(event)


async def test_all_who_are_in_a_room_get_the_key_once() -> None:
    bridge, parties = await _room("ann", "bob")
    for text in ("one", "two"):
        event = await bridge.say(text)
        assert [_reads(bridge, party, event) for party in parties] == [text, text]
    expected = {"members": 1, "keys/query": 1, "keys/claim": 1, "sendToDevice": 1}
    assert bridge.homeserver.asked == expected


async def test_who_comes_gets_the_key_and_who_leaves_cannot_read_what_is_said_next() -> None:
    bridge, (ann, bob) = await _room("ann", "bob")
    first = await bridge.say("first")
    assert _reads(bridge, bob, first) == "first"
    bridge.homeserver.parties.pop(bob.pair)
    bridge.joined.move(bob.user, stays=False)
    carol = await Party("@carol:hs").begin()
    carol.learn(bridge.keys_of_duck)
    bridge.homeserver.parties[carol.pair] = carol
    bridge.joined.move(carol.user, stays=True)
    second = await bridge.say("second")
    assert [_reads(bridge, party, second) for party in (ann, carol)] == ["second", "second"]
    assert bob.user not in bridge.homeserver.mail
    assert table(first, "content")["session_id"] != table(second, "content")["session_id"]


@pytest.mark.parametrize("request_", ["members", "keys/query", "keys/claim"])
async def test_who_comes_while_the_key_is_given_gets_it_too(request_: str) -> None:
    bridge, (ann,) = await _room("ann")
    carol = await Party("@carol:hs").begin()
    carol.learn(bridge.keys_of_duck)

    def comes() -> None:
        bridge.homeserver.parties[carol.pair] = carol
        bridge.homeserver.inside.add(carol.user)
        bridge.joined.move(carol.user, stays=True)

    bridge.homeserver.meanwhile = {request_: comes}
    event = await bridge.say("hello")
    assert [_reads(bridge, party, event) for party in (ann, carol)] == ["hello", "hello"]


@pytest.mark.parametrize("fails", [False, True])
async def test_who_is_asked_for_elsewhere_just_now_gets_the_key_too(fails: bool) -> None:
    bridge, (ann,) = await _room("ann")
    await bridge.keys.directory.know(bridge.keys_of_duck.machine, [_US])
    if fails:
        bridge.homeserver.trouble["keys/query"] = Unreachable("away")
    post, answered = bridge.homeserver.post, asyncio.Event()

    async def slow(*path: str, query: Any = None, body: Mapping[str, Any] | None = None) -> Json:
        if path == ("keys", "query"):
            await answered.wait()
        return await post(*path, query=query, body=body)

    bridge.homeserver.post = slow  # type: ignore[method-assign]
    elsewhere = asyncio.create_task(bridge.keys.directory.know(bridge.keys_of_duck.machine, [ann.user]))
    await asyncio.sleep(0)
    saying = asyncio.create_task(bridge.say("one"))
    await asyncio.sleep(0.01)
    answered.set()
    assert _reads(bridge, ann, await saying) == "one"
    assert isinstance((await asyncio.gather(elsewhere, return_exceptions=True))[0], Unreachable if fails else NoneType)


async def test_a_device_without_a_one_time_key_gets_the_key_once_it_has_one_again() -> None:
    bridge, (ann, bob) = await _room("ann", "bob")
    kept, bob.published["one_time_keys"] = bob.published["one_time_keys"], {}
    event = await bridge.say("one")
    assert _reads(bridge, ann, event) == "one"
    assert bob.user not in bridge.homeserver.mail
    assert bridge.homeserver.withheld == [(*bob.pair, "m.no_olm")]
    bob.published["one_time_keys"] = kept
    await bridge.say("two")
    assert len(bridge.homeserver.withheld) == 1
    assert bridge.homeserver.asked["keys/claim"] == 1
    bridge.now += 61
    event = await bridge.say("three")
    assert _reads(bridge, bob, event) == "three"


async def test_a_new_device_of_somebody_gets_the_key_when_the_homeserver_tells_of_it() -> None:
    bridge, (ann,) = await _room("ann")
    await bridge.say("one")
    new = await Party("@ann:hs", "NEW").begin()
    new.learn(bridge.keys_of_duck)
    bridge.homeserver.parties[new.pair] = new
    await bridge.keys.hear(ForDevice(changed=("@ann:hs",)))
    event = await bridge.say("two")
    assert _reads(bridge, new, event) == "two"
    assert ann.user == new.user


async def test_a_device_gets_the_key_as_soon_as_its_owner_has_signed_it() -> None:
    bridge, (ann,) = await _room("ann", signed_only=True)
    new = await Party("@ann:hs", "NEW").begin()
    new.learn(bridge.keys_of_duck)
    bridge.homeserver.signing = ann.sign()
    bridge.homeserver.parties[new.pair] = new
    one = await bridge.say("one")
    assert _reads(bridge, ann, one) == "one"
    assert bridge.homeserver.withheld == [(*new.pair, "m.unverified")]
    bridge.homeserver.signing = ann.sign(new)
    await bridge.keys.hear(ForDevice(changed=("@ann:hs",)))
    two = await bridge.say("two")
    assert table(one, "content")["session_id"] == table(two, "content")["session_id"]
    assert _reads(bridge, new, two) == "two"


async def test_a_device_that_is_being_verified_can_read_what_is_for_it_and_nothing_before_or_after() -> None:
    bridge, (ann, bob) = await _room("ann", "bob", signed_only=True)
    bridge.homeserver.signing = ann.sign()
    before, ready, after = [await bridge.say("before"), await bridge.say("ready", bob.pair), await bridge.say("after")]
    bob.hear(bridge.homeserver.mail[bob.user])
    assert bob.read(ready) == "ready"
    for event in (before, after):
        with pytest.raises(NotOpened):
            bob.read(event)
    ann.hear(bridge.homeserver.mail[ann.user])
    assert [ann.read(event) for event in (before, ready, after)] == ["before", "ready", "after"]


async def test_who_may_have_got_the_key_before_they_left_cannot_read_what_is_said_next() -> None:
    bridge, (ann, bob) = await _room("ann", "bob")
    put = bridge.homeserver.put

    async def lost(*path: str, body: Any) -> Json:
        await put(*path, body=body)
        raise Unreachable("the answer was lost")

    bridge.homeserver.put = lost  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        await bridge.say("one")
    bridge.homeserver.put = put  # type: ignore[method-assign]
    keys_of_bob = bridge.homeserver.mail.pop(bob.user)
    bridge.homeserver.parties.pop(bob.pair)
    bridge.joined.move(bob.user, stays=False)
    event = await bridge.say("one")
    assert _reads(bridge, ann, event) == "one"
    bob.hear(keys_of_bob)
    with pytest.raises(NotOpened):
        bob.read(event)


@pytest.mark.parametrize("what", ["members", "keys/query", "keys/claim", "sendToDevice"])
async def test_trouble_while_a_key_is_given_leaves_nobody_out(what: str) -> None:
    bridge, (ann,) = await _room("ann")
    bridge.homeserver.trouble[what] = Unreachable("away")
    with pytest.raises(Unreachable):
        await bridge.say("one")
    bridge.homeserver.trouble[what] = ApiError(403, "M_FORBIDDEN", "no")
    with pytest.raises(TransientError):
        await bridge.say("one")
    event = await bridge.say("one")
    assert _reads(bridge, ann, event) == "one"


async def test_a_key_is_stored_before_it_leaves() -> None:
    duck = await Party(_US).begin()
    bridge, (ann,) = await _room("ann")
    bridge = _Bridge(duck, bridge.homeserver)
    ann.learn(duck)
    stored: list[bool] = []
    put = bridge.homeserver.put

    async def look(*path: str, body: Any) -> Json:
        stored.append(not duck.rows.has_changed)
        return await put(*path, body=body)

    bridge.homeserver.put = look  # type: ignore[method-assign]
    await bridge.say("one")
    assert stored == [True]


async def test_nothing_is_sealed_for_a_room_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_MOST", 2)
    bridge, _ = await _room("ann", "bob")
    with pytest.raises(PermanentError, match="more than 2 people"):
        await bridge.say("x")


async def test_while_the_store_is_full_a_message_waits_says_so_once_and_no_key_leaves() -> None:
    lease = _FullLease()
    duck = await Party(_US, memory=PatientMemory(lease)).begin()  # type: ignore[arg-type]
    ann = await Party("@ann:hs").begin()
    ann.learn(duck)
    bridge = _Bridge(duck, _People(ann))
    with capture_logs() as logs:
        saying = asyncio.create_task(bridge.say("hi"))
        await asyncio.sleep(3600)
        assert not bridge.homeserver.mail
        lease.is_full = False
        event = await saying
    assert [line["event"] for line in logs] == ["store_unavailable"]
    assert lease.kept
    assert _reads(bridge, ann, event) == "hi"


class _FullLease(Notebook):
    is_full = True

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        if self.is_full:
            raise Full("the disk is full")
        await super().remember(changes)


@pytest.mark.real_time
async def test_the_event_loop_is_never_held_up_for_long_by_three_hundred_devices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beginning a session with a device, and sealing for one: a hundred of them take some 35 ms."""
    bridge, _ = await _room(*(f"p{number}" for number in range(300)))
    done, most = 0, 0

    def counted(name: str) -> None:
        original = getattr(Olm, name)

        def counts(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            done += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(Olm, name, counts)

    async def watch() -> None:
        nonlocal done, most
        while True:
            most, done = max(most, done), 0
            await asyncio.sleep(0)

    counted("create_session")
    counted("_olm_encrypt")
    watching = asyncio.create_task(watch())
    await bridge.say("one")
    await bridge.say("two")
    watching.cancel()
    assert 0 < most <= 100
    assert sum(map(len, bridge.homeserver.mail.values())) == 300


def test_a_picture_that_is_stored_in_plain_is_not_shown_in_an_encrypted_room() -> None:
    room = Room("home", "#pond:hs")
    network = MatrixNetwork(matrix_settings(password="x"), [room], Notebook(), clock=time.time, rng=random.Random(1))
    joined = network._rooms.add(ROOM, room)
    event = said(Room("libera", "#pond"), irc("bob"), "see https://example.org/a.png", "$1")
    file = Attached("image", "a.png", 1, "image/png", "mxc://hs/a", 1, 1)
    item = Owed("d", room, event, attached=file)
    (shown,) = network.render([item])
    network._rooms.encrypt(joined, {})
    (sealed,) = network.render([item])
    assert "mxc://hs/a" in shown.payload
    assert "mxc://hs/a" not in sealed.payload
    assert "https://example.org/a.png" in sealed.payload
