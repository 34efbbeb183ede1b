"""Begins Olm sessions with the devices of others, by their one-time keys, and tells devices why they get no keys."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

from bridge.lib.lru import LruDict, LruSet
from bridge.matrix.crypto.again import is_recent
from bridge.matrix.crypto.devices import withheld
from bridge.matrix.crypto.devices.mail import Mail
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.signatures import ONE_TIME, Pair
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import ApiError, Homeserver

_DEVICES = 1000
"""Devices whose one-time keys are claimed with one request: a homeserver that does not answer for its people makes each
request wait `_CLAIM_MS`, and a person may have hundreds of devices."""
_AT_ONCE = 20
"""Sessions that are begun before others get a turn: about a third of a millisecond each."""
_MOST = 10_000
"""Most devices for which it is remembered that they had no one-time key, or what they were told."""
_CLAIM_MS = 10_000
"""How long the homeserver may wait for others'."""


class Claims:
    """A device without a one-time key is left out for a while, and told so."""

    def __init__(self, homeserver: Homeserver, mail: Mail, clock: Callable[[], float]) -> None:
        self._homeserver = homeserver
        self._mail = mail
        self._clock = clock
        self._left_out: LruDict[Pair, float] = LruDict(_MOST)  # when these devices had no one-time key
        self._told: LruSet[tuple[Pair, str]] = LruSet(_MOST)  # devices, and of which key they were told

    async def meet(self, machine: Machine, pairs: Iterable[Pair]) -> None:
        """Begin sessions with these devices, as far as they have one-time keys."""
        now = self._clock()
        wanted = [pair for pair in pairs if not is_recent(self._left_out.peek(pair), now)]
        for start in range(0, len(wanted), _DEVICES):
            await self._claim(machine, wanted[start : start + _DEVICES])

    async def withhold(self, machine: Machine, room_id: str, pairs: Collection[Pair]) -> None:
        """Tell these devices, once for each key of a room, that they do not get it, as their owners have not signed
        them."""
        if pairs:
            session = machine.outbound.session_of(room_id)
            await self._tell(pairs, withheld.of_session(room_id, session, machine.curve25519), session)

    async def _claim(self, machine: Machine, pairs: Collection[Pair]) -> None:
        wanted: dict[str, dict[str, str]] = {}
        for user, device in pairs:
            wanted.setdefault(user, {})[device] = ONE_TIME
        body: Json = {"one_time_keys": wanted, "timeout": _CLAIM_MS}
        answer = await self._homeserver.post("keys", "claim", body=body)
        without: list[Pair] = []
        for number, (user, device) in enumerate(pairs, 1):
            if machine.claimed(user, device, table(answer, "one_time_keys", user, device)):
                self._left_out.pop((user, device))
                self._told.discard(((user, device), ""))
            else:
                self._left_out[user, device] = self._clock()
                without.append((user, device))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._tell(without, withheld.without_session(machine.curve25519), "")

    async def _tell(self, pairs: Iterable[Pair], content: Json, session: str) -> None:
        for body in withheld.bodies([pair for pair in pairs if self._told.add((pair, session))], content):
            with suppress(ApiError):  # it is told, or not: nothing depends on it
                await self._mail.send(withheld.KIND, body)
