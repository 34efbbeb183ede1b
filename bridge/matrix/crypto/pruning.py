"""Forgets keys and devices that nothing can need any more, once a day, so that the rows of years stay few."""

import asyncio
from collections.abc import Awaitable, Callable

from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.olm.spent import DAY_S
from bridge.matrix.http.homeserver import ApiError, TooLarge, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.network import Refused

_AT_ONCE = 20
"""Keys and devices that are looked at before others get a turn."""


class Pruning:
    """`people` tells who is in an encrypted room or invited to it; it raises what `Homeserver` raises."""

    def __init__(self, rooms: Rooms, keys: Keys, people: Callable[[JoinedRoom], Awaitable[frozenset[str]]]) -> None:
        self._rooms = rooms
        self._keys = keys
        self._people = people

    async def hold(self) -> None:
        """Does not return. Nothing goes within a day of the start: messages from while we were away may need it."""
        while True:
            await asyncio.sleep(DAY_S)
            if self._keys.machine is not None:
                await self._prune(self._keys.machine)

    async def _prune(self, machine: Machine) -> None:
        near, large = {machine.user}, set[str]()
        for joined in self._rooms:
            if joined.encrypted and joined.inside:
                try:
                    near |= await self._people(joined)
                except TooLarge:  # nobody there gets keys
                    large.add(joined.id)
                except (ApiError, Unreachable, Refused):
                    pass  # then all are near

        def is_near(user: str) -> bool:
            if user in near or any(_may_be_in(joined, user) for joined in self._rooms if joined.id not in large):
                return True
            self._keys.directory.changed([user])  # whoever comes back is asked for again
            return False

        for number, _ in enumerate(machine.prune(self._period_s, is_near), 1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    def _period_s(self, room_id: str) -> float:
        """For how many seconds people of a room use one key."""
        return self._rooms.encrypted.period(room_id).seconds


def _may_be_in(joined: JoinedRoom, user: str) -> bool:
    """Whether `user` may be in an encrypted room, by now."""
    return joined.encrypted and joined.inside and (joined.members is None or user in joined.members)
