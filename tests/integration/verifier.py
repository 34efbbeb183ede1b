"""A person on Matrix who verifies the bridge by comparing emoji, with cross-signing keys: nio, and none of our code."""

import asyncio
import json
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nio.event_builders import ToDeviceMessage

from tests.integration.sealed import SealedPerson
from tests.matrix.crypto.asker import Asker, Content

_PATIENCE = 20.0
_KIND = "m.key.verification."
_KEYS = ("master", "self_signing", "user_signing")


class Verifier(SealedPerson):
    """On entering the context, it has published its cross-signing keys. `other` is the bridge's user id."""

    def __init__(self, url: str, name: str, folder: Path, other: str) -> None:
        super().__init__(url, name, folder)
        self.other = other
        self.room = ""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        olm = self.client.olm
        assert olm is not None
        olm.handle_key_verification = lambda _: None  # its own flow is older
        self._secrets = {kind: Ed25519PrivateKey.generate() for kind in _KEYS}
        await self._publish()
        return self

    @property
    def master(self) -> str:
        return _public(self._secrets["master"])

    async def http(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.client.access_token}", "Content-Type": "application/json"}
        answer = await self.client.send(method, f"/_matrix/client/v3/{path}", json.dumps(body), headers)
        found: dict[str, Any] = await answer.json()
        assert answer.status == 200, found
        return found

    async def published(self, user: str) -> dict[str, Any]:
        """The keys of somebody, as the homeserver shows them to us."""
        return await self.http("POST", "keys/query", {"device_keys": {user: []}})

    async def ask(self, room: str = "") -> None:
        """Ask the bridge to compare, in a room or (empty) its device."""
        olm = self.client.olm
        assert olm is not None
        keys = {f"ed25519:{self.client.device_id}": olm.account.identity_keys["ed25519"]}
        keys |= {f"ed25519:{self.master}": self.master}
        self.asker = Asker(self.user_id, self.client.device_id, keys, self.other)
        shown = await self.published(self.other)
        for device, each in shown["device_keys"][self.other].items():
            self.asker.theirs[f"ed25519:{device}"] = each["keys"][f"ed25519:{device}"]
        self.asker.theirs |= shown["master_keys"][self.other]["keys"]
        self.room = room
        if room:
            said: Content = {"msgtype": f"{_KIND}request", "body": "wants to verify", "to": self.other}
            self.asker.transaction = await self.put(room, "m.room.message", self.asker.request(**said))
            relates = {"rel_type": "m.reference", "event_id": self.asker.transaction}
            self.asker.places = {"m.relates_to": relates}
        else:
            self.asker.transaction = uuid.uuid4().hex
            self.asker.places = {"transaction_id": self.asker.transaction}
            await self.tell("request", self.asker.request(timestamp=int(time.time() * 1000)))

    async def tell(self, kind: str, content: Content) -> None:
        if self.room:
            await self.put(self.room, f"{_KIND}{kind}", content)
        else:
            to = self.asker.their_device or "*"
            await self.client.to_device(ToDeviceMessage(f"{_KIND}{kind}", self.other, to, content), uuid.uuid4().hex)

    async def told(self, kind: str) -> dict[str, Any]:
        """What the bridge has said of that kind in the comparison."""

        def found() -> dict[str, Any] | None:
            there = self.heard if self.room else self.posted
            ours = (each.source for each in there if each.source.get("sender") == self.other)
            said = (each["content"] for each in ours if each["type"] == f"{_KIND}{kind}")
            return next((content for content in said if _about(content) == self.asker.transaction), None)

        try:
            async with asyncio.timeout(_PATIENCE), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"{kind} was not heard") from None
        content = found()
        assert content is not None
        return content

    async def compare(self, room: str = "") -> str:
        """Come to the numbers, as this side shows them."""
        await self.ask(room)
        await self.tell("start", self.asker.start(await self.told("ready")))
        await self.tell("key", self.asker.key(await self.told("accept")))
        self.asker.show(await self.told("key"))
        return " ".join(map(str, self.asker.numbers))

    async def vouch(self) -> None:
        """Say that the emoji are the same."""
        await self.tell("mac", self.asker.mac())

    async def end(self) -> None:
        """Check what vouches for the bridge's keys, and be done."""
        self.asker.check(await self.told("mac"))
        await self.told("done")
        await self.tell("done", self.asker.done())

    async def _publish(self) -> None:
        body = {f"{kind}_key": self._described(kind) for kind in _KEYS}
        for kind in _KEYS[1:]:
            text = json.dumps(body[f"{kind}_key"], sort_keys=True, separators=(",", ":")).encode()
            signature = _text(self._secrets["master"].sign(text))
            body[f"{kind}_key"]["signatures"] = {self.user_id: {f"ed25519:{self.master}": signature}}
        await self.http("POST", "keys/device_signing/upload", body)

    def _described(self, kind: str) -> dict[str, Any]:
        key = _public(self._secrets[kind])
        return {"user_id": self.user_id, "usage": [kind], "keys": {f"ed25519:{key}": key}}


def _about(content: Mapping[str, Any]) -> object:
    return content.get("transaction_id") or content.get("m.relates_to", {}).get("event_id")


def _public(secret: Ed25519PrivateKey) -> str:
    return _text(secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _text(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")
