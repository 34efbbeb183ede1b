"""Seals what we say in encrypted rooms, at the moment of sending: first everybody there gets the key."""

import asyncio
from collections.abc import Callable, Mapping
from weakref import WeakValueDictionary

from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.dialect.fields import Json
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooLarge
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.network import PermanentError, TransientError

_MOST = 5000
"""Most people of a room in which we speak sealed: each of their devices gets each key."""
_RETRY_AFTER = 60.0
KIND = "m.room.encrypted"


class Sealing:
    """Keys are given to all devices of all who are in a room or invited to it."""

    def __init__(self, rooms: Rooms, homeserver: Homeserver, keys: Keys, clock: Callable[[], float]) -> None:
        self._rooms = rooms
        self._homeserver = homeserver
        self._keys = keys
        self._clock = clock
        self._sharing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def works(self) -> bool:
        """Whether we can seal and open at all."""
        return self._keys.machine is not None

    async def seal(
        self, joined: JoinedRoom, kind: str, content: Mapping[str, object], to: Pair | None = None
    ) -> dict[str, object]:
        """The content of an `m.room.encrypted` event that says it. The device `to` can read it, and nothing else, even
        if its owner has not signed it. Raises what `Homeserver` raises if that passes, else TransientError;
        PermanentError if the room is too large."""
        machine = self._keys.machine
        assert machine is not None
        lock = self._sharing.setdefault(joined.id, asyncio.Lock())
        async with lock:
            try:
                await self._share(machine, joined, to)
            except TooLarge as error:
                raise PermanentError(f"the room is encrypted, and too large for that: {error}") from None
            except ApiError as error:
                if error.passes or error.logged_out:
                    raise
                raise TransientError(f"the keys of the room cannot be shared ({error})", _RETRY_AFTER) from None
            return machine.outbound.seal(joined.id, kind, content)

    def open_ours(self, joined: JoinedRoom, event: Json) -> Json:
        """What we said in an encrypted room. Raises NotOpened if its key is not here any more."""
        assert self._keys.machine is not None
        return self._keys.machine.inbound.open(joined.id, event)

    async def _share(self, machine: Machine, joined: JoinedRoom, to: Pair | None) -> None:
        """Give the key for what we say next to all who do not have it yet."""
        period = self._rooms.encrypted.period(joined.id)
        while True:
            users = await self.people(joined)
            await self._keys.directory.know(machine, users)
            refused = {*machine.devices.refused(users)}
            receivers = {*machine.devices.receivers(users), *(refused & {to})}
            lacking = machine.outbound.begin(joined.id, receivers, period, self._clock())
            await self._keys.claims.meet(machine, machine.unmet(lacking))
            if joined.members is not None and users == joined.members:
                break
        await self._keys.claims.withhold(machine, joined.id, refused - receivers)
        if not lacking:
            return
        for pairs, body in machine.outbound.share(joined.id, lacking):
            await self._keys.mail.send(KIND, body)
            machine.outbound.shared(joined.id, pairs)

    async def people(self, joined: JoinedRoom) -> frozenset[str]:
        """Who is there or invited, without asking if we have heard all changes since we asked last. Raises what
        `Homeserver` raises."""
        while joined.members is None:
            before = joined.comings
            there = await look.people(self._homeserver, joined.id, _MOST)
            if joined.comings == before:
                joined.members = there
        return frozenset(joined.members)
