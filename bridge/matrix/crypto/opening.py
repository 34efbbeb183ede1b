"""Opens what others say in encrypted rooms, once it is proven whose words it is."""

import json
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.machine import Pair
from bridge.matrix.crypto.opened import NoKey, NotOpened, Unproven
from bridge.matrix.crypto.rows import WAITING, Rows
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.network import Refused

_WAIT_S = 300.0
"""Seconds that a message waits for its key."""
_AGAIN_S = 30.0
"""Seconds after which all that wait are tried again: a homeserver may not have told the devices of a sender."""
_MOST = 200
"""Most messages that wait for a key: each may have 64 KB."""
NO_KEY = "encrypted, and there is no key for it"
"""Why a message is not carried whose key has not come."""


class Keyless(NotOpened):
    """The key of a message has not come for so long that it is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sealed event of a room that waits since `since` (seconds since the epoch)."""

    room_id: str
    event: Json
    since: float


class Opening:
    """Messages whose key may still come wait in `rows`, so that a restart loses none."""

    def __init__(self, keys: Keys, rows: Rows, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._rows = rows
        self._clock = clock
        self._tried = -math.inf

    @property
    def works(self) -> bool:
        """Whether we can open anything at all."""
        return self._keys.machine is not None

    async def open(self, room_id: str, event: Json) -> Json | None:
        """The event with what is in it; None if it waits for its key, or for the devices of its sender. Raises
        NotOpened, with the reason, if it is not carried."""
        waiting = self._rows.of(WAITING)
        name = word(event, "event_id")
        kept = _loaded(waiting[name]) if name in waiting else Waiting(room_id, event, self._clock())
        try:
            opened = await self._opened(room_id, event)
        except (NoKey, ApiError, Unreachable, Refused):
            if self._is_late(kept) or (name not in waiting and len(waiting) >= _MOST):
                self.forget(name)
                raise Keyless(NO_KEY) from None
            if name not in waiting:
                self._keys.ask_for(room_id, event)
            self._rows.put(WAITING, name, json.dumps([kept.room_id, kept.event, kept.since]))
            return None
        except NotOpened:
            self.forget(name)
            raise
        self.forget(name)
        return opened

    def forget(self, event_id: str) -> None:
        """That message waits no longer."""
        self._rows.put(WAITING, event_id, None)

    def ripe(self, keys: Collection[Pair]) -> Iterator[Waiting]:
        """Those of the waiting messages that should be tried again: one of `keys` (rooms and sessions) has come, or it
        is time to."""
        now = self._clock()
        all_of_them = not 0 <= now - self._tried < _AGAIN_S
        if all_of_them:
            self._tried = now
        for text in [*self._rows.of(WAITING).values()] if keys or all_of_them else ():
            waiting = _loaded(text)
            if all_of_them or (waiting.room_id, word(table(waiting.event, "content"), "session_id")) in keys:
                yield waiting

    async def _opened(self, room_id: str, event: Json) -> Json:
        machine = self._keys.machine
        assert machine is not None
        try:
            return machine.open(room_id, event)
        except Unproven:
            await self._keys.know([word(event, "sender")])
        return machine.open(room_id, event)

    def _is_late(self, waiting: Waiting) -> bool:
        return not 0 <= self._clock() - waiting.since < _WAIT_S


def _loaded(text: str) -> Waiting:
    return Waiting(*json.loads(text))
