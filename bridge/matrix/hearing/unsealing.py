"""What is heard sealed: opens it as a part of listening, and tells why what cannot be opened is not carried."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from bridge.lib.bucket import SlidingWindow
from bridge.lib.lru import LruDict
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.opened import NotOpened, RoomKey, Unsigned
from bridge.matrix.crypto.opening import Keyless, Opening
from bridge.matrix.dialect import sync
from bridge.matrix.dialect.sync import ForDevice, Said, Sealed, Uncarried
from bridge.matrix.dialect.verification import Verification
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.accounting import Count, Tally

log = structlog.get_logger()

_AN_HOUR, _PEOPLE = 20, 1000
"""Messages of one person that cannot be opened and are named in the log in an hour, and the people for whom that is
counted: all are in the ledger."""
_OFF = "encrypted, and encryption is off for this bridge"
_HINT = "the room is encrypted, and `encryption` is off for this network: nothing is read there, and nothing said"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What `user` has said cannot be read, for that `reason`. `told`: what the people there are told, with `{who}`."""

    user: str
    reason: str
    told: str


class Unsealing:
    """Without `keys`, encryption is off, and nothing is opened."""

    def __init__(self, network: str, keys: Keys | None = None, opening: Opening | None = None) -> None:
        self._network = network
        self._keys = keys
        self._opening = opening
        self._came: set[RoomKey] = set()
        self._named: LruDict[str, SlidingWindow] = LruDict(_PEOPLE)

    @property
    def works(self) -> bool:
        """Whether we can open anything at all."""
        return self._opening is not None and self._opening.works

    async def hear(self, news: ForDevice) -> None:
        """Take in what a sync tells our device."""
        if self._keys is not None:
            self._came = await self._keys.hear(news)

    def ripe(self) -> Iterator[tuple[str, Sealed]]:
        """Messages that may be opened now: their rooms, and what was heard."""
        if self._opening is None or not self.works:
            return
        for waiting in self._opening.ripe(self._came):
            for entry in sync.entries([waiting.event]):
                if isinstance(entry, Sealed):
                    yield waiting.room_id, entry

    def forget(self, entry: Sealed) -> None:
        """A message of a room that is not ours any more waits no longer."""
        if self._opening is not None:
            self._opening.forget(entry.id)

    async def open(
        self, joined: JoinedRoom, entry: Sealed
    ) -> Said | Verification | Uncarried | Unreadable | Count | None:
        """What was said; a Count, with the reason, if it is not carried; None if it waits, or there is nothing to be
        said of it."""
        if self._opening is None or not self._opening.works:
            if joined.warns_of("encrypted"):
                log.warning("encrypted", network=self._network, room=str(joined.room), hint=_HINT)
            return None if joined.private else Count(joined.room, Tally.REFUSED, _OFF)
        try:
            opened = await self._opening.open(joined.id, entry.event)
        except Keyless as error:
            self._refused(joined, entry, str(error))
            return Unreadable(entry.user, str(error), error.told)
        except NotOpened as error:
            if isinstance(error, Unsigned) and isinstance(said := sync.unsealed(error.event), Verification):
                return said  # whoever verifies us proves their keys by that
            reason = f"encrypted, and {error}"
            refused = self._refused(joined, entry, reason)
            return Unreadable(entry.user, reason, error.told) if error.told else refused
        return sync.unsealed(opened) if opened is not None else None

    def _refused(self, joined: JoinedRoom, entry: Sealed, reason: str) -> Count | None:
        if self._may_name(entry.user):
            where = {"network": self._network, "room": str(joined.room), "id": entry.id, "sender": entry.user}
            log.warning("not_opened", **where, reason=reason)
        return None if joined.private else Count(joined.room, Tally.REFUSED, reason)

    def _may_name(self, user: str) -> bool:
        """Whether one more message of that person may be named in the log. It counts."""
        now = time.monotonic()
        if (window := self._named.get(user)) is None:
            window = self._named[user] = SlidingWindow(_AN_HOUR, 3600)
        if window.left(now) <= 0:
            return False
        window.spend(now)
        return True
