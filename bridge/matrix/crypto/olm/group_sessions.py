"""The keys of room messages that others have given us (Megolm), as rows."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from nio.crypto import InboundGroupSession

from bridge.lib.lru import LruDict
from bridge.matrix.crypto.olm.pruning import Spent, is_old
from bridge.matrix.crypto.rows import Rows, named, parts

MEGOLM, HEARD = "megolm", "heard"
"""The kinds of the rows: the keys, and which messages of a key have been heard."""
HEARD_IN_ROW = 100
"""How many of those are in one row."""
_OPEN = 2000
"""Most keys that are kept unpickled: it takes a fifth of a millisecond each."""
_LONGEST = 10_000
"""Most messages with one key that are looked for when it is dropped: clients change it after 100."""
_EACH = 1000
"""Most keys of room messages from one device: clients make a new one after 100 messages, and for each who leaves."""


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
        if self.spent.has(session.room_id, session.id, (session.sender_key,)):
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
            if name in self._days and is_old(day, today, period_s(parts(name)[0])):
                self._of_device[parts(name)[2]].remove(name)
                self._drop(name)
            yield

    def senders(self) -> Iterator[str]:
        """The devices from which there are any, by their keys."""
        return (sender_key for sender_key, names in [*self._of_device.items()] if names)

    def trim(self, sender_key: str, most: int) -> None:
        """Keep the newest of a device. The others are not marked as dropped: nothing was opened with them."""
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
            room_id, _, sender_key = parts(name)
            found = InboundGroupSession.from_pickle(pickle.encode(), ed25519, sender_key, room_id, self._secret, chain)
            self._open[name] = found
        return found

    def _note(self, name: str) -> None:
        room_id, session_id, sender_key = parts(name)
        self._names.setdefault((room_id, session_id), []).append(name)
        of_device = self._of_device.setdefault(sender_key, [])
        of_device.append(name)
        if len(of_device) > _EACH:
            self._drop(of_device.pop(0))

    def _drop(self, name: str, *, is_spent: bool = True) -> None:
        key = room_id, session_id, _ = parts(name)
        if is_spent:
            self.spent.add(*key)
        self._days.pop(name, None)
        self._names[room_id, session_id].remove(name)
        self._open.pop(name)
        self._rows.put(MEGOLM, name, None)
        for number in range(_LONGEST // HEARD_IN_ROW):
            self._rows.put(HEARD, named(*key, str(number)), None)


def _name(session: Any) -> str:
    return named(session.room_id, session.id, session.sender_key)
