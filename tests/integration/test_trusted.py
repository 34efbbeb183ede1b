"""Whose devices get keys and are believed, and who is told why, on real servers."""

import json
from pathlib import Path
from typing import Any

import pytest
from nio import UnknownToDeviceEvent

from bridge.demo.servers import Synapse
from bridge.matrix.crypto.account.signing import SigningKey
from tests.integration.daemon import quackbridge, write_config
from tests.integration.pond import PASSWORD, Pond, dug
from tests.integration.sealed import SealedPerson
from tests.integration.servers import Anope
from tests.integration.test_encrypted import _published, both_ways, people
from tests.integration.test_matrix import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
async def pond(tmp_path: Path, synapse: Synapse, services: Anope) -> Pond:
    return await dug(tmp_path, synapse, services)


class CrossSigning:
    """New cross-signing keys of the account of `person`."""

    def __init__(self, person: SealedPerson) -> None:
        self._person = person
        self._user = person.user_id
        self._master, self._own, self._users = SigningKey.new(), SigningKey.new(), SigningKey.new()

    async def publish(self) -> None:
        """Publish them, with the password if the homeserver asks for it, as it does for those that replace others."""
        body: dict[str, Any] = {
            "master_key": self._master.published(self._user, "master"),
            "self_signing_key": self._master.sign(self._user, self._own.published(self._user, "self_signing")),
            "user_signing_key": self._master.sign(self._user, self._users.published(self._user, "user_signing")),
        }
        client = self._person.client
        headers = {"Authorization": f"Bearer {client.access_token}"}
        path = "/_matrix/client/v3/keys/device_signing/upload"
        answer = await (await client.send("POST", path, json.dumps(body), headers)).json()
        if "session" in answer:
            who = {"type": "m.id.user", "user": self._user}
            auth = {"type": "m.login.password", "identifier": who, "password": PASSWORD, "session": answer["session"]}
            answer = await (await client.send("POST", path, json.dumps({**body, "auth": auth}), headers)).json()
        assert answer == {}, answer

    async def sign_device(self) -> None:
        """Sign the device of the person."""
        client = self._person.client
        device = (await _published(self._person, self._user))["device_keys"][self._user][client.device_id]
        plain = {key: value for key, value in device.items() if key not in ("unsigned", "signatures")}
        body = {self._user: {client.device_id: self._own.sign(self._user, plain)}}
        headers = {"Authorization": f"Bearer {client.access_token}"}
        answer = await client.send("POST", "/_matrix/client/v3/keys/signatures/upload", json.dumps(body), headers)
        assert (await answer.json()).get("failures") == {}


async def test_with_trust_in_verified_devices_others_are_told_why_until_their_owner_verifies_them(pond: Pond) -> None:
    networks: Any = pond.config["networks"]
    networks["home"]["trust"] = "cross-signed"
    write_config(pond.folder, pond.config, {"home": PASSWORD})
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        told: list[str] = []
        alice.client.add_to_device_callback(lambda event: told.append(_code(event)), UnknownToDeviceEvent)
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await alice.say(place, "nobody has verified me")
        line = await daemon.logged("not_opened")
        assert "has not verified the device" in line["reason"]
        await bob.say(pond.channel, "can you hear me?")
        await daemon.logged("not_opened")
        await eventually(lambda: _is_in("m.unverified", told))
        keys = CrossSigning(alice)
        await keys.publish()
        await keys.sign_device()
        alice.client.invalidate_outbound_session(place)
        await both_ways(pond, alice, bob, place, "now")
        assert not [message for message in bob.messages if "nobody has verified" in message.text]


async def test_admins_are_told_privately_when_somebodys_identity_changes(pond: Pond) -> None:
    assert quackbridge(pond.folder, "set-role", "alice", "admin").returncode == 0
    async with people(pond) as (alice, bob, place), pond.daemon() as daemon:
        first = CrossSigning(alice)
        await first.publish()
        await daemon.ready()
        await alice.knows(place, pond.duck_id)
        await both_ways(pond, alice, bob, place, "one")
        await CrossSigning(alice).publish()
        await both_ways(pond, alice, bob, place, "two")  # the sync with alice's words tells that her keys changed
        await alice.say(place, "three")  # news go with the next sync, which waits half a minute if nothing is said
        news = await alice.hears("has a new identity on Matrix")
        assert alice.user_id in news.source["content"]["body"]
        assert (await daemon.logged("identity_changed"))["user"] == alice.user_id


async def _is_in(code: str, told: list[str]) -> bool:
    return code in told


def _code(event: Any) -> str:
    return str(event.source.get("content", {}).get("code", ""))
