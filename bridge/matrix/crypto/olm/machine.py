"""Nio's Olm machine for one device of ours: its keys, and what it and other devices send each other."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import vodozemac
from nio.crypto import Olm
from nio.events import ForwardedRoomKeyEvent, RoomKeyEvent
from nio.exceptions import EncryptionError

from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.olm.inbound import Inbound
from bridge.matrix.crypto.olm.known_devices import KnownDevices
from bridge.matrix.crypto.olm.opened import RoomKey
from bridge.matrix.crypto.olm.outbound import Outbound
from bridge.matrix.crypto.olm.spent import DAY_S, UNUSED_DAYS
from bridge.matrix.crypto.olm.store import CryptoStore, NioMachine
from bridge.matrix.crypto.olm.strangers import Strangers
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.signatures import ONE_TIME, Pair, is_signed
from bridge.matrix.dialect.fields import Json, table, word

_SECRET, _DEVICE = "secret", "self"
_KEYS = 25
"""One-time keys at the homeserver, of at most 50, at which there are made more."""
_LIBRARY = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    EncryptionError,
)
"""What nio raises of a message that makes no sense: vodozemac's errors are ValueErrors."""


class Machine:
    """`user` and `device` are our own. `is_new`: no earlier run has made keys for this device. `signed_only`: others'
    devices that their owners have not signed neither get keys nor are believed. `inbound` opens what is said in rooms,
    and `outbound` seals it, for the `devices` that we know."""

    def __init__(
        self,
        user: str,
        device: str,
        rows: Rows,
        *,
        signed_only: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.user = user
        self.device = device
        self.is_new = rows.get(_DEVICE) != device
        if self.is_new:
            rows.clear()
            rows.put(_DEVICE, "", device)
            rows.put(_SECRET, "", secrets.token_hex(32))
        self._clock = clock
        self._store = CryptoStore(rows, rows.get(_SECRET) or "", lambda: int(clock() // DAY_S))
        self._olm: Any = NioMachine(user, device, self._store)
        us = (user, device)
        self.devices = KnownDevices(us, self._olm, self._store, signed_only=signed_only)
        self.inbound = Inbound(us, self._olm, self._store, self.devices)
        self.outbound = Outbound(us, self._olm, self._store)
        self._strangers = Strangers(self._store, self.devices)

    @property
    def curve25519(self) -> str:
        return str(self._olm.account.identity_keys["curve25519"])

    @property
    def ed25519(self) -> str:
        return str(self._olm.account.identity_keys["ed25519"])

    # Our keys at the homeserver

    def unpublish(self) -> None:
        """The homeserver does not have our keys any more."""
        self._olm.account.shared = False
        self._olm.save_account()

    def sign(self, signed: Json) -> dict[str, object]:
        """The object, signed by our device."""
        signature = self._olm.sign_json(dict(signed))
        return {**signed, "signatures": {self.user: {f"ed25519:{self.device}": signature}}}

    def needs_upload(self, number: int | None, *, fallback: bool) -> bool:
        return not self._olm.account.shared or fallback or (number is not None and number <= _KEYS)

    def upload(self, number: int | None, *, fallback: bool) -> Json | None:
        """The body of /keys/upload, if it is needed: there are `number` one-time keys at the homeserver (None: that is
        not known); `fallback`: and no unused fallback key. It has to be stored before it goes out: the homeserver takes
        no other keys under the same names."""
        account, olm = self._olm.account, self._olm
        if not self.needs_upload(number, fallback=fallback):
            return None
        content: dict[str, object] = {}
        if not account.shared or (number is not None and number <= _KEYS):
            olm.uploaded_key_count = number or 0
            content |= olm.share_keys()
        if fallback or not account.shared:
            account._account.generate_fallback_key()
            keys = account._account.fallback_key.items()
            content["fallback_keys"] = {f"{ONE_TIME}:{key_id}": self._fallback(key) for key_id, key in keys}
        olm.save_account()
        return content

    def _fallback(self, key: vodozemac.Curve25519PublicKey) -> Json:
        return self.sign({"key": key.to_base64(), "fallback": True})

    def uploaded(self) -> None:
        """The homeserver has taken the keys."""
        self._olm.account.shared = True
        self._olm.account.mark_keys_as_published()
        self._olm.save_account()

    # Sessions with other devices

    def unmet(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Those of these devices with which there is no session yet."""
        known, sessions = self._olm.device_store, self._olm.session_store
        return [(user, each) for user, each in pairs if sessions.get(known[user][each].curve25519) is None]

    def claimed(self, user: str, device_id: str, keys: Json) -> bool:
        """Begin a session with a device by one of its one-time keys, as /keys/claim gives it; whether it is good."""
        device = self._olm.device_store[user].get(device_id)
        key = next((table(keys, name) for name in keys if name.startswith(f"{ONE_TIME}:")), {})
        if device is None or not is_signed(key, user, device_id, device.ed25519):
            return False
        try:
            session = self._olm.create_session(word(key, "key"), device.curve25519)
        except ValueError:
            return False
        if device in self._olm.wedged_devices:
            self._olm.wedged_devices.remove(device)
            self._olm._queue_dummy_message(session, device)
        return True

    def hear(self, event: Json) -> RoomKey | None:
        """Open an event that was sent to our device. Returns room and session if it had a key of room messages."""
        content = table(event, "content")
        if word(event, "type") != "m.room.encrypted" or word(content, "algorithm") != Olm._olm_algorithm:
            return None
        body = table(content, "ciphertext", self.curve25519)
        try:
            if body.get("type") == 0:
                message: object = vodozemac.PreKeyMessage.from_base64(word(body, "body"))
            else:
                message = vodozemac.AnyOlmMessage.normal(unpadded.decode(word(body, "body")))
            found = self._olm.decrypt(word(event, "sender"), word(content, "sender_key"), message)
        except _LIBRARY:
            return None
        if isinstance(message, vodozemac.PreKeyMessage):
            self._olm.save_account()  # nio saves it too early: the one-time key was still in it
        sender, sender_key = word(event, "sender"), word(content, "sender_key")
        listed = self._olm.device_store.device_from_sender_key(sender, sender_key)
        self._strangers.heard(sender_key, is_listed=listed is not None)
        if not isinstance(found, RoomKeyEvent | ForwardedRoomKeyEvent):
            return None
        if (wanted := self._olm.outgoing_key_requests.pop(found.session_id, None)) is not None:
            self._store.remove_outgoing_key_request(wanted)
        return found.room_id, found.session_id

    @property
    def has_mail(self) -> bool:
        """Whether there is anything to be said to devices: see `wedged` and `outgoing`."""
        return bool(self._olm.wedged_devices or self._olm.outgoing_to_device_messages)

    def wedged(self) -> list[Pair]:
        """Devices whose messages we cannot open: they need a new session, and to be told so."""
        return [(device.user_id, device.id) for device in self._olm.wedged_devices]

    def give_up(self, pairs: Iterable[Pair]) -> None:
        """These get no new session."""
        gone = {*pairs}
        self._olm.wedged_devices = [each for each in self._olm.wedged_devices if (each.user_id, each.id) not in gone]

    def outgoing(self) -> Iterator[tuple[str, Json]]:
        """What has to be sent to devices: types and bodies of /sendToDevice. It is sent once the next one is asked
        for."""
        while self._olm.outgoing_to_device_messages:
            message = self._olm.outgoing_to_device_messages[0]
            yield message.type, {"messages": {message.recipient: {message.recipient_device: message.content}}}
            self._olm.outgoing_to_device_messages.remove(message)

    # All of it

    def prune(self, period_s: Callable[[str], float], is_near: Callable[[str], bool]) -> Iterator[None]:
        """Forget what nothing can need any more. Yields after each that was looked at, for others to have their turns.
        `period_s`: for how many seconds people of a room may use one key; `is_near`: whether we may share an encrypted
        room with a user."""
        yield from self._store.group_sessions.prune(period_s)
        there = {each.curve25519 for each in self._olm.device_store if not each.deleted}
        before = datetime.fromtimestamp(self._clock() - UNUSED_DAYS * DAY_S)
        yield from self._store.sessions.prune(there.__contains__, before)
        yield from self.devices.prune(is_near)
