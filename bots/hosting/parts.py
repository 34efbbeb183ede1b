"""The bot host in two parts, where several workers share a store: each has a voice, and one has the ears."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from bots.hosting.host import BotHost
from bridge.model.event import BOTS, Room
from bridge.model.outbox import Owed, Post
from bridge.model.presentation import DEFAULT, Presentation
from bridge.network import Batch, PermanentError


class _Part:
    window = 1

    def __init__(self, host: BotHost, name: str) -> None:
        self.name = name
        self._host = host

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        return self._host.render(owed, how)

    def leave(self) -> bool:
        return False

    def use(self, rooms: Sequence[Room]) -> None:
        """Ears are not configured."""

    def absence(self, room: Room) -> str | None:
        return None

    async def ready(self) -> None:
        """The bots are always there."""


class Ears(_Part):
    """Hears what waits for the bots; they answer by the voice of the same worker."""

    def __init__(self, host: BotHost) -> None:
        super().__init__(host, BOTS)

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yields nothing."""
        await asyncio.Event().wait()
        yield Batch((), cursor or "")

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """See `BotHost.send`."""
        return await self._host.send(post, again=again)


class Voice(_Part):
    """Says what the bots and the desk of this worker answer. Nothing waits for it."""

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `BotHost.events`."""
        async for batch in self._host.events(cursor):
            yield batch

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """Raises `PermanentError`."""
        raise PermanentError("a voice has no rooms")
