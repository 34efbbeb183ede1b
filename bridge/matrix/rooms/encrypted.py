"""The rooms that are encrypted, once and for ever, and how long one key is used in each. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from bridge.matrix.dialect.fields import Json, number

_KEY = "encrypted "
"""Before the id of a room: the key of what is remembered of it."""
_MESSAGES, _HOUR_S = 10_000, 3600.0
"""A key is not used for more messages, nor changed more often by time, whatever somebody has set: changing it takes a
message to each device."""


@dataclass(frozen=True, slots=True)
class Period:
    """How long one key of a room is used: for at most so many `messages`, and `seconds`."""

    messages: int = 100
    seconds: float = 7 * 24 * _HOUR_S


class Encrypted:
    """By room ids. A room stays encrypted whatever its state says later (spec, "m.room.encryption")."""

    def __init__(self) -> None:
        self._rooms: dict[str, Period] = {}
        self._stored: dict[str, str] = {}

    def recall(self, kept: Mapping[str, str]) -> None:
        """Know the rooms of earlier runs, from a memory."""
        for key, text in kept.items():
            if key.startswith(_KEY):
                self._stored[key] = text
                self._rooms.setdefault(key.removeprefix(_KEY), Period(*json.loads(text)))

    def note(self, room_id: str, how: Json) -> None:
        """The room is encrypted; `how` is the content of its `m.room.encryption`."""
        messages, milliseconds = number(how, "rotation_period_msgs"), number(how, "rotation_period_ms")
        period = Period()
        if messages is not None:
            period = replace(period, messages=min(max(1, messages), _MESSAGES))
        if milliseconds is not None:
            period = replace(period, seconds=max(_HOUR_S, milliseconds / 1000))
        self._rooms[room_id] = period

    def period(self, room_id: str) -> Period:
        """How long the key of what we say there is used."""
        return self._rooms.get(room_id, Period())

    def changes(self) -> Mapping[str, str]:
        """What is not remembered yet."""
        now = {_KEY + room_id: json.dumps(astuple(how)) for room_id, how in self._rooms.items()}
        return {key: how for key, how in now.items() if self._stored.get(key) != how}

    def stored(self, changes: Mapping[str, str]) -> None:
        """That is remembered now."""
        self._stored |= changes

    def __contains__(self, room_id: str) -> bool:
        return room_id in self._rooms
