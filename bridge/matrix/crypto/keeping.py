"""What nio's Olm machine keeps, as our rows: it works on objects, and each change of one becomes its row's new text."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from nio.crypto import DeviceStore, InboundGroupSession, Olm, OlmAccount, OlmDevice, OutgoingKeyRequest, Session

from bridge.lib.lru import LruDict
from bridge.matrix.crypto.pruning import Spent, is_old
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.trust import ALGORITHM
from bridge.matrix.dialect.fields import table, word

ACCOUNT, OLM, MEGOLM, DEVICE, WANTED = "account", "olm", "megolm", "device", "wanted"
"""The kinds of rows: our own keys; sessions with a device of somebody; keys of room messages; others' devices; keys
that we have asked for."""
HEARD, HEARD_IN_ROW = "heard", 100
"""The kind of the rows that tell which messages of a key have been heard, and how many are in one row."""
_OPEN = 2000
"""Most sessions of a kind that are kept unpickled: it takes a fifth of a millisecond each."""
_OLM_EACH = 8
"""Most Olm sessions with one device. It uses the newest; any number could be begun."""
_LONGEST = 10_000
"""Most messages with one key that are looked for when it is dropped: clients change it after 100."""
_MEGOLM_EACH = 1000
"""Most keys of room messages from one device: clients make a new one after 100 messages, and for each who leaves."""


class Sessions:
    """The Olm sessions with each device, by its Curve25519 key: what nio calls a SessionStore. Each is unpickled when
    it is first needed."""

    def __init__(self, rows: Rows, secret: str) -> None:
        self._rows = rows
        self._secret = secret
        self._open: LruDict[str, list[Any]] = LruDict(_OPEN)
        self._names: dict[str, list[str]] = {}
        for name in rows.of(OLM):
            self._names.setdefault(_parts(name)[0], []).append(name)

    def add(self, sender_key: str, session: Any) -> bool:
        there = self[sender_key]
        there.append(session)
        there.sort(key=lambda each: each.use_time, reverse=True)
        for old in there[_OLM_EACH:]:
            there.remove(old)
            name = named(sender_key, old.id)
            self._names[sender_key].remove(name)
            self._rows.put(OLM, name, None)
        return True

    def save(self, sender_key: str, session: Any) -> None:
        name = named(sender_key, session.id)
        names = self._names.setdefault(sender_key, [])
        if name not in names:
            names.append(name)
        pickle = session.pickle(self._secret).decode()
        times = [session.creation_time.isoformat(), session.use_time.isoformat()]
        self._rows.put(OLM, name, json.dumps([pickle, *times]))

    def get(self, sender_key: str) -> Any:
        """The one used last; None if there is none."""
        return next(iter(self[sender_key]), None)

    def __getitem__(self, sender_key: str) -> list[Any]:
        found = self._open.get(sender_key)
        if found is None:
            found = [self._load(name) for name in self._names.get(sender_key, ())]
            found.sort(key=lambda each: each.use_time, reverse=True)
            self._open[sender_key] = found
        return found

    def prune(self, is_needed: Callable[[str], bool], before: datetime) -> Iterator[None]:
        """Drop those that were not used since `before`, save the newest with each device that `is_needed`. Yields after
        each device."""
        for sender_key, names in [*self._names.items()]:
            by_age = sorted(names, key=lambda name: str(json.loads(self._rows.of(OLM)[name])[2]), reverse=True)
            for name in by_age[1 if is_needed(sender_key) else 0 :]:
                if datetime.fromisoformat(json.loads(self._rows.of(OLM)[name])[2]) < before:
                    names.remove(name)
                    self._rows.put(OLM, name, None)
                    self._open.pop(sender_key)
            if not names:
                del self._names[sender_key]
            yield

    def senders(self) -> Iterator[str]:
        """The devices with which there are any, by their keys."""
        return iter([*self._names])

    def has_any_of(self, sender_key: str) -> bool:
        """Whether there is any with that device."""
        return bool(self._names.get(sender_key))

    def forget(self, sender_key: str) -> None:
        """Drop all with that device."""
        for name in self._names.pop(sender_key, ()):
            self._rows.put(OLM, name, None)
        self._open.pop(sender_key)

    def _load(self, name: str) -> Any:
        pickle, made, used = json.loads(self._rows.of(OLM)[name])
        times = datetime.fromisoformat(made), datetime.fromisoformat(used)
        return Session.from_pickle(pickle.encode(), times[0], self._secret, times[1])


class GroupSessions:
    """The keys of room messages, by room, session and the Curve25519 key of the device from which we have them: what
    nio calls a GroupSessionStore. Of two copies of one key, the one that opens more messages stays."""

    def __init__(self, rows: Rows, secret: str, today: Callable[[], int]) -> None:
        self._rows = rows
        self._secret = secret
        self._today = today
        self._open: LruDict[str, Any] = LruDict(_OPEN)
        self._names: dict[tuple[str, str], list[str]] = {}
        self._of_device: dict[str, list[str]] = {}
        self._days: dict[str, int] = {}  # when each was used last
        self.spent = Spent(rows)
        for name, kept in [*rows.of(MEGOLM).items()]:
            self._days[name] = ([*json.loads(kept), today()])[3]  # an earlier version kept no days
            self._note(name)

    def add(self, session: Any) -> bool:
        if (session.room_id, session.id) in self.spent:
            return False
        held: Any = self.get(session.room_id, session.sender_key, session.id)
        if held is not None and held.first_known_index <= session.first_known_index:
            return False
        self._open[_name(session)] = session
        return True

    def save(self, session: Any) -> None:
        """Keep it, unless a better copy is there."""
        name = _name(session)
        if self._open.get(name) != session:
            return
        if self._rows.get(MEGOLM, name) is None:
            self._note(name)
        self._put(name, session)

    def used(self, session: Any) -> None:
        """A message was opened with it. That is kept by days, so that not each message rewrites the row."""
        name = _name(session)
        if self._days.get(name) != self._today():
            self._put(name, session)

    def _put(self, name: str, session: Any) -> None:
        self._days[name] = self._today()
        pickle = session.pickle(self._secret).decode()
        kept = [pickle, session.ed25519, session.forwarding_chain, self._days[name]]
        self._rows.put(MEGOLM, name, json.dumps(kept))

    def prune(self, period_s: Callable[[str], float]) -> Iterator[None]:
        """Drop those that were not used for too long. Yields after each that was looked at. `period_s`: for how many
        seconds people of a room use one key."""
        today = self._today()
        for name, day in [*self._days.items()]:
            if name in self._days and is_old(day, today, period_s(_parts(name)[0])):
                self._of_device[_parts(name)[2]].remove(name)
                self._drop(name)
            yield

    def senders(self) -> Iterator[str]:
        """The devices from which there are any, by their keys."""
        return (sender_key for sender_key, names in [*self._of_device.items()] if names)

    def trim(self, sender_key: str, most: int) -> None:
        """Keep the newest of a device. The others are not marked as dropped: they may be copies of somebody else's, who
        may give them to us later."""
        names = self._of_device.get(sender_key, [])
        for _ in range(len(names) - most):
            self._drop(names.pop(0), is_spent=False)
        if not names:
            self._of_device.pop(sender_key, None)

    def has_any_of(self, sender_key: str) -> bool:
        """Whether there is a key from that device."""
        return bool(self._of_device.get(sender_key))

    def of(self, room_id: str, session_id: str) -> Iterator[Any]:
        """All copies of a key, from whomever."""
        for name in self._names.get((room_id, session_id), ()):
            yield self._get(name)

    def get(self, room_id: str, sender_key: str, session_id: str) -> Any:
        return self._get(named(room_id, session_id, sender_key))

    def _get(self, name: str) -> Any:
        found: Any = self._open.get(name)
        kept = self._rows.get(MEGOLM, name)
        if found is None and kept is not None:
            pickle, ed25519, chain = json.loads(kept)[:3]
            room_id, _, sender_key = _parts(name)
            found = InboundGroupSession.from_pickle(pickle.encode(), ed25519, sender_key, room_id, self._secret, chain)
            self._open[name] = found
        return found

    def _note(self, name: str) -> None:
        room_id, session_id, sender_key = _parts(name)
        self._names.setdefault((room_id, session_id), []).append(name)
        of_device = self._of_device.setdefault(sender_key, [])
        of_device.append(name)
        if len(of_device) > _MEGOLM_EACH:
            self._drop(of_device.pop(0))

    def _drop(self, name: str, *, is_spent: bool = True) -> None:
        parts = _parts(name)
        if is_spent:
            self.spent.add(parts[0], parts[1])
        self._days.pop(name, None)
        self._names[parts[0], parts[1]].remove(name)
        self._open.pop(name)
        self._rows.put(MEGOLM, name, None)
        for number in range(_LONGEST // HEARD_IN_ROW):
            self._rows.put(HEARD, named(*parts, str(number)), None)


class NioMachine(Olm):  # type: ignore[misc]
    """nio's, with our decision from whom a key is taken that we have asked for: from the device whose own it is."""

    _maxToDeviceMessagesPerRequest = 100  # noqa: N815

    def _should_accept_forward(self, _sender: str, sender_key: str, event: Any) -> bool:
        asked = self.outgoing_key_requests.get(event.session_id)
        own = word(table(event.source, "content"), "sender_key") == sender_key
        return asked is not None and (asked.room_id, event.algorithm) == (event.room_id, ALGORITHM) and own


class Keeping:
    """What nio calls a MatrixStore. `secret`: with which the rows are encrypted; `today`: days since the epoch.
    `signed_only`: others' devices get no keys unless their owners have signed them."""

    def __init__(self, rows: Rows, secret: str, today: Callable[[], int]) -> None:
        self._rows = rows
        self._secret = secret
        self.signed: set[tuple[str, str]] = set()
        """The devices that their owners have signed, as users and ids."""
        self.signed_only = False
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
            user, device_id = _parts(name)
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
        return self.signed_only and (device.user_id, device.id) not in self.signed


def named(*parts: str) -> str:
    """The name of a row. Others choose the parts: each may have any characters."""
    return json.dumps(parts)


def _parts(name: str) -> list[str]:
    return [*json.loads(name)]


def _name(session: Any) -> str:
    return named(session.room_id, session.id, session.sender_key)
