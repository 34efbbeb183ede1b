"""Somebody on Matrix whose client encrypts, on vodozemac alone: each ratchet is checked as another client would."""

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import vodozemac

from bridge.matrix.crypto.signatures import canonical
from tests.simulation.sealed.server import ONE_TIME, SEALED, US, Json, Server

_OLM, _MEGOLM = "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"
_KEYS = 40  # one-time keys: more than are ever claimed here
_EACH = 3  # messages with one key: keys are exchanged often
_LATE = 0.3  # how likely the key of a message comes after it
_AGAIN = 0.3  # how likely a new Olm session is begun


@dataclass(frozen=True, slots=True)
class Saying:
    """What somebody said, and to which devices of ours (by their Curve25519 keys)."""

    room_id: str
    id: str
    text: str
    devices: frozenset[str]


class Person:
    """`unread`: events of ours that could not be opened yet. `complaints`: what was wrong with our ratchets."""

    def __init__(self, name: str, server: Server) -> None:
        self.user, self._device = f"@{name}:hs", name.upper()
        self.complaints: list[str] = []
        self.said: list[Saying] = []
        self.read: list[tuple[str, str]] = []
        """Rooms and texts of what we said, in order."""
        self._unread: list[tuple[str, Json]] = []
        self._server = server
        self._rng = server.weather.rng
        self._account = vodozemac.Account()
        self._olm: dict[str, list[Any]] = {}
        self._inbound: dict[str, Any] = {}
        self._steps: dict[tuple[str, int], str] = {}
        self._outbound: dict[str, Any] = {}
        self._shared: dict[str, set[str]] = {}
        self._curve = self._account.curve25519_key.to_base64()
        server.publish(self.user, self._device, self._published())
        server.heard.append(self._hears)

    # Speaking

    async def say(self, room_id: str, text: str) -> None:
        """Seal `text` for all of our devices that there are now. The key may come late."""
        group = self._outbound.get(room_id)
        if group is None or group.message_index >= _EACH:
            group = self._outbound[room_id] = vodozemac.GroupSession()
            self._shared[room_id] = set()
        key = group.session_key.to_base64()
        there = self._server.query([US])["device_keys"][US]
        new = [name for name in there if _key_of(there, name) not in self._shared[room_id]]
        self._shared[room_id].update(_key_of(there, name) for name in new)
        plain = {"type": "m.room.message", "content": {"msgtype": "m.text", "body": text}, "room_id": room_id}
        sealed = group.encrypt(json.dumps(plain).encode()).to_base64()
        content = {"algorithm": _MEGOLM, "ciphertext": sealed, "session_id": group.session_id}
        is_late = self._rng.random() < _LATE
        if not is_late:
            self._give(room_id, group.session_id, key, new, there)
        event = self._server.say(room_id, self.user, SEALED, content)
        self.said.append(Saying(room_id, event, text, frozenset(self._shared[room_id])))
        if is_late:
            await asyncio.sleep(self._rng.uniform(0.1, 8.0))
            self._give(room_id, group.session_id, key, new, there)

    def _give(self, room_id: str, session_id: str, key: str, devices: list[str], there: Json) -> None:
        for name in devices:
            keys = there[name]["keys"]
            content = {"algorithm": _MEGOLM, "room_id": room_id, "session_id": session_id, "session_key": key}
            curve, ed = keys[f"curve25519:{name}"], keys[f"ed25519:{name}"]
            if (message := self._to_device(name, curve, ed, "m.room_key", content)) is not None:
                self._server.post_mail(self.user, US, name, SEALED, message)

    def _to_device(self, name: str, curve: str, ed: str, kind: str, content: Json) -> Json | None:
        sessions = self._olm.setdefault(curve, [])
        if not sessions or self._rng.random() < _AGAIN:
            claimed = self._server.claim({US: [name]})["one_time_keys"].get(US, {}).get(name)
            if not claimed and not sessions:
                return None
            for key in (claimed or {}).values():
                sessions.append(self._account.create_outbound_session(_curve(curve), _curve(key["key"])))
        plain = {
            "type": kind,
            "content": content,
            "sender": self.user,
            "sender_device": self._device,
            "recipient": US,
            "recipient_keys": {"ed25519": ed},
            "keys": {"ed25519": self._account.ed25519_key.to_base64()},
        }
        number, body = sessions[-1].encrypt(json.dumps(plain).encode()).to_parts()
        ciphertext = {curve: {"type": number, "body": _unpadded(body)}}
        return {"algorithm": _OLM, "sender_key": self._curve, "ciphertext": ciphertext}

    # Hearing

    def _hears(self, room_id: str, event: Json) -> None:
        """Mail is read first: what we say comes after its key."""
        if event["sender"] != US or "state_key" in event or self.user not in self._server.rooms[room_id].members:
            return
        if event["type"] != SEALED:
            self.complaints.append(f"in plain in {room_id}: {event['type']}")
            return
        self._unread.append((room_id, event))
        self.look()

    def look(self) -> None:
        """Read the mail, and what waits for a key."""
        place = self._server.devices[self.user][self._device]
        mail, place.mail = place.mail, []
        for _, event in mail:
            if event["type"] == SEALED:
                self._open(event["content"])
        waiting, self._unread = self._unread, []
        for room_id, event in waiting:
            if event["content"]["session_id"] not in self._inbound:
                self._unread.append((room_id, event))
            else:
                self._read(room_id, event)

    def unreadable(self) -> Iterator[str]:
        self.look()
        yield from (f"{self.user} has no key for {event['event_id']} in {room_id}" for room_id, event in self._unread)

    def _open(self, content: Json) -> None:
        sender, mine = content["sender_key"], content["ciphertext"].get(self._curve)
        if mine is None:
            self.complaints.append(f"mail for another device than {self._device}")
            return
        try:
            plain = json.loads(self._opened(sender, mine))
        except vodozemac.OlmDecryptionException as error:
            self.complaints.append(f"{self.user} refuses an Olm message, a step may have been used twice: {error}")
            return
        if plain["type"] == "m.room_key":
            key = plain["content"]
            self._inbound.setdefault(
                key["session_id"], vodozemac.InboundGroupSession(vodozemac.SessionKey(key["session_key"]))
            )

    def _opened(self, sender: str, mine: Json) -> bytes:
        sessions = self._olm.setdefault(sender, [])
        message = vodozemac.AnyOlmMessage.from_parts(mine["type"], _padded(mine["body"]))
        if mine["type"] == 0:
            pre_key = vodozemac.PreKeyMessage.from_base64(mine["body"])
            for session in sessions:
                if session.session_matches(pre_key):
                    return bytes(session.decrypt(message))
            session, plain = self._account.create_inbound_session(_curve(sender), pre_key)
            sessions.append(session)
            return bytes(plain)
        for session in sessions:
            try:
                return bytes(session.decrypt(message))
            except vodozemac.OlmDecryptionException:
                continue
        raise vodozemac.OlmDecryptionException("no session opens it")

    def _read(self, room_id: str, event: Json) -> None:
        content = event["content"]
        message = vodozemac.MegolmMessage.from_base64(content["ciphertext"])
        try:
            opened = self._inbound[content["session_id"]].decrypt(message)
        except vodozemac.MegolmDecryptionException as error:
            self.complaints.append(f"{self.user} cannot read {event['event_id']} in {room_id}: {error}")
            return
        step = content["session_id"], opened.message_index
        if self._steps.setdefault(step, content["ciphertext"]) != content["ciphertext"]:
            self.complaints.append(f"step {step[1]} of a room key is used twice")
        plain = json.loads(opened.plaintext)
        if plain["room_id"] != room_id:
            self.complaints.append("sealed for another room")
        self.read.append((room_id, plain["content"]["body"]))

    def _published(self) -> Json:
        self._account.generate_one_time_keys(_KEYS)
        ed = self._account.ed25519_key.to_base64()
        keys = {f"curve25519:{self._device}": self._curve, f"ed25519:{self._device}": ed}
        device = {"user_id": self.user, "device_id": self._device, "algorithms": [_OLM, _MEGOLM], "keys": keys}
        one_time = {
            f"{ONE_TIME}:{name}": self._sign({"key": key.to_base64()})
            for name, key in self._account.one_time_keys.items()
        }
        self._account.mark_keys_as_published()
        return {"device_keys": self._sign(device), "one_time_keys": one_time}

    def _sign(self, signed: Json) -> Json:
        signature = self._account.sign(canonical(signed)).to_base64()
        return {**signed, "signatures": {self.user: {f"ed25519:{self._device}": signature}}}


def _key_of(there: Json, name: str) -> str:
    """The Curve25519 key of a device in an answer to /keys/query."""
    return str(there[name]["keys"][f"curve25519:{name}"])


def _curve(key: str) -> Any:
    return vodozemac.Curve25519PublicKey.from_base64(key)


def _unpadded(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _padded(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
