"""A homeserver that recognises transaction ids, and our account on it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import takewhile

from bridge.model.event import Event, Message, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Identity, Proof, Sender
from bridge.model.presentation import DEFAULT, Presentation
from bridge.network import Batch, TransientError
from tests.simulation.speech import Act, Said, acts, message, rendered
from tests.simulation.weather import Stir, Weather

_MERGED = 5  # messages of one sender that become one


class Homeserver:
    """One timeline for all rooms: a since token is how much of it has been seen."""

    def __init__(self, weather: Weather) -> None:
        self.timeline: list[Said] = []
        self.online = True
        self.stir = Stir()
        self._weather = weather
        self._transactions: dict[tuple[Room, str], str] = {}

    def entries(self) -> list[Said]:
        return self.timeline

    def say(self, room: Room, sender: str, act: Act, post: str = "") -> str:
        said = Said(f"${len(self.timeline)}", room, sender, act, post, self._weather.clock())
        self.timeline.append(said)
        self._weather.note(str(said))
        self.stir.ring()
        return said.id

    def put(self, post: Post) -> str:
        """The id of what was sent under this transaction id, now or ever."""
        key = (post.room, post.id)
        if key not in self._transactions:
            self._transactions[key] = self.say(post.room, "", acts(post.payload), post.id)
        return self._transactions[key]


class MatrixNetwork:
    """Sends to one room one post at a time. `merges`: a backlog of one sender becomes one message."""

    window = 1

    def __init__(self, name: str, server: Homeserver, weather: Weather, *, merges: bool) -> None:
        self.name = name
        self._server = server
        self._weather = weather
        self._merges = merges
        self._last: dict[Room, asyncio.Future[bool]] = {}

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        position, server = int(cursor or 0), self._server
        while True:
            while not server.online or position == len(server.timeline):
                await server.stir.wait()
            await self._weather.latency(0.005, 0.2)
            if self._gone():
                continue
            until = min(len(server.timeline), position + self._weather.rng.randint(1, 8))
            events = tuple(self._heard(said) for said in server.timeline[position:until] if not said.post)
            position = until
            if events:
                yield Batch(events, str(position))

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        sender = owed[0].event.sender
        together = takewhile(lambda item: isinstance(item.event.body, Message) and item.event.sender == sender, owed)
        run = [*together][: _MERGED if self._merges else 1]
        if len(run) < 2:
            return rendered(owed)
        deliveries = tuple(delivery for item in run for delivery in item.deliveries)
        return [Post.of(owed[0].room, deliveries, 0, message(run))]

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """In the order in which it was asked for; where one fails, those that wait behind it fail too."""
        before = self._last.get(post.room)
        done = self._last[post.room] = asyncio.get_running_loop().create_future()
        try:
            if before is not None and not before.done():
                await asyncio.wait({before})
                if not before.result():
                    raise TransientError("what goes before it was not sent")
            remote_id = await self._put(post)
            done.set_result(True)
            return remote_id
        finally:
            if not done.done():
                done.set_result(False)

    async def _put(self, post: Post) -> str:
        self._check()
        try:
            await self._weather.latency(0.005, 0.3)
        except asyncio.CancelledError:
            if self._server.online and self._weather.rng.random() < 0.5:
                self._server.put(post)  # it was on its way
            raise
        self._check()
        remote_id = self._server.put(post)
        await self._weather.latency(0.005, 0.3)
        if self._weather.strikes():
            raise TransientError("the answer was lost", unclear=True)
        return remote_id

    def _gone(self) -> bool:
        """Asked anew after each wait."""
        return not self._server.online

    def _check(self) -> None:
        if self._gone():
            raise TransientError("the homeserver is away")
        if self._weather.strikes():
            raise TransientError("too many requests", retry_after=self._weather.rng.uniform(0.1, 3.0))

    def recognises(self, room: Room) -> bool:
        """By its id."""
        return True

    def leave(self) -> bool:
        return False

    def absence(self, room: Room) -> str | None:
        """Nobody asks yet."""
        return None

    def use(self, rooms: Sequence[Room]) -> None:
        """Every room is a configured one."""

    async def ready(self) -> None:
        """It has joined long ago."""

    def _heard(self, said: Said) -> Event:
        address = f"@{said.sender}:hs"
        sender = Sender(self.name, address, said.sender, (Identity(Proof.MATRIX, "", address),))
        return said.heard(sender, self._weather.clock())
