"""Where bots may speak unasked, and where people are met."""

from collections.abc import Callable, Mapping

from bridge.model.casemap import Casemapping
from bridge.model.event import BOTS, Event, Room
from bridge.network import Memory

_PRIVATE = 1000
"""Private conversations that are remembered; those of users only until the bridge ends."""
_MET, _GUEST = "met ", "met guest in private "

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
        self._private: dict[str, bool] = {}  # rooms, and whether they are a guest's, which are kept
        self._met: dict[str, str] | None = None
        self._owners: dict[str, str] = {}  # who was met last in a place, or in one of almost the same name

    def ear(self, key: str, room: Room) -> Room | None:
        """The ear from which the bot `key` is heard in `room`: by all of its link, or in private; None: nowhere."""
        if self._is_in(key, room):
            return Room(BOTS, f"{key}@@{room}")
        if str(room) in self._private or str(room) in (self._met or {}).values():
            return Room(BOTS, f"{key}@{room}")
        return None

    async def met(self, event: Event) -> None:
        """Somebody asks a bot."""
        user = event.sender.user
        if event.private:
            await self._talks(str(event.room), is_guest=user is None)
        if self._memory is None:
            return
        place = str(event.room if event.private else Room(event.room.network, event.sender.address))
        known = await self._known()
        changes: dict[str, str | None] = {}
        owner, fold = self._owners.get(_key(place)), event.sender.casemapping.fold
        if owner not in (None, user) and fold(known.get(owner, "")) == fold(place):
            changes[_MET + owner] = None  # the nick is somebody else's now, who must not be told what is for its owner
            del known[owner]
        if user is not None and known.get(user) != place:
            known[user] = changes[_MET + user] = place
            self._owners[_key(place)] = user
        if changes:
            await self._memory.remember(changes)

    async def of(self, user: str) -> Room | None:
        """The private conversation with a user, on the network where they spoke to a bot last."""
        place = (await self._known()).get(user)
        return None if place is None else Room.parse(place)

    async def recall(self) -> None:
        """Know again who was met before a restart, also if nobody has spoken since."""
        await self._known()

    async def _talks(self, room: str, *, is_guest: bool) -> None:
        """There is a private conversation in `room`. The oldest one is forgotten if there are too many."""
        await self._known()
        if room in self._private:
            return
        self._private[room] = is_guest
        changes: dict[str, str | None] = {_GUEST + room: room} if is_guest else {}
        if len(self._private) > _PRIVATE and self._private.pop(oldest := next(iter(self._private))):
            changes[_GUEST + oldest] = None
        if changes and self._memory is not None:
            await self._memory.remember(changes)

    async def _known(self) -> dict[str, str]:
        if self._met is None:
            kept: Mapping[str, str] = {} if self._memory is None else await self._memory.recall()
            if self._met is None:  # another first use may have been quicker, and have changed it
                guests = {key: place for key, place in kept.items() if key.startswith(_GUEST)}
                self._private |= dict.fromkeys(guests.values(), True)
                self._met = {key[len(_MET) :]: kept[key] for key in kept if key.startswith(_MET) and key not in guests}
                self._owners = {_key(place): user for user, place in self._met.items()}
        return self._met


def _key(place: str) -> str:
    return Casemapping.RFC1459.fold(place)
