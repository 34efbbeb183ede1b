"""Opens what others say in rooms: only words that are proven to be from a device of their sender, and only once."""

from typing import Any

from nio.crypto import OutgoingKeyRequest
from nio.event_builders import ToDeviceMessage

from bridge.matrix.crypto.olm.known_devices import KnownDevices
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, Unproven, Unsigned, opened
from bridge.matrix.crypto.olm.store import CryptoStore
from bridge.matrix.crypto.signatures import ALGORITHM, Pair
from bridge.matrix.dialect.fields import Json, table, word

_WANTED = 200
"""Most keys that we have asked for, and would take."""


class Inbound:
    """`us` is our own device; `olm` nio's machine."""

    def __init__(self, us: Pair, olm: Any, store: CryptoStore, devices: KnownDevices) -> None:
        self._us = us
        self._olm = olm
        self._store = store
        self._devices = devices

    def open(self, room_id: str, event: Json, *, once: bool = True) -> Json:
        """What was said in a sealed event: its own envelope with type and content from within. Raises NoKey, NotOpened.
        `once`: it is remembered that it was heard, and not opened as another event again.

        Only words that are proven to be from a device of the sender are opened: whoever passes the event on, such as
        the homeserver, may have written another sender on it, or sent it a second time."""
        content, sender = table(event, "content"), word(event, "sender")
        if word(content, "algorithm") != ALGORITHM:
            raise NotOpened("sealed in an unknown way")
        session = self._session(room_id, word(content, "session_id"), sender)
        plain, index = opened(session, word(content, "ciphertext"))
        if word(plain, "room_id") != room_id:
            raise NotOpened("it was sealed for another room")
        if once and session.sender_key != self._devices.our_key:
            self._store.group_sessions.hear_once(session, index, word(event, "event_id"))
            self._store.group_sessions.used(session)
        inner = dict(table(plain, "content"))
        if "m.relates_to" in content:
            inner.setdefault("m.relates_to", content["m.relates_to"])
        kept = {key: value for key, value in event.items() if key not in ("state_key", "redacts")}
        found = kept | {"type": word(plain, "type"), "content": inner}
        if self._devices.signed_only and not self._devices.believes(sender, session):
            raise Unsigned(found)
        return found

    def _session(self, room_id: str, session_id: str, sender: str) -> Any:
        """The key of room messages, from a device of `sender`. Raises NoKey, NotOpened."""
        copies = [*self._store.group_sessions.of(room_id, session_id)]
        found = next((each for each in copies if self._devices.device_of(sender, each) is not None), None)
        if found is not None:
            return found
        if self._store.group_sessions.spent.has(room_id, session_id, self._devices.keys_of(sender)):
            raise NotOpened("its key was not used for so long that it was dropped")
        if copies:
            raise Unproven("no known device of its sender has sealed it")
        raise NoKey("there is no key for it")

    def ask_for(self, room_id: str, event: Json) -> bool:
        """Ask the devices of the sender for the key of a sealed event; False if we have asked for it before. Who has
        given it to us answers; who has left us out does not (spec, "m.room_key_request")."""
        session_id, wanted = word(table(event, "content"), "session_id"), self._olm.outgoing_key_requests
        if session_id in wanted or not session_id:
            return False
        while len(wanted) >= _WANTED:
            self._store.remove_outgoing_key_request(wanted.pop(next(iter(wanted))))
        wanted[session_id] = OutgoingKeyRequest(session_id, session_id, room_id, ALGORITHM)
        self._store.add_outgoing_key_request(wanted[session_id])
        body = {"algorithm": ALGORITHM, "room_id": room_id, "session_id": session_id}
        if sender_key := word(table(event, "content"), "sender_key"):
            body["sender_key"] = sender_key
        content = {"action": "request", "body": body, "request_id": session_id, "requesting_device_id": self._us[1]}
        message = ToDeviceMessage("m.room_key_request", word(event, "sender"), "*", content)
        self._olm.outgoing_to_device_messages.append(message)
        return True

    def unsigned_sender(self, room_id: str, event: Json) -> Pair | None:
        """The device that has sealed an event which we have opened, unless its owner has signed it."""
        sender = word(event, "sender")
        for session in self._store.group_sessions.of(room_id, word(table(event, "content"), "session_id")):
            device = self._devices.device_of(sender, session)
            if device is not None:
                return None if self._devices.believes(sender, session) else (sender, device)
        return None
