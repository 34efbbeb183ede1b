"""Our IRC adapter on a real server, without the rest of the bridge, and people there."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from bridge.demo.people import IrcPerson
from bridge.demo.servers import Process
from bridge.demo.servers.process import HOST
from bridge.irc.client import IrcNetwork
from bridge.irc.puppets.crowd import Members
from bridge.irc.puppets.logins import Accounts
from bridge.irc.settings import IrcSettings
from bridge.model.event import Body, Event, Kind, Message, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import Presentation
from bridge.model.text import Text, plain, words
from bridge.network import Gap, InDoubt, Memory, News, SendError, TransientError, Typing
from tests.integration.servers import unique
from tests.settings import irc_settings

Found = TypeVar("Found")

PATIENCE = 20.0
_UNCOLOURED = Presentation(colour_names=False)
TAGS = ("message-tags", "server-time", "account-tag", "echo-message")


@dataclass
class Ours:
    """Our side of a network, taking what it yields as it comes. `heard` are the messages among the `events`."""

    network: IrcNetwork
    settings: IrcSettings
    room: Room
    events: list[Event] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)
    signals: list[Typing] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    changes: dict[str, str | None] = field(default_factory=dict)
    stir: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def consume(self) -> None:
        stream = self.network.events(None)
        try:
            async for batch in stream:
                async with self.stir:
                    self.events.extend(batch.events)
                    self.heard.extend(event for event in batch.events if isinstance(event.body, Message))
                    self.signals.extend(batch.signals)
                    self.gaps.extend(batch.gaps)
                    self.news.extend(batch.news)
                    self.changes.update(batch.changes)
                    self.stir.notify_all()
        finally:
            await stream.aclose()

    async def hears(self, text: str) -> Event:
        return await self._until(lambda: next((each for each in self.heard if text in plain(each.text)), None))

    async def sees(self, wanted: Callable[[Body], bool]) -> Event:
        """Wait for the first event with such a body."""
        return await self._until(lambda: next((each for each in self.events if wanted(each.body)), None))

    async def senses(self, active: bool) -> Typing:
        """Wait for the first sign that somebody types, or has stopped."""
        return await self._until(lambda: next((each for each in self.signals if each.active == active), None))

    async def is_told(self, text: str) -> News:
        """Wait for news with that text."""
        return await self._until(lambda: next((each for each in self.news if text in each.text), None))

    async def _until(self, find: Callable[[], Found | None]) -> Found:
        async with asyncio.timeout(PATIENCE), self.stir:
            await self.stir.wait_for(lambda: find() is not None)
        found = find()
        assert found is not None
        return found

    async def says(self, text: Text, room: Room | None = None, *, name: str = "Ann", kind: Kind = Kind.TEXT) -> str:
        """Render and send a message of somebody on another network; the remote id of its last line."""
        remote = ""
        for post in self.posts(text, room, name=name, kind=kind):
            remote = await self.network.send(post)
        return remote

    def posts(
        self, text: Text, room: Room | None = None, *, name: str = "Ann", kind: Kind = Kind.TEXT
    ) -> Sequence[Post]:
        """What somebody on another network says, as posts to `room`."""
        room = room or self.room
        there = Room("home", "!pond")
        message = Event(
            unique("$"), there, Sender("home", "@ann:hs", name), 0.0, Message(text, kind), room != self.room
        )
        return self.network.render([Owed(Delivery.of(message.key, room).id, room, message)], _UNCOLOURED)

    async def carries(self, *texts: str) -> list[SendError]:
        """Send each post as the relay does, again and again until it is sent; the errors on the way."""
        return await self.delivers([post for text in texts for post in self.posts(words(text))])

    async def delivers(self, posts: Sequence[Post]) -> list[SendError]:
        """See `carries`."""
        trouble: list[SendError] = []
        for post in posts:
            while True:
                try:
                    await self.network.send(post)
                    break
                except InDoubt as error:
                    trouble.append(error)
                except TransientError as error:
                    trouble.append(error)
                    await asyncio.sleep(error.retry_after or 0.2)
        return trouble

    async def says_until_refused(self, text: str) -> None:
        """Send until it is refused, and raise that error: the reason of the refusal may reach us a moment later."""
        while True:
            await self.says(words(text))


@asynccontextmanager
async def ours(
    server: Process,
    /,
    *,
    wait: bool = True,
    channel: str = "",
    address: str = HOST,
    memory: Memory | None = None,
    members: Members | None = None,
    accounts: Accounts | None = None,
    **changes: object,
) -> AsyncGenerator[Ours, None]:
    """Our adapter on `server`, in a channel of its own, with no flood limit of ours; `changes` to its settings.
    `address` is the one on loopback from which it connects."""
    base = {"name": "net", "host": HOST, "port": server.port, "nick": unique("duck"), "tls": False}
    limits = {"burst": 1000, "per_second": 1000.0}
    settings = irc_settings(**{**base, **limits, **changes})  # type: ignore[arg-type]
    room = Room("net", channel or f"#{unique('Pond')}")
    connect = partial(asyncio.open_connection, local_addr=(address, 0))
    network = IrcNetwork(
        settings, [room], rng=random.Random(1), connect=connect, memory=memory, members=members, accounts=accounts
    )
    ours = Ours(network, settings, room)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ours.consume())
        try:
            if wait:
                async with asyncio.timeout(PATIENCE):
                    await ours.network.ready()
            yield ours
        finally:
            task.cancel()


def person(server: Process, **options: object) -> IrcPerson:
    return IrcPerson(HOST, server.port, unique("bob"), caps=TAGS, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def channel_of(op: IrcPerson) -> AsyncGenerator[str, None]:
    """A channel of which `op` is the operator."""
    channel = f"#{unique('pond')}"
    await op.join(channel)
    yield channel


class Log:
    """What was logged, in this process."""

    def __init__(self, entries: Sequence[Mapping[str, Any]]) -> None:
        self._entries = entries

    def of(self, event: str, matches: Callable[[Mapping[str, Any]], bool] = lambda _: True) -> list[Mapping[str, Any]]:
        return [entry for entry in self._entries if entry["event"] == event and matches(entry)]

    async def shows(
        self, event: str, count: int = 1, matches: Callable[[Mapping[str, Any]], bool] = lambda _: True
    ) -> Mapping[str, Any]:
        """The entry of that event and number, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while len(self.of(event, matches)) < count:  # noqa: ASYNC110 - a log is no event
                await asyncio.sleep(0.02)
        return self.of(event, matches)[count - 1]
