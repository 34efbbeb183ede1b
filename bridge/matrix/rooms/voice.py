"""Whether we may speak in each room, by its power levels: known before a message is refused."""

import asyncio
from collections.abc import Iterable

from bridge.matrix.account import Account
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.network import Refused

_LOOK_S = 1.0
_AGAIN_S = 10.0
"""Seconds until what could not be asked is asked again."""
_KINDS = _PLAIN, _SEALED = "m.room.message", "m.room.encrypted"


class Voices:
    """Asks for the power levels of each configured room once we are in it, and again when they change: seldom."""

    def __init__(self, rooms: Rooms, homeserver: Homeserver, account: Account) -> None:
        self._rooms = rooms
        self._homeserver = homeserver
        self._account = account
        self._stale: set[JoinedRoom] = set()

    def reason(self, joined: JoinedRoom) -> str:
        """Why we may not speak there; empty if we may, or if it is not known."""
        if joined.voice is None:
            return ""
        kind = _SEALED if joined.encrypted else _PLAIN
        if kind in joined.voice:
            return ""
        return f"{self._account.us.user} may not speak in the room: its power level is too low ({kind})"

    def changed(self, joined: JoinedRoom) -> None:
        """The power levels of the room have changed."""
        self._stale.add(joined)

    async def hold(self) -> None:
        """Keep the power levels fresh. Does not return."""
        pause = _LOOK_S
        while True:
            await asyncio.sleep(pause)
            pause = _LOOK_S if await self._asked(self._wanted()) else _AGAIN_S

    def _wanted(self) -> list[JoinedRoom]:
        rooms = [joined for joined in self._rooms if not joined.private]
        for joined in rooms:
            if not joined.inside:
                joined.voice = None  # the levels may change unheard
        self._stale.intersection_update(rooms)
        return [joined for joined in rooms if joined.inside and (joined.voice is None or joined in self._stale)]

    async def _asked(self, rooms: Iterable[JoinedRoom]) -> bool:
        """Ask for the levels of `rooms`, one after the other; whether all were answered."""
        all_told = True
        for joined in rooms:
            self._stale.discard(joined)
            try:
                power = await look.power_now(self._homeserver, joined.id)
            except ApiError:  # of this room; the others may be told
                self._stale.add(joined)
                all_told = False
                continue
            except (Unreachable, Refused):
                self._stale.add(joined)
                return False
            us = self._account.us.user
            joined.voice = tuple(kind for kind in _KINDS if power.may_send(us, kind)) if joined.inside else None
        return all_told
