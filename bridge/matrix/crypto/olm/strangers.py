"""Bounds what is kept of devices that nobody lists: anybody can make up any number of them."""

from bridge.matrix.crypto.olm.known_devices import KnownDevices
from bridge.matrix.crypto.olm.store import CryptoStore

_MOST, _KEYS = 1000, 20
"""Most devices of which we have keys without knowing whose they are, and most keys of room messages from each: their
owners' devices are asked for once they say something."""
_AT_ONCE = 50
"""So many of those are dropped at a time."""


class Strangers:
    """Devices by their Curve25519 keys, the one that was heard first at the front."""

    def __init__(self, store: CryptoStore, devices: KnownDevices) -> None:
        self._store = store
        self._devices = devices
        known = devices.keys()
        senders = (*store.sessions.senders(), *store.group_sessions.senders())
        self._found = dict.fromkeys(each for each in senders if each not in known)

    def heard(self, sender_key: str, *, is_listed: bool) -> None:
        """That device has sent us something. `is_listed`: its sender lists it, or has."""
        if is_listed:
            self._found.pop(sender_key, None)
            return
        sessions, keys = self._store.sessions, self._store.group_sessions
        if not sessions.has_any_of(sender_key):
            return
        self._found[sender_key] = None
        keys.trim(sender_key, _KEYS)
        if len(self._found) <= _MOST + _AT_ONCE:
            return
        known = self._devices.keys()
        for each in [*self._found][:_AT_ONCE]:
            del self._found[each]
            if each not in known:
                sessions.forget(each)
                keys.trim(each, 0)
