"""Verification by comparing emoji (bridge.matrix.crypto.verification): who may ask, what goes where, and what admins
are told. The side that asks shares no code with ours."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
import vodozemac
from structlog.testing import capture_logs

from bridge.matrix.account import Account
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.rows import SEEDS
from bridge.matrix.crypto.signatures import Pair, is_signed
from bridge.matrix.crypto.verification.verifying import Verifying
from bridge.matrix.crypto.verification.vouching import Vouching
from bridge.matrix.dialect.fields import Json
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room
from bridge.network import News, NoComparison
from tests.fakes.memory import Notebook
from tests.matrix.crypto.asker import Asker
from tests.matrix.crypto.parties import Party
from tests.settings import matrix_settings

_US, _ANN = "@duck:hs", "@ann:hs"
_NOW = 1_000_000.0


class _Server(Homeserver):
    """Shows the keys of devices and people, and keeps what is sent to devices and which signatures are made."""

    def __init__(self) -> None:
        super().__init__("http://localhost", _US)
        self.devices: dict[str, dict[str, Any]] = {}
        self.masters: dict[str, Any] = {}
        self.sent: list[tuple[str, str, str, dict[str, Any]]] = []
        self.signatures: list[Any] = []
        self.trouble: ApiError | None = None

    async def post(self, *path: str, query: Any = None, body: Mapping[str, Any] | None = None) -> Json:
        if self.trouble is not None:
            raise self.trouble
        if path == ("keys", "query"):
            return json.loads(json.dumps({"device_keys": self.devices, "master_keys": self.masters}))  # type: ignore[no-any-return]
        assert path == ("keys", "signatures", "upload")
        self.signatures.append(body)
        return {}

    async def put(self, *path: str, body: Any) -> Json:
        for user, devices in json.loads(body)["messages"].items():
            for device, content in devices.items():
                self.sent.append((path[1].removeprefix("m.key.verification."), user, device, content))
        return {}


class World:
    """The duck's side, and ann's, who asks. `members` may ask."""

    def __init__(self) -> None:
        self.server = _Server()
        self.now = _NOW
        self.members = {_ANN}
        self.news: list[News] = []
        self.said: list[tuple[Room, str, dict[str, Any]]] = []
        self.told: list[Pair] = []
        """The devices for which it was said in rooms."""
        self.parties: dict[tuple[str, str], tuple[Party, SigningKey]] = {}
        self.seeds = [SigningKey.new() for _ in range(3)]

    async def begin(self, *, signed_only: bool = False) -> "World":
        self.duck = await Party(_US, signed_only=signed_only).begin()
        self.duck.rows.put(SEEDS, "", json.dumps([key.seed.hex() for key in self.seeds]))
        settings, patience = matrix_settings("home", "http://localhost", _US), Patience("home", random.Random(1))
        account = Account(settings, self.server, Notebook(), patience)
        keys = Keys("home", self.server, account, patience, self.duck.rows, lambda: self.now)
        keys.machine = self.duck.machine
        self.verifying = Verifying(
            "home",
            account,
            keys,
            Vouching(self.server, account, keys, self.duck.rows),
            self._say,
            clock=lambda: self.now,
            knows=lambda user: user in self.members,
            tell=self.news.append,
        )
        return self

    async def _say(self, room: Room, kind: str, content: Json, _transaction: str, to: Pair) -> None:
        self.told.append(to)
        self.said.append((room, kind.removeprefix("m.key.verification."), json.loads(json.dumps(content))))

    async def asker(self, user: str = _ANN, device: str = "", transaction: str = "t1") -> Asker:
        """Somebody, known to the homeserver, who has cross-signing keys."""
        device = device or user[1:].partition(":")[0].upper()
        if (user, device) not in self.parties:
            self.parties[user, device] = await Party(user, device).begin(), SigningKey.new()
        party, master = self.parties[user, device]
        self.server.devices.setdefault(user, {})[party.device] = party.published["device_keys"]
        self.server.masters[user] = master.published(user, "master")
        keys = {f"ed25519:{party.device}": party.machine.ed25519, f"ed25519:{master.public}": master.public}
        found = Asker(user, party.device, keys, _US)
        found.transaction, found.places = transaction, {"transaction_id": transaction}
        ours = self.seeds[0].public
        found.theirs = {"ed25519:DUCK": self.duck.machine.ed25519, f"ed25519:{ours}": ours}
        return found

    async def hears(self, asker: Asker, kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """What the duck answers to its device; empty if nothing."""
        before = len(self.server.sent)
        self.verifying.hear_device({"type": f"m.key.verification.{kind}", "sender": asker.user, "content": content})
        await self.verifying.work()
        found = self.server.sent[before:]
        assert all(user == asker.user and device in (asker.device, "*") for _, user, device, _ in found)
        assert all(content["transaction_id"] == asker.transaction for *_, content in found)
        return {kind: content for kind, _, _, content in found}

    async def asks(self, asker: Asker, **more: Any) -> dict[str, Any]:
        return await self.hears(asker, "request", asker.request(timestamp=int(self.now * 1000), **more))

    async def shows(self, asker: Asker) -> str:
        """Both come to the emoji; the id of the comparison."""
        ready = await self.asks(asker)
        accept = await self.hears(asker, "start", asker.start(ready["ready"]))
        key = await self.hears(asker, "key", asker.key(accept["accept"]))
        asker.show(key["key"])
        return self.verifying.comparisons()[-1].id

    async def begins_to_answer(self, id_: str) -> asyncio.Task[str]:
        """An admin says yes; the answer comes with the other side's last word."""
        answering = asyncio.create_task(self.verifying.answer(id_, same=True), name="an admin answers")
        await asyncio.sleep(0)
        await self.verifying.work()
        return answering


@pytest.fixture
async def world() -> World:
    return await World().begin()


async def test_a_member_and_an_admin_compare_and_both_accounts_vouch_for_each_other(world: World) -> None:
    ann = await world.asker()
    id_ = await world.shows(ann)
    (comparison,) = world.verifying.comparisons()
    assert (comparison.user, comparison.device, comparison.until) == (_ANN, "ANN", _NOW + 600)
    assert comparison.numbers == tuple(ann.numbers)
    (asked,) = world.news
    assert all(f"{symbol} {name}" in asked.text for symbol, name in comparison.emoji)
    assert " ".join(map(str, ann.numbers)) in asked.text
    assert all(word in asked.text for word in ("@ann:hs (device ANN)", id_, "face to face", "13:56 UTC"))
    said = await world.verifying.answer(id_, same=True)
    assert "has to confirm it, too" in said
    await world.verifying.work()
    ann.check({kind: content for kind, *_, content in world.server.sent}["mac"])
    assert ann.vouched == ann.theirs
    assert "done" in await world.hears(ann, "mac", ann.mac())
    assert world.server.signatures == []
    await world.hears(ann, "done", ann.done())
    (signed,) = world.server.signatures
    (master,) = signed[_ANN].values()
    assert is_signed(master, _US, world.seeds[2].public, world.seeds[2].public)
    assert (world.news[1].text, len(world.news)) == (
        "Verification with @ann:hs (device ANN): done. They see the bridge as verified, and the bridge's account"
        " vouches for them, too.",
        2,
    )
    assert world.verifying.comparisons() == []
    with pytest.raises(NoComparison):
        await world.verifying.answer(id_, same=True)


async def test_a_device_that_its_owner_has_not_signed_is_verified_also_where_only_signed_ones_are_believed() -> None:
    world = await World().begin(signed_only=True)
    own = await world.asker(_US, "PHONE", "t2")
    for asker in (await world.asker(), own):
        await world.begins_to_answer(await world.shows(asker))
        await world.hears(asker, "mac", asker.mac())
        await world.hears(asker, "done", asker.done())
        assert ": done. They see the bridge as verified" in world.news[-1].text
    assert [[*signed] for signed in world.server.signatures] == [[_ANN], [_US]]
    assert not world.duck.machine.devices.is_signed((_ANN, "ANN"))


async def test_in_a_room_all_goes_there_and_refers_to_the_request(world: World) -> None:
    ann = await world.asker(transaction="$ask")
    ann.places = {"m.relates_to": {"rel_type": "m.reference", "event_id": "$ask"}}
    room = JoinedRoom("!pond:hs", Room("home", "#pond:hs"))

    async def hears(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
        event = {"sender": _ANN, "origin_server_ts": int(world.now * 1000), "content": content}
        event |= {"event_id": "$ask" if kind == "request" else "$x"}
        event |= {"type": "m.room.message" if kind == "request" else f"m.key.verification.{kind}"}
        before = len(world.said)
        world.verifying.hear_room(room, event)
        await world.verifying.work()
        assert all(content["m.relates_to"] == ann.places["m.relates_to"] for _, _, content in world.said[before:])
        assert all(place == room.room for place, _, _ in world.said)
        assert {*world.told} <= {(_ANN, "ANN")}
        return {kind: content for _, kind, content in world.said[before:]}

    asked = {"msgtype": "m.key.verification.request", "body": "x", "from_device": "ANN", "methods": ["m.sas.v1"]}
    assert await hears("request", asked | {"to": "@bob:hs"}) == {}
    ready = await hears("request", asked | {"to": _US})
    accept = await hears("start", ann.start(ready["ready"]))
    ann.show((await hears("key", ann.key(accept["accept"])))["key"])
    assert await hears("mac", ann.mac()) == {}
    (comparison,) = world.verifying.comparisons()
    assert comparison.numbers == tuple(ann.numbers)
    before = len(world.said)
    answering = await world.begins_to_answer(comparison.id)
    assert [kind for _, kind, _ in world.said[before:]] == ["mac", "done"]
    ann.check(world.said[before][2])
    await hears("done", ann.done())
    assert (await answering).endswith("vouches for them, too.")
    assert len(world.server.signatures) == 1
    assert world.server.sent == []


async def test_what_others_say_to_each_other_in_a_room_is_left_alone(world: World) -> None:
    room = JoinedRoom("!pond:hs", Room("home", "#pond:hs"))
    relates = {"rel_type": "m.reference", "event_id": "$theirs"}
    for kind in ("ready", "start", "accept", "key", "mac", "done", "cancel"):
        content = {"m.relates_to": relates, "from_device": "ANN"}
        world.verifying.hear_room(room, {"type": f"m.key.verification.{kind}", "sender": _ANN, "content": content})
    await world.verifying.work()
    assert (world.said, world.server.sent) == ([], [])


async def test_a_no_is_told_to_their_client_and_to_all_admins(world: World) -> None:
    ann = await world.asker()
    said = await world.verifying.answer(await world.shows(ann), same=False)
    await world.verifying.work()
    assert "not the same" in said
    assert world.news[-1].text == said
    assert [(kind, content.get("code")) for kind, *_, content in world.server.sent][-1] == (
        "cancel",
        "m.mismatched_sas",
    )
    assert await world.hears(ann, "mac", ann.mac()) == {}
    assert await world.asks(ann) == {}  # it comes again
    assert world.server.signatures == []


async def test_after_ten_minutes_it_is_over(world: World) -> None:
    ann = await world.asker()
    id_ = await world.shows(ann)
    world.now += 600
    assert world.verifying.comparisons() == []
    with pytest.raises(NoComparison):
        await world.verifying.answer(id_, same=True)
    await world.verifying.work()
    assert world.server.sent[-1][3]["code"] == "m.timeout"
    assert "not finished in time" in world.news[-1].text


async def test_their_cancellation_is_told_only_if_admins_had_been_asked(world: World) -> None:
    ann = await world.asker()
    await world.asks(ann)
    assert await world.hears(ann, "cancel", {"code": "m.user", **ann.places}) == {}
    assert world.news == []
    other = await world.asker(transaction="t2")
    await world.shows(other)
    await world.hears(other, "cancel", {"code": "m.mismatched_sas", **other.places})
    assert "they say that the emoji are not the same" in world.news[-1].text
    assert world.verifying.comparisons() == []


async def test_a_stranger_is_refused_in_words_and_only_a_few_times(world: World) -> None:
    eve = await world.asker("@eve:hs")
    told = [await world.asks(eve) for _ in range(10)]
    assert [bool(each) for each in told] == [True] * 3 + [False] * 7
    assert told[0]["cancel"]["code"] == "m.user"
    assert "members" in told[0]["cancel"]["reason"]
    assert await world.hears(eve, "start", eve.start({"methods": ["m.sas.v1"], "from_device": "DUCK"})) == {}
    world.now += 60
    assert "cancel" in await world.asks(eve)


async def test_another_client_of_our_own_account_may_ask_and_its_device_is_signed(world: World) -> None:
    world.members.clear()
    other = await world.asker(_US, "LAPTOP")
    other.keys = {"ed25519:LAPTOP": other.keys["ed25519:LAPTOP"]}
    id_ = await world.shows(other)
    assert "Another client of the bridge's own account (device LAPTOP)" in world.news[0].text
    await world.hears(other, "mac", other.mac())
    answering = await world.begins_to_answer(id_)
    await world.hears(other, "done", other.done())
    assert "done" in await answering
    (signed,) = world.server.signatures
    assert is_signed(signed[_US]["LAPTOP"], _US, world.seeds[1].public, world.seeds[1].public)


async def test_a_person_may_ask_five_times_an_hour(world: World) -> None:
    for number in range(6):
        ann = await world.asker(transaction=f"t{number}")
        found = await world.asks(ann)
        if number < 5:
            assert "ready" in found
            await world.hears(ann, "cancel", {"code": "m.user", **ann.places})
    assert "often" in found["cancel"]["reason"]
    world.now += 3600
    assert "ready" in await world.asks(await world.asker(transaction="t9"))


async def test_five_people_at_a_time(world: World) -> None:
    for number in range(6):
        user = f"@p{number}:hs"
        world.members.add(user)
        found = await world.asks(await world.asker(user))
    assert "ten minutes" in found["cancel"]["reason"]


async def test_who_begins_a_second_one_begins_again_with_none(world: World) -> None:
    ann = await world.asker()
    await world.shows(ann)
    other = await world.asker(transaction="t2")
    request = other.request(timestamp=int(_NOW * 1000))
    world.verifying.hear_device({"type": "m.key.verification.request", "sender": _ANN, "content": request})
    await world.verifying.work()
    cancelled = [content["transaction_id"] for kind, *_, content in world.server.sent if kind == "cancel"]
    assert cancelled == ["t1", "t2"]
    assert world.verifying.comparisons() == []


async def test_what_comes_twice_or_too_late_or_too_early_is_left_alone(world: World) -> None:
    ann = await world.asker()
    assert "ready" in await world.asks(ann)
    assert await world.asks(ann) == {}
    late = await world.asker(transaction="t2")
    for time in (_NOW - 601, _NOW + 301):
        assert await world.hears(late, "request", late.request(timestamp=int(time * 1000))) == {}
    for odd in ({"from_device": ""}, {"from_device": 7}, {"from_device": "x" * 300}, {"transaction_id": ""}):
        assert await world.asks(late, **odd) == {}
    assert await world.hears(ann, "start", ann.start({"methods": ["m.sas.v1"], "from_device": "DUCK"}))


async def test_a_message_of_a_comparison_that_nobody_has_begun_is_refused(world: World) -> None:
    ann = await world.asker()
    for kind in ("cancel", "done"):
        assert await world.hears(ann, kind, {**ann.places}) == {}
    assert (await world.hears(ann, "key", {"key": "x", **ann.places}))["cancel"]["code"] == "m.unknown_transaction"


async def test_another_user_cannot_take_part_under_the_same_id(world: World) -> None:
    world.members.add("@eve:hs")
    ann, eve = await world.asker(), await world.asker("@eve:hs")
    ready = await world.asks(ann)
    start = ann.start(ready["ready"])
    assert (await world.hears(eve, "start", start | {"from_device": "EVE"}))["cancel"]["code"] == (
        "m.unknown_transaction"
    )
    assert "accept" in await world.hears(ann, "start", start)
    assert "ready" in await world.asks(eve)


async def test_a_device_that_the_homeserver_does_not_show_or_shows_with_other_keys_is_refused(world: World) -> None:
    ann = await world.asker()
    assert (await world.asks(ann, from_device="ANN"))["ready"]
    await world.hears(ann, "cancel", {"code": "m.user", **ann.places})
    world.parties.clear()
    other = await world.asker(transaction="t2")  # ann's device, with new keys
    assert (await world.asks(other))["cancel"]["code"] == "m.key_mismatch"
    world.server.devices.clear()
    world.verifying.hear_device(
        {
            "type": "m.key.verification.request",
            "sender": _ANN,
            "content": ann.request(transaction_id="t3", timestamp=int(_NOW * 1000)),
        }
    )
    await world.verifying.work()
    assert world.server.sent[-1][3]["code"] == "m.key_mismatch"


async def test_a_device_named_like_the_master_key_is_refused(world: World) -> None:
    key = vodozemac.Account().ed25519_key.to_base64()
    ann = await world.asker(device=key)
    world.server.masters[_ANN] = {"user_id": _ANN, "usage": ["master"], "keys": {f"ed25519:{key}": key}}
    assert (await world.asks(ann))["cancel"]["code"] == "m.key_mismatch"


@pytest.mark.parametrize("lack", ["seeds", "master", "answer"])
async def test_who_cannot_be_signed_is_verified_all_the_same(world: World, lack: str) -> None:
    ann = await world.asker()
    if lack == "master":
        ann.keys = {"ed25519:ANN": ann.keys["ed25519:ANN"]}
    if lack == "seeds":
        world.duck.rows.put(SEEDS, "", None)
        ann.theirs = {"ed25519:DUCK": world.duck.machine.ed25519}
    id_ = await world.shows(ann)
    await world.verifying.answer(id_, same=True)
    await world.hears(ann, "mac", ann.mac())
    world.server.trouble = ApiError(500, "M_UNKNOWN", "broken") if lack == "answer" else None
    with capture_logs():
        await world.hears(ann, "done", ann.done())
    assert world.news[-1].text.endswith("done. They see the bridge as verified.")
    assert world.server.signatures == []


async def test_a_homeserver_in_trouble_is_no_trouble(world: World) -> None:
    ann = await world.asker()
    world.server.trouble = ApiError(500, "M_UNKNOWN", "broken")
    with capture_logs() as logs:
        assert await world.asks(ann) == {}
    assert [line["event"] for line in logs] == ["verification_not_answered"]
    world.server.trouble = None
    assert "ready" in await world.asks(ann)
