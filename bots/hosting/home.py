"""What a bot gets from the bridge: see `bots.api.Home`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bots.api import Memory, Said
from bridge.lib.bucket import TokenBucket
from bridge.model.event import Room

if TYPE_CHECKING:
    import aiohttp

A_MINUTE = 20
"""Messages that a bot may say unasked in a minute; more wait."""

Speak = Callable[[str, Room, Said, str], Awaitable[None]]
"""Says, for the bot of that key, something in a room, once for each last parameter that is not empty. Raises
PermissionError where it may not."""


class BotHome:
    """The home of the bot `key`. `find` gives the private room of a user; None: they were never met."""

    def __init__(
        self,
        key: str,
        name: str,
        memory: Memory,
        *,
        clock: Callable[[], float],
        speak: Speak,
        find: Callable[[str], Awaitable[Room | None]],
        http: "Callable[[], aiohttp.ClientSession]",
    ) -> None:
        self.name = name
        self.memory = memory
        self.clock = clock
        self._key = key
        self._speak = speak
        self._find = find
        self._http = http
        self._said = TokenBucket(A_MINUTE, A_MINUTE / 60)
        self._turn = asyncio.Lock()

    @property
    def http(self) -> "aiohttp.ClientSession":
        """See `bots.api.Home`."""
        return self._http()

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        """See `bots.api.Home`."""
        await self._wait()
        await self._speak(self._key, room, text, once)

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        """See `bots.api.Home`."""
        room = await self._find(user)
        if room is None:
            raise LookupError(f"{user} has never spoken where I hear it")
        await self.say(room, text, once=once)

    async def _wait(self) -> None:
        async with self._turn:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._said.wait_s(loop.time()))
            self._said.spend(loop.time())
