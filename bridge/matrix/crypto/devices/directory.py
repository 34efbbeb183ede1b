"""Asks homeservers for the devices of their people, when they may have changed and somebody needs to know them."""

import asyncio
from collections.abc import Callable, Collection

import structlog

from bridge.lib.bucket import SlidingWindow
from bridge.lib.lru import LruDict
from bridge.matrix.crypto.again import is_recent
from bridge.matrix.crypto.devices.pins import Pins
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.signatures import Device, devices, master_key
from bridge.matrix.dialect.fields import Json, table
from bridge.matrix.http.homeserver import Homeserver

log = structlog.get_logger()

_USERS = 50
"""People asked for at a time, so that nothing waits long for what is done with the answer."""
_AT_ONCE = 20
"""Devices whose signatures are checked before others get a turn: about a third of a millisecond each."""
_MOST = 10_000
"""Most people for whom it is remembered that their homeserver did not answer."""
_CHANGED = "their clients say that it was reset: they have lost their recovery key, or somebody else has got in"
_AN_HOUR = 100
"""Most people with new identities that are named in the log in an hour."""
_NO_MORE = "There are too many of them: others are not named for an hour"


class Directory:
    """`pins` tells whose master key is another one than before."""

    def __init__(self, network: str, homeserver: Homeserver, pins: Pins, clock: Callable[[], float]) -> None:
        self._network = network
        self._homeserver = homeserver
        self._pins = pins
        self._clock = clock
        self._fresh: set[str] = set()  # whose devices we know as they are now
        self._under_way: dict[str, asyncio.Future[None]] = {}  # done when the question for their devices is answered
        self._asked: LruDict[str, float] = LruDict(_MOST)  # when those were asked for who are not fresh
        self._named = SlidingWindow(_AN_HOUR, 3600)

    def changed(self, users: Collection[str]) -> None:
        """These may have other devices or keys than before."""
        self._fresh.difference_update(users)

    async def know(self, machine: Machine, users: Collection[str]) -> None:
        """Let `machine` know the devices of these people as they are now, as far as their homeservers tell."""
        while True:
            now = self._clock()
            unknown = [user for user in users if not (user in self._fresh or is_recent(self._asked.peek(user), now))]
            for start in range(0, len(unknown), _USERS):
                await self._ask(machine, unknown[start : start + _USERS])
            others = {self._under_way[user] for user in users if user in self._under_way}
            if not others:
                return
            await asyncio.wait(others)  # somebody else has asked for them

    async def _ask(self, machine: Machine, users: Collection[str]) -> None:
        self._fresh.update(users)  # first: whoever changes meanwhile is not
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.update(dict.fromkeys(users, answered))
        try:
            answer = await self._homeserver.post("keys", "query", body={"device_keys": {user: [] for user in users}})
            await self._learn(machine, answer, users)
        except BaseException:
            self._fresh.difference_update(users)
            raise
        finally:
            for user in users:
                if self._under_way.get(user) is answered:
                    del self._under_way[user]
            answered.set_result(None)

    async def _learn(self, machine: Machine, answer: Json, users: Collection[str]) -> None:
        for user in users:
            if user not in table(answer, "device_keys"):
                self._fresh.discard(user)
                self._asked[user] = self._clock()
                continue
            machine.devices.learn(user, await read(answer, user))
            if self._pins.note(user, master_key(answer, user)):
                self._name_changed(user)
            await asyncio.sleep(0)

    def _name_changed(self, user: str) -> None:
        """Name a person with a new identity in the log. A homeserver can change those of all its people at any time."""
        now = self._clock()
        if (left := self._named.left(now)) > 0:
            self._named.spend(now)
            hint = _CHANGED if left > 1 else f"{_CHANGED}. {_NO_MORE}"
            log.warning("identity_changed", network=self._network, user=user, hint=hint)


async def read(answer: Json, user: str) -> list[Device]:
    """The devices of `user` in an answer. Each takes two checks of a signature, and others have their turns between."""
    found = []
    for number, device in enumerate(devices(answer, user), 1):
        found.append(device)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return found
