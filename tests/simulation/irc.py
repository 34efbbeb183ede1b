"""An IRC network, with or without history, and our connection to it, which may break at any time."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from bridge.model.casemap import Casemapping
from bridge.model.event import Edit, Event, Reaction, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import DEFAULT, Presentation
from bridge.network import Batch, TransientError
from tests.simulation.speech import Act, Said, acts, rendered
from tests.simulation.weather import Stir, Weather

_AGAIN = 3  # lines before the cursor that a history may play again


class IrcServer:
    """`history`: what was said while we were away can be asked for, and shows the ids of our own lines."""

    def __init__(self, weather: Weather, *, history: bool) -> None:
        self.history = history
        self.lines: list[Said] = []
        self.posts: dict[str, str] = {}
        self.recognised: set[str] = set()
        """Posts whose proof need not be noted at once."""
        """What each post that has arrived is known as; the last, where it came twice."""
        self.acknowledged: set[str] = set()
        self.online = True
        self.connection: Connection | None = None
        self.lost: Callable[[], None] = lambda: None
        """Called after each loss of a connection."""
        self.stir = Stir()
        self.weather = weather

    def entries(self) -> list[Said]:
        return self.lines

    def say(self, room: Room, sender: str, act: Act, post: str = "") -> str:
        said = Said(f"i{len(self.lines)}", room, sender, act, post, self.weather.clock())
        self.lines.append(said)
        self.weather.note(str(said))
        self.stir.ring()
        return said.id

    def put(self, post: Post) -> str:
        self.posts[post.id] = self.say(post.room, "", acts(post.payload), post.id)
        return self.posts[post.id]

    def join(self) -> "Connection":
        self.cut()  # the account is here once: services free its nick from an older connection
        self.connection = Connection(self)
        self.weather.note("irc connected")
        return self.connection

    def cut(self) -> None:
        """The connection is lost, with part of what is on its way."""
        if self.connection is not None:
            connection, self.connection = self.connection, None
            connection.lose()
            self.weather.note("irc connection lost")
            self.lost()
            self.stir.ring()


class Connection:
    """What we say arrives in order, and is echoed in order."""

    def __init__(self, server: IrcServer) -> None:
        self._server = server
        self._under_way: deque[tuple[Post, asyncio.Future[str]]] = deque()
        self._echoes: deque[tuple[str, asyncio.Future[str]]] = deque()
        self._arrival = self._echo = 0.0
        self.heard = 0
        """How much was said before the connection was lost."""

    def say(self, post: Post) -> asyncio.Future[str]:
        """Send `post`; its echo, as a future."""
        loop = asyncio.get_running_loop()
        echo: asyncio.Future[str] = loop.create_future()
        self._under_way.append((post, echo))
        self._arrival = max(self._arrival, loop.time() + self._server.weather.rng.uniform(0.01, 0.3))
        loop.call_at(self._arrival, self._arrive)
        return echo

    def _arrive(self) -> None:
        if self._server.connection is self:
            loop = asyncio.get_running_loop()
            post, echo = self._under_way.popleft()
            self._echoes.append((self._server.put(post), echo))
            self._echo = max(self._echo, loop.time() + self._server.weather.rng.uniform(0.01, 0.3))
            loop.call_at(self._echo, self._answer)

    def _answer(self) -> None:
        if self._server.connection is self:
            remote_id, echo = self._echoes.popleft()
            if not echo.done():
                echo.set_result(remote_id)

    def lose(self) -> None:
        for post, _ in list(self._under_way)[: self._server.weather.rng.randint(0, len(self._under_way))]:
            self._server.put(post)
        self.heard = len(self._server.lines)
        for _, echo in (*self._echoes, *self._under_way):
            if not echo.done():
                echo.set_exception(TransientError("the connection was lost", unclear=True))
                echo.exception()  # nobody may be left to ask for it


class IrcNetwork:
    """`settles`: what history shows as sent is not sent again. `recognises`: see `bridge.network.Recognises`."""

    window = 8

    def __init__(
        self, name: str, server: IrcServer, weather: Weather, *, settles: bool, recognises: bool = False
    ) -> None:
        self.name = name
        self._server = server
        self._weather = weather
        self._settles = settles and server.history
        self._recognises = recognises or self._settles
        self._connection: Connection | None = None

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        position, server = int(cursor or 0), self._server
        try:
            while True:
                await self._weather.latency(0.1, 1.0)
                if not server.online:
                    await server.stir.wait()
                    continue
                connection = self._connection = server.join()
                start = max(0, position - self._weather.rng.randint(0, _AGAIN)) if server.history else len(server.lines)
                async with aclosing(self._said(connection, start)) as said:
                    async for until, events in said:
                        position = max(position, until)
                        yield Batch(events, str(position))
                        server.acknowledged.update(event.id for event in events)
        finally:
            if server.connection is self._connection:
                server.cut()

    async def _said(self, connection: Connection, position: int) -> AsyncGenerator[tuple[int, tuple[Event, ...]], None]:
        """What others say, from `position` on, until the connection is lost."""
        server = self._server
        while True:
            connected = server.connection is connection
            until = len(server.lines) if connected else connection.heard
            if position < until:
                until = min(until, position + self._weather.rng.randint(1, 8))
                events = tuple(self._heard(said) for said in server.lines[position:until] if not said.post)
                position = until
                if events:
                    await self._weather.latency(0.005, 0.1)
                    yield position, events
            elif connected:
                await server.stir.wait()
            else:
                return

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        return rendered(owed, by_lines=True)

    def gather(self, event: Event) -> float:
        match event.body:
            case Reaction():
                return 9.0
            case Edit():
                return 3.0
            case _:
                return 0.0

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        await self._weather.awake()
        connection = self._connection
        if connection is None or self._server.connection is not connection:
            raise TransientError("not connected")
        if self._settles and post.id in self._server.posts:
            return self._server.posts[post.id]
        remote_id = await connection.say(post)
        await self._weather.latency(0.0, 0.005)
        if self._recognises:
            self._server.recognised.add(post.id)
        return remote_id

    def recognises(self, room: Room) -> bool:
        """By its history."""
        return self._recognises

    def leave(self) -> bool:
        return False

    def absence(self, room: Room) -> str | None:
        """Nobody asks yet."""
        return None

    def use(self, rooms: Sequence[Room]) -> None:
        """Every room is a configured one."""

    async def ready(self) -> None:
        """It joins when it connects."""

    def _heard(self, said: Said) -> Event:
        sender = Sender(
            self.name, said.sender, said.sender, (Identity(Proof.IRC, self.name, said.sender),), Casemapping.RFC1459
        )
        return said.heard(sender, self._weather.clock())
