"""Where bots may speak unasked, and where people are met."""

from collections.abc import Callable, Mapping

from bridge.lib.lru import LruSet
from bridge.model.event import BOTS, Event, Room
from bridge.network import Memory

_PRIVATE = 1000
"""Private conversations of this run that are remembered."""
_MET = "met "

Links = Callable[[str, Room], bool]
"""Whether a bot is in the link of a room."""


class Places:
    """`is_in` tells where the bots are, `rooms` one room of each link of a bot, by the link's name.

    `memory` keeps where each user spoke last: one line each, written when it changes. Users are those of the local
    allowlist, so there is an end to them.
    """

    def __init__(
        self,
        is_in: Links = lambda _key, _room: False,
        memory: Memory | None = None,
        rooms: Callable[[str], Mapping[str, Room]] = lambda _key: {},
    ) -> None:
        self.rooms = rooms
        self._is_in = is_in
        self._memory = memory
        self._private: LruSet[Room] = LruSet(_PRIVATE)
        self._met: dict[str, str] | None = None

    def ear(self, key: str, room: Room) -> Room | None:
        """The ear from which the bot `key` is heard in `room`: by all of its link, or in private; None: nowhere."""
        if self._is_in(key, room):
            return Room(BOTS, f"{key}@@{room}")
        if room in self._private or str(room) in (self._met or {}).values():
            return Room(BOTS, f"{key}@{room}")
        return None

    async def met(self, event: Event) -> None:
        """Somebody asks a bot."""
        if event.private:
            self._private.add(event.room)
        user = event.sender.user
        if user is None or self._memory is None:
            return
        place = str(event.room if event.private else Room(event.room.network, event.sender.address))
        known = await self._known()
        if known.get(user) != place:
            known[user] = place
            await self._memory.remember({_MET + user: place})

    async def of(self, user: str) -> Room | None:
        """The private conversation with a user, on the network where they spoke to a bot last."""
        place = (await self._known()).get(user)
        return None if place is None else Room.parse(place)

    async def _known(self) -> dict[str, str]:
        if self._met is None:
            kept: Mapping[str, str] = {} if self._memory is None else await self._memory.recall()
            if self._met is None:  # another first use may have been quicker, and have changed it
                self._met = {key[len(_MET) :]: place for key, place in kept.items() if key.startswith(_MET)}
        return self._met
