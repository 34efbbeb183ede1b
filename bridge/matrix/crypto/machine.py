"""Seals and opens, for one device of ours, on nio's Olm machine. No I/O: what changes is in the rows."""

import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import vodozemac
from nio.crypto import Olm, OlmDevice, OutgoingKeyRequest
from nio.event_builders import ToDeviceMessage
from nio.events import ForwardedRoomKeyEvent, RoomKeyEvent
from nio.exceptions import EncryptionError

from bridge.matrix.crypto.keeping import HEARD, HEARD_IN_ROW, Keeping, NioMachine, named
from bridge.matrix.crypto.opened import UNSIGNED, NoKey, NotOpened, Unproven, Unsigned, heard_once, opened
from bridge.matrix.crypto.pruning import DAY_S, UNUSED_DAYS
from bridge.matrix.crypto.recovery import unpadded
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.trust import ALGORITHM, ONE_TIME, Device, is_signed
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.rooms.encrypted import Period

_SECRET, _DEVICE = "secret", "self"
_KEYS = 25
"""One-time keys at the homeserver, of at most 50, at which there are made more."""
_GONE = 100
"""Most devices kept of somebody that they do not have any more: their last words may be heard later."""
_WANTED = 200
"""Most keys that we have asked for, and would take."""
_STRANGERS, _STRANGERS_KEYS = 1000, 20
"""Most devices of which we have keys without knowing whose they are, and most keys of room messages from each: their
owners' devices are asked for once they say something."""
_AT_ONCE = 50
"""So many of those are dropped at a time."""
_LIBRARY = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    EncryptionError,
)
"""What nio raises of a message that makes no sense: vodozemac's errors are ValueErrors."""

Pair = tuple[str, str]
"""A user's id, and the id of a device of theirs."""


class Machine:
    """`user` and `device` are our own. `is_new`: no earlier run has made keys for this device. `signed_only`: others'
    devices that their owners have not signed neither get keys nor are believed."""

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
        self._rows = rows
        self.is_new = rows.get(_DEVICE) != device
        if self.is_new:
            rows.clear()
            rows.put(_DEVICE, "", device)
            rows.put(_SECRET, "", secrets.token_hex(32))
        self._clock = clock
        self._keeping = Keeping(rows, rows.get(_SECRET) or "", lambda: int(clock() // DAY_S))
        self._keeping.signed_only = signed_only
        self._begun: dict[str, float] = {}
        self._olm: Any = NioMachine(user, device, self._keeping)
        known = self._known()
        senders = (*self._keeping.sessions.senders(), *self._keeping.group_sessions.senders())
        self._strangers = dict.fromkeys(each for each in senders if each not in known)

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

    # Others' devices

    def learn(self, user: str, devices: Iterable[Device]) -> None:
        """`user` has these devices now, and no others. A device never has another key: it stays with the first one."""
        known = self._olm.device_store[user]
        there = {device.id: device for device in devices}
        for device in there.values():
            old = known.get(device.id)
            if old is not None and not _is_same(device, old):
                continue  # its owner has signed, or not, other keys than those that we believe
            has_changed = self._note_signed((user, device.id), signed=device.signed)
            if old is not None and has_changed:
                self._keeping.save_device(old)
            if old is None:
                keys = {"curve25519": device.curve25519, "ed25519": device.ed25519}
                self._olm.device_store.add(OlmDevice(user, device.id, keys))
                self._keeping.save_device(known[device.id])
        for old in known.values():
            now = there.get(old.id)
            deleted = now is None or not _is_same(now, old)
            if old.deleted != deleted:
                old.deleted = deleted
                self._keeping.save_device(old)
        for device_id in [old.id for old in known.values() if old.deleted][:-_GONE]:
            self._keeping.drop_device(known.pop(device_id))

    def _note_signed(self, pair: Pair, *, signed: bool) -> bool:
        """Whether that has changed."""
        if (pair in self._keeping.signed) == signed:
            return False
        (self._keeping.signed.add if signed else self._keeping.signed.discard)(pair)
        return True

    def is_signed(self, pair: Pair) -> bool:
        """Whether its owner has signed that device, as far as we know."""
        return pair in self._keeping.signed

    def prune(self, period_s: Callable[[str], float]) -> Iterator[None]:
        """Forget keys that nothing can need any more. Yields after each that was looked at, for others to have their
        turns. `period_s`: for how many seconds people of a room may use one key."""
        yield from self._keeping.group_sessions.prune(period_s)
        there = {each.curve25519 for each in self._olm.device_store if not each.deleted}
        before = datetime.fromtimestamp(self._clock() - UNUSED_DAYS * DAY_S)
        yield from self._keeping.sessions.prune(there.__contains__, before)
        for device in [each for each in self._olm.device_store if each.deleted]:
            if not self._keeping.group_sessions.has_any_of(device.curve25519):
                self._keeping.drop_device(self._olm.device_store[device.user_id].pop(device.id))
            yield

    def strangers(self, pairs: Iterable[Pair]) -> list[Pair]:
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

    # To devices

    def hear(self, event: Json) -> Pair | None:
        """Open an event that was sent to our device. Returns room and session if it had a key of room messages."""
        content = table(event, "content")
        if word(event, "type") != "m.room.encrypted" or word(content, "algorithm") != Olm._olm_algorithm:
            return None
        body = table(content, "ciphertext", self.curve25519)
        try:
            if body.get("type") == 0:
                message: object = vodozemac.PreKeyMessage.from_base64(word(body, "body"))
            else:
                message = vodozemac.AnyOlmMessage.normal(unpadded(word(body, "body")))
            found = self._olm.decrypt(word(event, "sender"), word(content, "sender_key"), message)
        except _LIBRARY:
            return None
        if isinstance(message, vodozemac.PreKeyMessage):
            self._olm.save_account()  # nio saves it too early: the one-time key was still in it
        self._bound(word(event, "sender"), word(content, "sender_key"))
        if not isinstance(found, RoomKeyEvent | ForwardedRoomKeyEvent):
            return None
        if (wanted := self._olm.outgoing_key_requests.pop(found.session_id, None)) is not None:
            self._keeping.remove_outgoing_key_request(wanted)
        return found.room_id, found.session_id

    def _bound(self, sender: str, sender_key: str) -> None:
        """Keep only some keys of devices that nobody lists, of which anybody can make up any number."""
        if self._olm.device_store.device_from_sender_key(sender, sender_key) is not None:
            self._strangers.pop(sender_key, None)
            return
        sessions, keys = self._keeping.sessions, self._keeping.group_sessions
        if not sessions.has_any_of(sender_key):
            return
        self._strangers[sender_key] = None
        keys.trim(sender_key, _STRANGERS_KEYS)
        if len(self._strangers) <= _STRANGERS + _AT_ONCE:
            return
        known = self._known()
        for each in [*self._strangers][:_AT_ONCE]:
            del self._strangers[each]
            if each not in known:
                sessions.forget(each)
                keys.trim(each, 0)

    def _known(self) -> set[str]:
        """The keys of all devices that somebody lists or listed, and of our own."""
        return {self.curve25519, *(each.curve25519 for each in self._olm.device_store)}

    # Rooms

    def open(self, room_id: str, event: Json, *, once: bool = True) -> Json:
        """What was said in a sealed event: its own envelope with type and content from within. Raises NoKey, NotOpened.
        `once`: it is remembered that it was heard, and not opened as another event again.

        Only words that are proven to be from a device of the sender are opened: whoever passes the event on, such as
        the homeserver, may have written another sender on it, or sent it a second time."""
        content, sender = table(event, "content"), word(event, "sender")
        if word(content, "algorithm") != ALGORITHM:
            raise NotOpened("sealed in an unknown way")
        copies = [*self._olm.inbound_group_store.of(room_id, word(content, "session_id"))]
        if not copies:
            if (room_id, word(content, "session_id")) in self._keeping.group_sessions.spent:
                raise NotOpened("its key was not used for so long that it was dropped")
            raise NoKey("there is no key for it")
        session = next((each for each in copies if self._device_of(sender, each) is not None), None)
        if session is None:
            raise Unproven("no known device of its sender has sealed it")
        if self._keeping.signed_only and not self._is_believed(sender, session):
            raise Unsigned(UNSIGNED)
        plain, index = opened(session, word(content, "ciphertext"))
        if word(plain, "room_id") != room_id:
            raise NotOpened("it was sealed for another room")
        if once and session.sender_key != self.curve25519:
            self._hear_once(session, index, word(event, "event_id"))
            self._keeping.group_sessions.used(session)
        inner = dict(table(plain, "content"))
        if "m.relates_to" in content:
            inner.setdefault("m.relates_to", content["m.relates_to"])
        kept = {key: value for key, value in event.items() if key not in ("state_key", "redacts")}
        return kept | {"type": word(plain, "type"), "content": inner}

    def ask_for(self, room_id: str, event: Json) -> bool:
        """Ask the devices of the sender for the key of a sealed event; False if we have asked for it before. Who has
        given it to us answers; who has left us out does not (spec, "m.room_key_request")."""
        session_id, wanted = word(table(event, "content"), "session_id"), self._olm.outgoing_key_requests
        if session_id in wanted or not session_id:
            return False
        while len(wanted) >= _WANTED:
            self._keeping.remove_outgoing_key_request(wanted.pop(next(iter(wanted))))
        wanted[session_id] = OutgoingKeyRequest(session_id, session_id, room_id, ALGORITHM)
        self._keeping.add_outgoing_key_request(wanted[session_id])
        body = {"algorithm": ALGORITHM, "room_id": room_id, "session_id": session_id}
        if sender_key := word(table(event, "content"), "sender_key"):
            body["sender_key"] = sender_key
        content = {"action": "request", "body": body, "request_id": session_id, "requesting_device_id": self.device}
        message = ToDeviceMessage("m.room_key_request", word(event, "sender"), "*", content)
        self._olm.outgoing_to_device_messages.append(message)
        return True

    def unsigned_sender(self, room_id: str, event: Json) -> Pair | None:
        """The device that has sealed an event which we have opened, unless its owner has signed it."""
        sender = word(event, "sender")
        for session in self._olm.inbound_group_store.of(room_id, word(table(event, "content"), "session_id")):
            device = self._device_of(sender, session)
            if device is not None:
                return None if self._is_believed(sender, session) else (sender, device)
        return None

    def _is_believed(self, user: str, session: Any) -> bool:
        device = self._device_of(user, session)
        return device is not None and ((user, device) == (self.user, self.device) or self.is_signed((user, device)))

    def _device_of(self, user: str, session: Any) -> str | None:
        """The device of `user` from which the key of room messages is, also one that they had; None if it is from none
        of theirs. What a device tells of itself in an Olm message counts only together with what the owner's list of
        devices says."""
        if user == self.user and session.sender_key == self.curve25519:
            return self.device
        keys = (session.sender_key, session.ed25519)
        if session.forwarding_chain not in ([], [session.sender_key]):  # by nio, for a key that we have asked for
            return None
        known = self._olm.device_store[user].values()
        return next((str(each.id) for each in known if (each.curve25519, each.ed25519) == keys), None)

    def _hear_once(self, session: Any, index: int, event_id: str) -> None:
        """Raises NotOpened if another event had the same ciphertext. It is kept as long as its key."""
        row = named(session.room_id, session.id, session.sender_key, str(index // HEARD_IN_ROW))
        self._rows.put(HEARD, row, heard_once(self._rows.get(HEARD, row) or "{}", index, event_id))

    def begin(self, room_id: str, pairs: Iterable[Pair], period: Period, now: float) -> list[Pair]:
        """Make sure that there is a key for what we say in that room, which nobody has but the devices `pairs`. Returns
        those that do not have it yet. `now`: in seconds. No key outlives a restart, so that none seals two messages."""
        wanted = {*pairs} - {(self.user, self.device)}
        session = self._olm.outbound_group_sessions.get(room_id)
        if session is not None:
            used_up = session.message_count >= period.messages or not 0 <= now - self._begun[room_id] < period.seconds
            if used_up or not session.users_shared_with <= wanted:
                session = None
        if session is None:
            self._olm.create_outbound_group_session(room_id)
            session = self._olm.outbound_group_sessions[room_id]
            session.max_messages, session.max_age = sys.maxsize, timedelta.max  # nio knows no period of a room
            self._begun[room_id] = now
        return sorted(wanted - session.users_shared_with)

    def devices(self, users: Iterable[str]) -> list[Pair]:
        """The devices that these people have now, and that may get keys."""
        return [pair for pair in self._all_devices(users) if not self._keeping.signed_only or self.is_signed(pair)]

    def refused(self, users: Iterable[str]) -> list[Pair]:
        """The devices that they have now, and that get no keys."""
        return [pair for pair in self._all_devices(users) if self._keeping.signed_only and not self.is_signed(pair)]

    def _all_devices(self, users: Iterable[str]) -> Iterator[Pair]:
        known = self._olm.device_store
        pairs = ((user, str(each.id)) for user in users for each in known.active_user_devices(user))
        return (pair for pair in pairs if pair != (self.user, self.device))

    def session_of(self, room_id: str) -> str:
        """The id of the key with which we say the next thing in a room."""
        return str(self._olm.outbound_group_sessions[room_id].id)

    def share(self, room_id: str, users: Iterable[str]) -> Iterator[tuple[set[Pair], Json]]:
        """Bodies of /sendToDevice that give the key of the room to those devices of `users` that do not have it and
        with which there is a session. What was sent is told to `shared`."""
        self._olm.outbound_group_sessions[room_id].shared = False
        yield from self._olm.share_group_session_parallel(room_id, [*users], ignore_unverified_devices=True)

    def shared(self, room_id: str, pairs: set[Pair]) -> None:
        """These devices have the key of the room."""
        self._olm.outbound_group_sessions[room_id].users_shared_with |= pairs

    def seal(self, room_id: str, kind: str, content: Mapping[str, object]) -> dict[str, object]:
        """The content of an `m.room.encrypted` event with an event of that `kind` in it. What it relates to stays
        visible outside, where homeservers look for it."""
        self._olm.outbound_group_sessions[room_id].shared = True
        sealed: dict[str, object] = self._olm.group_encrypt(room_id, {"type": kind, "content": dict(content)})
        return sealed | ({"m.relates_to": content["m.relates_to"]} if "m.relates_to" in content else {})


def _is_same(device: Device, known: Any) -> bool:
    """Whether a device has the keys that it had when it was first seen."""
    return (device.curve25519, device.ed25519) == (known.curve25519, known.ed25519)
