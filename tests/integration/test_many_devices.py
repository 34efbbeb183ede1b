"""An encrypted room in which people have hundreds of devices."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import vodozemac
from aiohttp import web

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from tests.faults.http import Ask, HttpProxy
from tests.integration import heartbeat
from tests.integration.daemon import write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.servers import Anope, unique
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers

_EACH = 10
"""Devices of each."""
_AT_ONCE = 8
_TO_DEVICE = json.dumps({"room": {"rooms": []}, "presence": {"types": []}, "account_data": {"types": []}})
_ALGORITHM = {"algorithm": "m.megolm.v1.aes-sha2"}
_OLM, _KEY = "m.olm.v1.curve25519-aes-sha2", "signed_curve25519"


@dataclass
class _Device:
    """A device with keys, and no client: vodozemac alone."""

    http: aiohttp.ClientSession
    user: str
    id: str
    token: str
    account: vodozemac.Account

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.request(
            method, f"/_matrix/client/v3/{path}", json=body, headers=headers, params=query
        ) as answer:
            return dict(await answer.json())

    async def publish(self) -> None:
        """Give the homeserver the device's keys and one one-time key."""
        keys = {
            f"curve25519:{self.id}": self.account.curve25519_key.to_base64(),
            f"ed25519:{self.id}": self.account.ed25519_key.to_base64(),
        }
        device = {
            "algorithms": [_OLM, _ALGORITHM["algorithm"]],
            "device_id": self.id,
            "keys": keys,
            "user_id": self.user,
        }
        self.account.generate_one_time_keys(1)
        ((key_id, key),) = self.account.one_time_keys.items()
        self.account.mark_keys_as_published()
        one_time = {f"{_KEY}:{key_id}": self._signed({"key": key.to_base64()})}
        await self.call("POST", "keys/upload", {"device_keys": self._signed(device), "one_time_keys": one_time})

    def _signed(self, content: Mapping[str, Any]) -> dict[str, Any]:
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        signature = self.account.sign(canonical.encode()).to_base64()
        return {**content, "signatures": {self.user: {f"ed25519:{self.id}": signature}}}

    async def room_key(self) -> dict[str, Any]:
        """The one room key that was sent to this device."""
        found = await self.call("GET", "sync", filter=_TO_DEVICE, timeout="0")
        (event,) = (each for each in found["to_device"]["events"] if each["type"] == "m.room.encrypted")
        sealed = event["content"]["ciphertext"][self.account.curve25519_key.to_base64()]
        message = vodozemac.PreKeyMessage.from_base64(sealed["body"])
        sender = vodozemac.Curve25519PublicKey.from_base64(event["content"]["sender_key"])
        _, plain = self.account.create_inbound_session(sender, message)
        opened = json.loads(plain)
        assert opened["recipient"] == self.user
        return dict(opened["content"])


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


async def _crowd(pond: Pond, http: aiohttp.ClientSession, room: str, people: int) -> list[_Device]:
    few = asyncio.Semaphore(_AT_ONCE)

    async def come() -> list[_Device]:
        async with few:
            return await _person(pond, http, room)

    return [device for person in await asyncio.gather(*(come() for _ in range(people))) for device in person]


async def _sealed(person: MatrixPerson, room: str, user: str) -> dict[str, Any]:
    """The content of the first sealed event of `user`, once it is there."""

    async def found() -> dict[str, Any] | None:
        page = await person.call("GET", f"rooms/{quote(room, safe='')}/messages", dir="b", limit="10")
        there = (
            each["content"] for each in page["chunk"] if (each["type"], each["sender"]) == ("m.room.encrypted", user)
        )
        return next(there, None)

    await eventually(lambda: _is_there(found))
    content = await found()
    assert content is not None
    return content


async def _is_there(found: Callable[[], Awaitable[object]]) -> bool:
    return await found() is not None


async def _person(pond: Pond, http: aiohttp.ClientSession, room: str) -> list[_Device]:
    """Somebody in the room, and all their devices."""
    user = await pond.synapse.register(unique("crowd"), PASSWORD)
    login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": user}, "password": PASSWORD}
    found = []
    for _ in range(_EACH):
        async with http.post("/_matrix/client/v3/login", json=login) as answer:
            made = await answer.json()
        device = _Device(http, user, made["device_id"], made["access_token"], vodozemac.Account())
        await device.publish()
        found.append(device)
    await found[0].call("POST", f"join/{quote(room, safe='')}", {})
    return found


class _Recorded:
    """What goes to devices on its way to the homeserver: how many requests, and to how many devices."""

    def __init__(self, way: HttpProxy) -> None:
        self.devices: Counter[tuple[str, str]] = Counter()
        self.requests = 0
        way.spoil("/sendToDevice/m.room.encrypted/", self._note, times=10**6)

    async def _note(self, request: web.Request, ask: Ask) -> web.Response:
        self.requests += 1
        for user, devices in json.loads(await request.read())["messages"].items():
            self.devices.update((user, device) for device in devices)
        return await ask()


@pytest.mark.parametrize("people", [6, pytest.param(30, marks=pytest.mark.long)])
async def test_the_key_of_a_room_reaches_hundreds_of_devices_in_a_few_requests(pond: Pond, people: int) -> None:
    async with (
        HttpProxy(pond.synapse.url) as way,
        aiohttp.ClientSession(pond.synapse.url, raise_for_status=True) as http,
        MatrixPerson(pond.synapse.url, pond.alice) as alice,
        pond.person(pond.bob, sasl=(pond.bob, PASSWORD)) as bob,
    ):
        await bob.join(pond.channel)
        place = await alice.room_id(pond.room)
        await alice.call("PUT", f"rooms/{quote(place, safe='')}/state/m.room.encryption", _ALGORITHM)
        crowd = await _crowd(pond, http, place, people)
        networks: Any = pond.config["networks"]
        networks["home"]["homeserver"] = way.url
        write_config(pond.folder, pond.config, {"home": PASSWORD})
        sent = _Recorded(way)
        async with pond.daemon(heartbeat.BEFORE) as daemon:
            await daemon.ready()
            before = [*daemon.log]
            await bob.say(pond.channel, "good evening, everybody")
            event = await _sealed(alice, place, pond.duck_id)
            await daemon.logged("loop_blocked", lambda line: line not in before)
            for line in daemon.log[len(before) :]:
                if line["event"] == "loop_blocked":
                    print(line)  # noqa: T201  (machines are shared: no test is about time)
        assert sent.devices == Counter((each.user, each.id) for each in crowd)
        assert sent.requests <= math.ceil(len(crowd) / 50)
        assert len([each for each in way.asked if "/keys/claim" in each]) <= math.ceil(len(crowd) / 50)
        keys = await asyncio.gather(*(each.room_key() for each in crowd))
        session = event["session_id"]
        assert {each["session_id"] for each in keys} == {session}
        opened = vodozemac.InboundGroupSession(vodozemac.SessionKey(keys[0]["session_key"]))
        assert (
            b"good evening, everybody"
            in opened.decrypt(vodozemac.MegolmMessage.from_base64(event["ciphertext"])).plaintext
        )
