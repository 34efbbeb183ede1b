"""Forgets keys that nothing can need any more, so that the rows of a bridge that runs for years stay few."""

import base64
import hashlib
from collections.abc import Iterable, Iterator

from bridge.matrix.crypto.rows import Rows, named

DAY_S = 86_400.0
UNUSED_DAYS = 60
"""A key that was not used for so long opens nothing that still comes: the outbox gives up after `outbox.max_age`, and
what the bridge missed while it was away is caught up within the first day after a start, when nothing is pruned."""
SPENT = "spent"
"""The kind of the rows with the marks of room keys that were dropped."""
_IN_ROW, _ROWS, _MARK = 1000, 200, 11
"""Marks in a row; rows at most, of which the oldest goes first; and characters of a mark."""


class Spent:
    """The room keys that were dropped, each as what a device had given us: one device cannot make another's count as
    dropped. Who plays an old message again, under another id, must not get it carried as a new one: its sender's client
    would give us the key once more."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._marks = {mark for row in rows.of(SPENT).values() for mark in _split(row)}

    def add(self, room_id: str, session_id: str, sender_key: str) -> None:
        """`sender_key`: the Curve25519 key of the device from which we had it."""
        mark = _mark(named(room_id, session_id, sender_key))
        if mark in self._marks:
            return
        self._marks.add(mark)
        numbers = sorted(map(int, self._rows.of(SPENT)))
        last = numbers[-1] if numbers else 0
        row = self._rows.get(SPENT, str(last)) or ""
        if len(row) >= _IN_ROW * _MARK:
            last, row = last + 1, ""
            if len(numbers) >= _ROWS:
                self._forget(str(numbers[0]))
        self._rows.put(SPENT, str(last), row + mark)

    def has(self, room_id: str, session_id: str, sender_keys: Iterable[str]) -> bool:
        """Whether the key of a room and session was dropped that we had from any of these devices."""
        if not self._marks:
            return False
        if _mark(f"{room_id} {session_id}") in self._marks:  # an earlier version did not note from whom it was
            return True
        return any(_mark(named(room_id, session_id, each)) in self._marks for each in sender_keys)

    def __len__(self) -> int:
        return len(self._marks)

    def _forget(self, name: str) -> None:
        self._marks.difference_update(_split(self._rows.get(SPENT, name) or ""))
        self._rows.put(SPENT, name, None)


def is_old(day: int, today: int, period_s: float) -> bool:
    """Whether a room key was last used so long before `today` (days since the epoch) that it may go. A room may have
    its people use one key for `period_s` seconds."""
    return today - day > max(UNUSED_DAYS, period_s / DAY_S + 1)


def _mark(key: str) -> str:
    found = hashlib.sha256(key.encode(errors="replace")).digest()[:8]
    return base64.b64encode(found).decode().rstrip("=")


def _split(row: str) -> Iterator[str]:
    return (row[at : at + _MARK] for at in range(0, len(row), _MARK))
