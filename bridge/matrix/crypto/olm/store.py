"""What nio's Olm machine keeps, as our rows: it works on objects, and each change of one becomes its row's new text."""

import json
from collections.abc import Callable
from typing import Any

from nio.crypto import DeviceStore, Olm, OlmAccount, OlmDevice, OutgoingKeyRequest

from bridge.matrix.crypto.olm.group_sessions import GroupSessions
from bridge.matrix.crypto.olm.sessions import Sessions
from bridge.matrix.crypto.rows import Rows, named, parts
from bridge.matrix.crypto.signatures import ALGORITHM
from bridge.matrix.dialect.fields import table, word

ACCOUNT, DEVICE, WANTED = "account", "device", "wanted"
"""The kinds of rows: our own keys; others' devices; keys that we have asked for."""


class NioMachine(Olm):  # type: ignore[misc]
    """nio's, with our decision from whom a key is taken that we have asked for: from the device whose own it is."""

    _maxToDeviceMessagesPerRequest = 100  # noqa: N815

    def _should_accept_forward(self, _sender: str, sender_key: str, event: Any) -> bool:
        asked = self.outgoing_key_requests.get(event.session_id)
        own = word(table(event.source, "content"), "sender_key") == sender_key
        return asked is not None and (asked.room_id, event.algorithm) == (event.room_id, ALGORITHM) and own


class CryptoStore:
    """What nio calls a MatrixStore. `secret`: with which the rows are encrypted; `today`: days since the epoch."""

    def __init__(self, rows: Rows, secret: str, today: Callable[[], int]) -> None:
        self._rows = rows
        self._secret = secret
        self.signed: set[tuple[str, str]] = set()
        """The devices that their owners have signed, as users and ids."""
        self.receivers: frozenset[tuple[str, str]] = frozenset()
        """The devices to which a key is being given."""
        self.sessions = Sessions(rows, secret)
        self.group_sessions = GroupSessions(rows, secret, today)

    def load_account(self) -> Any:
        kept = self._rows.get(ACCOUNT)
        if kept is None:
            return None
        shared, pickle = json.loads(kept)
        return OlmAccount.from_pickle(pickle.encode(), self._secret, shared)

    def save_account(self, account: Any) -> None:
        self._rows.put(ACCOUNT, "", json.dumps([account.shared, account.pickle(self._secret).decode()]))

    def load_sessions(self) -> Sessions:
        return self.sessions

    def save_session(self, sender_key: str, session: Any) -> None:
        self.sessions.save(sender_key, session)

    def load_inbound_group_sessions(self) -> GroupSessions:
        return self.group_sessions

    def save_inbound_group_session(self, session: Any) -> None:
        self.group_sessions.save(session)

    def load_device_keys(self) -> Any:
        found = DeviceStore()
        for name, kept in self._rows.of(DEVICE).items():
            user, device_id = parts(name)
            curve25519, ed25519, deleted, *signed = json.loads(kept)
            if signed == [True]:
                self.signed.add((user, device_id))
            keys = {"curve25519": curve25519, "ed25519": ed25519}
            found.add(OlmDevice(user, device_id, keys, deleted=deleted))
        return found

    def save_device(self, device: Any) -> None:
        is_signed = (device.user_id, device.id) in self.signed
        kept = [device.curve25519, device.ed25519, device.deleted, is_signed]
        self._rows.put(DEVICE, named(device.user_id, device.id), json.dumps(kept))

    def load_outgoing_key_requests(self) -> dict[str, Any]:
        kept = self._rows.of(WANTED).items()
        return {name: OutgoingKeyRequest(*json.loads(text)) for name, text in kept}

    def drop_device(self, device: Any) -> None:
        self.signed.discard((device.user_id, device.id))
        self._rows.put(DEVICE, named(device.user_id, device.id), None)

    def add_outgoing_key_request(self, request: Any) -> None:
        kept = [request.request_id, request.session_id, request.room_id, request.algorithm]
        self._rows.put(WANTED, request.session_id, json.dumps(kept))

    def remove_outgoing_key_request(self, request: Any) -> None:
        self._rows.put(WANTED, request.session_id, None)

    def is_device_verified(self, _device: Any) -> bool:
        """Never: whose words are whose is our own decision."""
        return False

    def is_device_ignored(self, _device: Any) -> bool:
        """Always: nio sends keys to devices that are not verified only if they are ignored."""
        return True

    def is_device_blacklisted(self, device: Any) -> bool:
        """Whether it gets no key now."""
        return (device.user_id, device.id) not in self.receivers
