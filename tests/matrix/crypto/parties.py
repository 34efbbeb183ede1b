"""Devices that encrypt, each with a machine of its own, and a made-up homeserver's key directory between them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.signatures import ALGORITHM, Pair, devices
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.rooms.encrypted import Period
from tests.fakes.memory import Notebook

ROOM = "!pond:hs"


@dataclass
class Party:
    """A device of `user`. `again` is the same device after a restart, with what was stored. `signed_only`: as the
    machine's."""

    user: str
    device: str = ""
    memory: Notebook = field(default_factory=Notebook)
    signed_only: bool = False
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.device = self.device or self.user[1:].partition(":")[0].upper()

    async def begin(self) -> "Party":
        self.rows = Rows(self.memory)
        await self.rows.load()
        self.machine = Machine(self.user, self.device, self.rows, signed_only=self.signed_only, clock=lambda: self.now)
        if self.machine.is_new:
            body = self.machine.upload(0, fallback=True)
            assert body is not None
            self.published: dict[str, Any] = json.loads(json.dumps(body))
            self.machine.uploaded()
        return self

    async def again(self) -> "Party":
        found = await Party(self.user, self.device, self.memory).begin()
        found.published = self.published
        return found

    def sign(self, *others: "Party") -> dict[str, Any]:
        """What /keys/query tells once this user has made cross-signing keys, and signed their devices with them."""
        master, own = SigningKey.new(), SigningKey.new()
        for party in (self, *others):
            party.published["device_keys"] = own.sign(self.user, party.published["device_keys"])
        return {
            "master_keys": {self.user: master.published(self.user, "master")},
            "self_signing_keys": {self.user: master.sign(self.user, own.published(self.user, "self_signing"))},
        }

    @property
    def pair(self) -> Pair:
        return (self.user, self.device)

    def learn(self, *others: "Party", signing: Json | None = None) -> None:
        """Know the devices of others, as /keys/query tells them, with their cross-signing keys."""
        for user in {other.user for other in others}:
            there = {other.device: other.published["device_keys"] for other in others if other.user == user}
            self.machine.devices.learn(user, devices({"device_keys": {user: there}, **(signing or {})}, user))

    def give_key(self, *others: "Party", room: str = ROOM, period: Period | None = None) -> list[Json]:
        """Share the key of a room with others; the to-device events that they get."""
        self.learn(*others)
        lacking = self.machine.outbound.begin(room, [other.pair for other in others], period or Period(), 0.0)
        for other in others:
            if self.machine.unmet([other.pair]):
                keys = other.published["one_time_keys"]
                key_id = next(iter(keys))
                assert self.machine.claimed(other.user, other.device, {key_id: keys.pop(key_id)})
        events: list[Json] = []
        for pairs, body in self.machine.outbound.share(room, lacking):
            self.machine.outbound.shared(room, pairs)
            for user, device in sorted(pairs):
                content = table(body, "messages", user, device)
                events.append({"type": "m.room.encrypted", "sender": self.user, "content": content})
        return events

    def forward(self, other: "Party", session_id: str, of: "Party", *, room: str = ROOM) -> Json:
        """Give `other` the key of a message of `of` that we have, as the answer to a request for it."""
        olm = self.machine._olm
        key = olm.inbound_group_store.get(room, of.machine.curve25519, session_id)
        device = olm.device_store[other.user][other.device]
        session = olm.session_store.get(device.curve25519)
        message = olm._encrypt_forwarding_key(room, key, session, device)
        return {"type": "m.room.encrypted", "sender": self.user, "content": message.content}

    def claim(self, other: "Party", of: "Party", *, room: str = ROOM) -> Json:
        """Give `other` the key for what `of` says next in the room as if it were our own."""
        self.give_key(other, room=room)
        olm, theirs = self.machine._olm, of.machine._olm.outbound_group_sessions[room]
        device = olm.device_store[other.user][other.device]
        content = {"algorithm": ALGORITHM, "room_id": room, "session_id": theirs.id, "session_key": theirs.session_key}
        session = olm.session_store.get(device.curve25519)
        sealed = olm._olm_encrypt(session, device, "m.room_key", content)
        return {"type": "m.room.encrypted", "sender": self.user, "content": sealed}

    def say(self, text: str, event_id: str = "$1", *, room: str = ROOM, **more: object) -> dict[str, Any]:
        """A sealed event."""
        content = self.machine.outbound.seal(room, "m.room.message", {"msgtype": "m.text", "body": text, **more})
        return {"type": "m.room.encrypted", "sender": self.user, "event_id": event_id, "content": content}

    def hear(self, events: list[Json]) -> list[Pair | None]:
        return [self.machine.hear(event) for event in events]

    def read(self, event: Mapping[str, object], *, room: str = ROOM) -> str:
        """What is said in a sealed event."""
        return str(table(self.machine.inbound.open(room, event), "content")["body"])


async def two() -> tuple[Party, Party]:
    """Ann and the duck, who has ann's key for the room and knows her device."""
    ann, duck = await Party("@ann:hs").begin(), await Party("@duck:hs").begin()
    duck.learn(ann)
    assert duck.hear(ann.give_key(duck)) == [(ROOM, ann.say("first")["content"]["session_id"])]
    return ann, duck
