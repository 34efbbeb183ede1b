"""The homes of the bots: their memory in the store, and where they may speak."""

import time
from collections.abc import Mapping
from contextlib import suppress

import aiohttp

from bots.api import Home, Memory, Said
from bots.hosting.home import BotHome
from bots.hosting.host import BotHost
from bots.hosting.memory import StoredMemory
from bots.hosting.places import Places
from bridge.model.event import Room
from bridge.previews.fetcher import public_session
from bridge.rules.gate import Gate
from bridge.store import Lease, LeaseLost, stored


class LeasedMemory:
    """What bots remember, with the lease of their network. Another worker may have it: then it remembers, too."""

    def __init__(self) -> None:
        self.lease: Lease | None = None

    async def recall(self) -> Mapping[str, str]:
        """See `bridge.network.Memory`."""
        if self.lease is not None:
            with suppress(LeaseLost):
                return await stored(self.lease.recall)
        return {}

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        """See `bridge.network.Memory`."""
        if self.lease is not None:
            with suppress(LeaseLost):
                await stored(self.lease.remember, changes)


class Homes:
    """Makes homes. `host` is set before the first bot speaks."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.memory = LeasedMemory()
        self.places = Places(self._is_in, self.memory, self._rooms)
        self.host: BotHost | None = None
        self._session: aiohttp.ClientSession | None = None

    def home(self, key: str, name: str) -> Home:
        """The home of the bot `key`."""
        memory = StoredMemory(self.memory, key)
        return BotHome(key, name, memory, clock=time.time, speak=self._speak, find=self.places.of, http=self._http)

    def manners(self, key: str) -> Memory:
        """Where the manners of the bot `key` are kept: what it remembers itself takes them no place."""
        return StoredMemory(self.memory, key, "manners")

    async def close(self) -> None:
        """Close what bots have opened."""
        if self._session is not None:
            await self._session.close()

    async def _speak(self, key: str, room: Room, said: Said, once: str) -> None:
        if self.host is not None:
            await self.host.speak(key, room, said, once)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = public_session()
        return self._session

    def _rooms(self, key: str) -> Mapping[str, Room]:
        links = (link for link in self._gate.links if any(bot.key == key for bot in link.bots))
        return {link.name: link.rooms[0] for link in links}

    def _is_in(self, key: str, room: Room) -> bool:
        link = self._gate.links.of(room)
        return link is not None and any(bot.key == key for bot in link.bots)
