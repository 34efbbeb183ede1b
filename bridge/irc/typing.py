"""Where we show that somebody types, and when it is said again (https://ircv3.net/specs/client-tags/typing)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.model.event import Room

_LEAST_S = 3.0
"""Seconds between two signals in one room, whatever they say."""
_AGAIN_S = 4.0
"""Seconds after which it is said again: others forget it after six."""
_FORGOTTEN_S = 6.0
_LONGEST_S = 60.0
"""Seconds after which we no longer believe that somebody types, if we are not told again."""


@dataclass(slots=True)
class _Shown:
    since: float
    active: bool = True
    said_at: float = -math.inf
    seen: bool = False  # whether others see that somebody types, as far as we know


class TypingShown:
    """Decides which signals to write. Sans I/O; times are seconds of a clock that does not go back. Whether there is
    room for a signal is the caller's to say: what is not written when it is due is due again a second later."""

    def __init__(self) -> None:
        self._rooms: dict[Room, _Shown] = {}

    def change(self, room: Room, now: float, *, active: bool) -> None:
        """Somebody types in `room`, or nobody any more."""
        shown = self._rooms.get(room)
        if shown is not None:
            shown.active = active
            shown.since = now if active else shown.since
        elif active:
            self._rooms[room] = _Shown(now)

    def spoke(self, room: Room) -> None:
        """A message of ours is there: everybody sees by it that its author types no more."""
        shown = self._rooms.get(room)
        if shown is not None:
            shown.active = shown.seen = False

    def due(self, now: float) -> Iterator[tuple[Room, str]]:
        """The rooms with the signal to write there: `active` or `done`. Call `wrote` if it was."""
        for room, shown in [*self._rooms.items()]:
            active = shown.active and now - shown.since < _LONGEST_S
            ago = now - shown.said_at
            if not active and (not shown.seen or ago > _FORGOTTEN_S):
                if ago > _LEAST_S:  # until then it is kept, since another signal would come too soon
                    del self._rooms[room]
            elif ago >= (_AGAIN_S if active and shown.seen else _LEAST_S):
                yield room, "active" if active else "done"

    def wrote(self, room: Room, what: str, now: float) -> None:
        shown = self._rooms.get(room)
        if shown is not None:
            shown.seen, shown.said_at = what == "active", now
