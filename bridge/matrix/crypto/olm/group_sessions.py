"""The keys of room messages that others have given us (Megolm), as rows."""

import heapq
import json
from collections.abc import Callable, Iterator
from typing import Any

from nio.crypto import InboundGroupSession

from bridge.lib.lru import LruDict
from bridge.matrix.crypto.olm.opened import NotOpened, heard_once
from bridge.matrix.crypto.olm.spent import Spent, is_old
from bridge.matrix.crypto.rows import Rows, named, parts

MEGOLM, HEARD = "megolm", "heard"
"""The kinds of the rows: the keys, and which messages of a key have been heard."""
HEARD_IN_ROW = 100
"""How many of those are in one row."""
_OPEN = 2000
"""Most keys that are kept unpickled: it takes a fifth of a millisecond each."""
_HEARD_ROWS = 200
"""Most rows of those for a key. Clients change it after 100 messages, or as the room has it."""
_EACH, _ALL = 1000, 30_000
"""Most keys of room messages from one device, and from all: clients make a new one after 100 messages, and for each who
leaves. Each takes 2 KB."""
_AT_ONCE = 100
"""So many are dropped at a time if there are too many of all."""


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
        self._heard: dict[str, list[int]] = {}  # the numbers of the rows that tell what was heard
        for row in rows.of(HEARD):
            *key, number = parts(row)
            self._heard.setdefault(named(*key), []).append(int(number))
        for name in [name for name in self._heard if rows.get(MEGOLM, name) is None]:  # an earlier version left some
            self._forget_all_heard(name)
        days = {name: ([*json.loads(kept), today()])[3] for name, kept in rows.of(MEGOLM).items()}  # it was kept later
        for name in sorted(days, key=days.__getitem__):
            self._days[name] = days[name]
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
        is_new = self._rows.get(MEGOLM, name) is None
        self._put(name, session)
        if is_new:
            self._note(name)

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

    def hear_once(self, session: Any, index: int, event_id: str) -> None:
        """Remember that the message `index` of a key was that event, as long as the key is here. Raises NotOpened if it
        was another event before."""
        name, number = _name(session), index // HEARD_IN_ROW
        row, numbers = named(*parts(name), str(number)), self._heard.setdefault(name, [])
        if number not in numbers:
            if len(numbers) >= _HEARD_ROWS:
                if number < min(numbers):
                    raise NotOpened("it is so old that it may repeat another message")
                self._forget_heard(name, min(numbers))
            numbers.append(number)
        self._rows.put(HEARD, row, heard_once(self._rows.get(HEARD, row) or "{}", index, event_id))

    def _forget_heard(self, name: str, number: int) -> None:
        self._heard[name].remove(number)
        self._rows.put(HEARD, named(*parts(name), str(number)), None)

    def _forget_all_heard(self, name: str) -> None:
        for number in [*self._heard.get(name, ())]:
            self._forget_heard(name, number)
        self._heard.pop(name, None)

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
        """Keep the newest of a device."""
        names = self._of_device.get(sender_key, [])
        for _ in range(len(names) - most):
            self._drop(names.pop(0))
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
        if len(self._days) > _ALL:
            self._drop_some()

    def _drop_some(self) -> None:
        """Drop the oldest of the devices that have given us most: who gives many takes no place of others."""
        most = [(-len(names), sender_key) for sender_key, names in self._of_device.items() if names]
        heapq.heapify(most)
        for _ in range(_AT_ONCE):
            number, sender_key = most[0]
            self._drop(self._of_device[sender_key].pop(0))
            heapq.heapreplace(most, (number + 1, sender_key))

    def _drop(self, name: str) -> None:
        """Drop a key. It is marked if something was opened with it: else there is nothing to be played again."""
        key = room_id, session_id, _ = parts(name)
        if self._heard.get(name):
            self.spent.add(*key)
        self._days.pop(name, None)
        self._names[room_id, session_id].remove(name)
        if not self._names[room_id, session_id]:
            del self._names[room_id, session_id]
        self._open.pop(name)
        self._rows.put(MEGOLM, name, None)
        self._forget_all_heard(name)


def _name(session: Any) -> str:
    return named(session.room_id, session.id, session.sender_key)
