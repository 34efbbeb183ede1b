"""Opens what others say in encrypted rooms, once it is proven whose words it is."""

import json
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import structlog

from bridge.lib.lru import LruSet
from bridge.matrix.crypto.devices.withheld import Cause
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.opened import NoKey, NotOpened, RoomKey, Unproven, Unsigned
from bridge.matrix.crypto.rows import WAITING, Rows
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.network import Refused

log = structlog.get_logger()

_WAIT_S = 300.0
"""Seconds that a message waits for its key."""
_AGAIN_S = 30.0
"""Seconds after which all that wait are tried again: a homeserver may not have told the devices of a sender."""
_MOST, _EACH = 200, 50
"""Most messages that wait for a key, of all people and of one: each may have 64 KB."""
_DEEPER = 20
"""Levels of nesting by which a message could be deeper that waits, as it may be read from deeper within the program."""
_NAMED = 1000
"""Most devices of which it is remembered that they were named in the log."""
_HINT = "their owner has not verified this device; `trust: cross-signed` carries verified ones only"
NO_KEY = Cause(
    "encrypted, and there is no key for it",
    "their client has not given me the key. Please say it again. If that does not help: some clients give their keys to"
    " verified devices only, which can be changed in their settings.",
)
"""Why a message is not carried whose key has not come."""


class Keyless(NotOpened):
    """The key of a message will not come, or has not for so long that it is not waited for any more."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sealed event of a room that waits since `since` (seconds since the epoch)."""

    room_id: str
    event: Json
    since: float


@dataclass(frozen=True, slots=True)
class _About:
    """Of a message that waits: the room and session of its key, its sender, and since when it waits."""

    key: RoomKey
    sender: str
    since: float


class Opening:
    """Messages whose key may still come wait in `rows`, so that a restart loses none."""

    def __init__(self, keys: Keys, rows: Rows, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._rows = rows
        self._clock = clock
        self._tried = -math.inf
        self._abouts: dict[str, _About] = {}
        self._named: LruSet[Pair] = LruSet(_NAMED)

    @property
    def works(self) -> bool:
        """Whether we can open anything at all."""
        return self._keys.machine is not None

    async def open(self, room_id: str, event: Json) -> Json | None:
        """The event with what is in it; None if it waits for its key, or for the devices of its sender. Raises
        NotOpened, with the reason, if it is not carried."""
        waiting = self._rows.of(WAITING)
        name = word(event, "event_id")
        since = self._since(name)
        try:
            opened = await self._opened(room_id, event)
        except (NoKey, ApiError, Unreachable, Refused) as error:
            cause = self._keys.withheld.cause(room_id, event) if isinstance(error, NoKey) else None
            if cause or self._is_late(since) or (name not in waiting and not self._has_place(event)):
                self.forget(name)
                cause = cause or NO_KEY
                raise Keyless(cause.reason, cause.told) from None
            if name not in waiting:
                self._keep(name, Waiting(room_id, event, since))
                self._keys.ask_for(room_id, event)
            return None
        except NotOpened:
            self.forget(name)
            raise
        self.forget(name)
        self._name_unsigned(room_id, event)
        return opened

    def forget(self, event_id: str) -> None:
        """That message waits no longer."""
        self._rows.put(WAITING, event_id, None)
        self._abouts.pop(event_id, None)

    def ripe(self, keys: Collection[RoomKey]) -> Iterator[Waiting]:
        """Those of the waiting messages that should be tried again: one of `keys` (rooms and sessions) has come, or it
        is time to."""
        now = self._clock()
        all_of_them = not 0 <= now - self._tried < _AGAIN_S
        if all_of_them:
            self._tried = now
        for name in [*self._rows.of(WAITING)] if keys or all_of_them else ():
            if (all_of_them or self._about(name).key in keys) and (waiting := self._loaded(name)) is not None:
                yield waiting

    def _keep(self, name: str, waiting: Waiting) -> None:
        """Let a message wait. Raises NotOpened if it is nested so deeply that it could not be read again."""
        try:
            text = json.dumps([waiting.room_id, waiting.event, waiting.since])
            json.loads(f"{_DEEPER * '['}{text}{_DEEPER * ']'}")
        except RecursionError:
            raise NotOpened("it is damaged") from None
        self._rows.put(WAITING, name, text)

    def _has_place(self, event: Json) -> bool:
        """Whether one more message of its sender may wait: others have their places, whoever makes up messages."""
        waiting, sender = self._rows.of(WAITING), word(event, "sender")
        return len(waiting) < _MOST and sum(self._about(name).sender == sender for name in waiting) < _EACH

    def _about(self, name: str) -> _About:
        """Whose words wait, and for which key: kept, as reading many large messages for each key would take long."""
        found = self._abouts.get(name)
        if found is None:
            room_id, event, since = json.loads(self._rows.of(WAITING)[name])
            key = (room_id, word(table(event, "content"), "session_id"))
            found = self._abouts[name] = _About(key, word(event, "sender"), since)
        return found

    def _since(self, name: str) -> float:
        return self._about(name).since if name in self._rows.of(WAITING) else self._clock()

    def _loaded(self, name: str) -> Waiting | None:
        text = self._rows.get(WAITING, name)
        return Waiting(*json.loads(text)) if text is not None else None

    async def _opened(self, room_id: str, event: Json) -> Json:
        machine = self._keys.machine
        assert machine is not None
        try:
            return machine.inbound.open(room_id, event)
        except (Unproven, Unsigned):
            await self._keys.directory.know(machine, [word(event, "sender")])
        return machine.inbound.open(room_id, event)

    def _name_unsigned(self, room_id: str, event: Json) -> None:
        """Log, once for each, which devices say something that their owners have not verified."""
        pair = self._keys.machine.inbound.unsigned_sender(room_id, event) if self._keys.machine is not None else None
        if pair is not None and self._named.add(pair):
            log.info("unsigned_device", user=pair[0], device=pair[1], hint=_HINT)

    def _is_late(self, since: float) -> bool:
        return not 0 <= self._clock() - since < _WAIT_S
