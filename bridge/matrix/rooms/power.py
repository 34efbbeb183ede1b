"""Who may do what in a room (spec, `m.room.power_levels`, and "Room version 12" for its creators). No I/O.

What the homeserver shows us was allowed when it was sent. This is for what it does not decide: whether we do as
somebody says.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bridge.matrix.dialect.fields import Json, table, values, word

TYPES = ("m.room.create", "m.room.power_levels")
"""The state events that a `Power` is made of."""
INFINITE = math.inf
"""The power of a creator since room version 12: no level that can be written is higher."""
_LARGEST = 2**53
_DIGITS = re.compile("[+-]?[0-9]{1,20}")
_LAST_LENIENT = 9
"""The last room version in which levels may be strings ("Room version 10")."""
_FIRST_INFINITE = 12
_FIRST_WITHOUT_CREATOR = 11
"""The first room version in which `m.room.create` names no creator: its sender is the creator."""
_HYDRA = "org.matrix.hydra.11"
"""Room version 12 before it had a number (MSC4289)."""


@dataclass(frozen=True, slots=True)
class Power:
    """The levels of one room. `levels` is the content of `m.room.power_levels`, None if the room has none."""

    version: str
    creators: frozenset[str]
    levels: Json | None = None
    _users: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_room(cls, create: Json, levels: Json | None) -> "Power":
        """`create`: the whole `m.room.create` event, in client format; `levels`: see `Power`."""
        content = table(create, "content")
        version = word(content, "room_version") or "1"
        creators = {word(create, "sender")}
        if _number(version) < _FIRST_WITHOUT_CREATOR and version != _HYDRA:
            creators = {word(content, "creator") or word(create, "sender")}
        if _is_infinite(version):
            creators.update(user for user in values(content, "additional_creators") if isinstance(user, str))
        return cls(version, frozenset(filter(None, creators))).with_levels(levels)

    def with_levels(self, levels: Json | None) -> "Power":
        """The same room with other levels."""
        return replace(self, levels=levels, _users=dict(self._each(table(levels or {}, "users"))))

    def of(self, user: str) -> float:
        """The power of `user`: a whole number, or `INFINITE`."""
        if user in self.creators:
            if _is_infinite(self.version):
                return INFINITE
            if self.levels is None:
                return 100
        return self._users.get(user, self._level("users_default", 0))

    def may_redact(self, user: str) -> bool:
        """Whether `user` may remove what others said."""
        return self.of(user) >= self._level("redact", 50)

    def may_send(self, user: str, event_type: str) -> bool:
        """Whether `user` may send a message of that type."""
        return self.of(user) >= self._needed(event_type, self._level("events_default", 0))

    def may_send_state(self, user: str, event_type: str) -> bool:
        """Whether `user` may send a state event of that type."""
        return self.of(user) >= self._needed(event_type, self._level("state_default", 0 if self.levels is None else 50))

    def may_notify_room(self, user: str) -> bool:
        """Whether `user` may mention everybody at once (`m.mentions`, `room`)."""
        needed = self._value(table(self.levels or {}, "notifications").get("room"))
        return self.of(user) >= (50 if needed is None else needed)

    def _needed(self, event_type: str, default: float) -> float:
        level = self._value(table(self.levels or {}, "events").get(event_type))
        return default if level is None else level

    def _level(self, key: str, default: int) -> float:
        level = self._value((self.levels or {}).get(key))
        return default if level is None else level

    def _each(self, levels: Json) -> Iterable[tuple[str, float]]:
        for key, value in levels.items():
            if (level := self._value(value)) is not None:
                yield key, level

    def _value(self, value: object) -> float | None:
        """A level; None if it is malformed, which counts as absent. Strings and fractions are levels only in old rooms:
        newer ones never have any, as homeservers refuse such events."""
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return max(-_LARGEST, min(_LARGEST, value))
        if not 1 <= _number(self.version) <= _LAST_LENIENT:
            return None
        if isinstance(value, float):
            return max(-_LARGEST, min(_LARGEST, math.trunc(value))) if math.isfinite(value) else None
        digits = value.strip() if isinstance(value, str) and len(value) < 100 else ""
        return max(-_LARGEST, min(_LARGEST, int(digits))) if _DIGITS.fullmatch(digits) else None


def _is_infinite(version: str) -> bool:
    return _number(version) >= _FIRST_INFINITE or version == _HYDRA


def _number(version: str) -> int:
    """The number of a room version; 0 if it is no number: a version of somebody's own."""
    return int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else 0
