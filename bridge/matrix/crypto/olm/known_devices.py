"""The devices of others that we know, with the keys that they had first: who is believed, and who gets keys."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from nio.crypto import OlmDevice

from bridge.matrix.crypto.olm.store import CryptoStore
from bridge.matrix.crypto.signatures import Device, Pair

_GONE = 100
"""Most devices kept of somebody that they do not have any more: their last words may be heard later."""


class KnownDevices:
    """`us` is our own device, and `olm` nio's machine, which has the others in its store. `signed_only`: see
    `Machine`."""

    def __init__(self, us: Pair, olm: Any, store: CryptoStore, *, signed_only: bool) -> None:
        self.signed_only = signed_only
        self._us = us
        self._olm = olm
        self._store = store

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
                self._store.save_device(old)
            if old is None:
                keys = {"curve25519": device.curve25519, "ed25519": device.ed25519}
                self._olm.device_store.add(OlmDevice(user, device.id, keys))
                self._store.save_device(known[device.id])
        for old in known.values():
            now = there.get(old.id)
            deleted = now is None or not _is_same(now, old)
            if old.deleted != deleted:
                old.deleted = deleted
                self._store.save_device(old)
        for device_id in [old.id for old in known.values() if old.deleted][:-_GONE]:
            self._store.drop_device(known.pop(device_id))

    def prune(self, is_near: Callable[[str], bool]) -> Iterator[None]:
        """Forget devices that are gone, or whose owners are not near, once no key is left by which they could be heard.
        Yields after each that was looked at."""
        for device in [*self._olm.device_store]:
            is_needed = not device.deleted and is_near(device.user_id)
            if not is_needed and not self._store.group_sessions.has_any_of(device.curve25519):
                self._store.drop_device(self._olm.device_store[device.user_id].pop(device.id))
            yield

    def _note_signed(self, pair: Pair, *, signed: bool) -> bool:
        """Whether that has changed."""
        if (pair in self._store.signed) == signed:
            return False
        (self._store.signed.add if signed else self._store.signed.discard)(pair)
        return True

    def is_signed(self, pair: Pair) -> bool:
        """Whether its owner has signed that device, as far as we know."""
        return pair in self._store.signed

    def receivers(self, users: Iterable[str]) -> list[Pair]:
        """The devices that these people have now, and that may get keys."""
        return [pair for pair in self._current(users) if not self.signed_only or self.is_signed(pair)]

    def refused(self, users: Iterable[str]) -> list[Pair]:
        """The devices that they have now, and that get no keys."""
        return [pair for pair in self._current(users) if self.signed_only and not self.is_signed(pair)]

    def has(self, pair: Pair) -> bool:
        """Whether that device is one that its owner has now, other than ours."""
        return pair in self._current([pair[0]])

    def has_any(self, user: str) -> bool:
        """Whether `user` has a device now, other than ours."""
        return any(True for _ in self._current([user]))

    def _current(self, users: Iterable[str]) -> Iterator[Pair]:
        known = self._olm.device_store
        pairs = ((user, str(each.id)) for user in users for each in known.active_user_devices(user))
        return (pair for pair in pairs if pair != self._us)

    @property
    def our_key(self) -> str:
        """The Curve25519 key of our own device."""
        return str(self._olm.account.identity_keys["curve25519"])

    def keys(self) -> set[str]:
        """The Curve25519 keys of all devices that somebody lists or listed, and of our own."""
        return {self.our_key, *(each.curve25519 for each in self._olm.device_store)}

    def keys_of(self, user: str) -> list[str]:
        """The Curve25519 keys of all devices that `user` lists or listed, ours among them."""
        found = [str(each.curve25519) for each in self._olm.device_store[user].values()]
        return [*found, self.our_key] if user == self._us[0] else found

    def believes(self, user: str, session: Any) -> bool:
        """Whether the key of room messages is from a device that `user` has signed."""
        device = self.device_of(user, session)
        return device is not None and ((user, device) == self._us or self.is_signed((user, device)))

    def device_of(self, user: str, session: Any) -> str | None:
        """The device of `user` from which the key of room messages is, also one that they had; None if it is from none
        of theirs. What a device tells of itself in an Olm message counts only together with what the owner's list of
        devices says."""
        if user == self._us[0] and session.sender_key == self.our_key:
            return self._us[1]
        keys = (session.sender_key, session.ed25519)
        if session.forwarding_chain not in ([], [session.sender_key]):  # by nio, for a key that we have asked for
            return None
        known = self._olm.device_store[user].values()
        return next((str(each.id) for each in known if (each.curve25519, each.ed25519) == keys), None)


def _is_same(device: Device, known: Any) -> bool:
    """Whether a device has the keys that it had when it was first seen."""
    return (device.curve25519, device.ed25519) == (known.curve25519, known.ed25519)
