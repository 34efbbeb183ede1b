"""Whom people in a room mean by a name: by what we heard there, or else by what the homeserver says beforehand."""

import asyncio
from collections.abc import Callable

from bridge.lib.lru import LruDict
from bridge.matrix.account import Account
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.names import Names
from bridge.model.event import Room
from bridge.network import Refused

_ROOMS = 500
"""Most rooms in which people are asked for beforehand."""
_MOST = 2000
"""Most people of a room who are asked for beforehand. In a bigger one somebody soon speaks, and then we know them."""


class Calling:
    """Asks for the people of each configured room once, so that the first who is called there is known. From the first
    thing that we hear in a room on, `JoinedRoom.names` is what counts."""

    def __init__(self, rooms: Rooms, homeserver: Homeserver, account: Account, joining: Joining) -> None:
        self._rooms = rooms
        self._homeserver = homeserver
        self._account = account
        self._joining = joining
        self._asked: LruDict[str, Names | None] = LruDict(_ROOMS)
        self._wanted: asyncio.Queue[JoinedRoom] = asyncio.Queue(_ROOMS)

    def who(self, room: Room) -> Callable[[str], str | None]:
        """Gives the Matrix id of the one person in `room` who may be called so, else None."""
        joined = self._rooms.of(room)
        if joined is None or joined.private:
            return _nobody
        if joined.names is not None:
            self._asked.pop(joined.id)
            return joined.names.who
        if joined.id not in self._asked and not self._wanted.full():
            self._asked[joined.id] = None
            self._wanted.put_nowait(joined)
        found = self._asked.get(joined.id)
        return _nobody if found is None else found.who

    async def hold(self) -> None:
        """Ask for people. Does not return."""
        await self._joining.complete.wait()
        for joined in self._rooms:
            self.who(joined.room)
        while True:
            await self._ask(await self._wanted.get())

    async def _ask(self, joined: JoinedRoom) -> None:
        try:
            people = await look.names(self._homeserver, joined.id, None, _MOST)
        except (ApiError, Unreachable, Refused):
            self._asked.pop(joined.id)  # the next who is called there is a reason to ask again
            return
        us = self._account.us
        found = Names(us.user, us.names, are_known=people is not None)
        for user, name in (people or {}).items():
            if not self._rooms.is_ghost(user):
                found.change(user, name)
        if joined.names is None and not joined.closed:
            self._asked[joined.id] = found


def _nobody(_called: str) -> None:
    return None
