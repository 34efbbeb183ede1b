"""A network in memory that keeps the contract of bridge.network, and can be told to fail."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from bridge.model.accounting import Count
from bridge.model.attribution import mark, stamp
from bridge.model.event import Event, EventKey, Message, Redaction, Room, with_links
from bridge.model.outbox import Owed, Post
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.text import Text, lines, plain, printable, words
from bridge.network import Batch, Gap, Moved, PermanentError, SendError, Typing, Unread, Vitals


class MemoryNetwork:
    """Hears what `hear` is given, and keeps what it sends in `sent`. Its cursor counts the events it has yielded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.window = 1
        self.away: dict[Room, str] = {}
        """Rooms where nothing can be said, and why."""
        self.muted: dict[Room, str] = {}
        """Rooms where it is, but may not speak, and why."""
        self.problem = ""
        """Why the network as a whole is away."""
        self.gaps: list[Gap] = []
        """The gaps to report with the next batch."""
        self.again: list[str] = []
        """The texts of the posts that were sent as possible duplicates."""
        self.sent: list[tuple[Room, str]] = []
        self.acknowledged = 0
        self.failures: dict[Room, list[SendError]] = {}
        self.doubled: list[str] = []
        """What was sent once more, though it was there."""
        self.moody: Callable[[], SendError | None] = lambda: None
        """What it says of the next post, whatever that is."""
        self.refused: dict[str, SendError] = {}
        """What is said of a post with such words in it."""
        self.moves: tuple[Moved, ...] = ()
        self.unread: tuple[Unread, ...] = ()
        self.counts: tuple[Count, ...] = ()
        """What the next batch says of rooms, besides events."""
        self.slots = asyncio.Semaphore(10_000)
        """How many more posts can be sent; further ones wait."""
        self.gathers: dict[str, float] = {}
        """How many seconds each type of event waits for more."""
        self.knows_again = False
        self.typed: list[tuple[Room, bool]] = []
        self.seen: list[EventKey] = []
        self.rendered: list[tuple[Owed, ...]] = []
        self._signals: list[Typing] = []
        self._rooms: Sequence[Room] | None = None
        self._said: list[Event] = []
        self._known: dict[str, str] = {}
        self._stir = asyncio.Condition()

    async def hear(self, *events: Event) -> None:
        """Let somebody say something; earlier messages stay in the history."""
        async with self._stir:
            self._said.extend(event for event in events if self._rooms is None or event.room in self._rooms)
            self._stir.notify_all()

    async def sign(self, signal: Typing) -> None:
        """Let somebody type; nothing is heard with it."""
        async with self._stir:
            self._signals.append(signal)
            self._stir.notify_all()

    def gather(self, event: Event) -> float:
        return self.gathers.get(event.body.type, 0.0)

    def recognises(self, room: Room) -> bool:
        return self.knows_again

    async def typing(self, room: Room, active: bool) -> None:
        self.typed.append((room, active))

    def read(self, event: EventKey) -> None:
        self.seen.append(event)

    async def settled(self) -> None:
        """Return when everything heard so far is acknowledged."""
        async with self._stir:
            await self._stir.wait_for(lambda: self.acknowledged == len(self._said))

    async def delivered(self, count: int) -> list[str]:
        """Wait until `count` posts were sent in all; their texts."""
        async with self._stir:
            await self._stir.wait_for(lambda: len(self.sent) >= count)
        return [text for _, text in self.sent]

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        position = int(cursor or 0)
        while True:
            async with self._stir:
                self.acknowledged = position
                self._stir.notify_all()
                while len(self._said) == position and not self._signals:
                    await self._stir.wait()
                batch = tuple(self._said[position:])
            position += len(batch)
            gaps, self.gaps = tuple(self.gaps), []
            (moves, self.moves), (counts, self.counts) = (self.moves, ()), (self.counts, ())
            unread, self.unread = self.unread, ()
            signals, self._signals = tuple(self._signals), []
            yield Batch(batch, str(position), gaps, counts, moves, signals=signals, unread=unread)

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        self.rendered.append(tuple(owed))
        return [
            Post.of(item.room, item.deliveries, part, stamp(item) + mark(item.event) + printable(plain(line)))
            for item in owed
            for part, line in enumerate(lines(_text(item)))
        ]

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        if again:
            self.again.append(post.payload)
        await self.slots.acquire()
        if self._rooms is not None and post.room not in self._rooms:
            raise PermanentError(f"{post.room} is no configured room")
        if failures := self.failures.get(post.room):
            raise failures.pop(0)
        if (mood := self.moody()) is not None:
            raise mood
        for refused, error in self.refused.items():
            if refused in post.payload:
                raise error
        async with self._stir:
            if post.id not in self._known:
                self._known[post.id] = f"{self.name}-{len(self._known)}"
                self.sent.append((post.room, post.payload))
                self._stir.notify_all()
            else:
                self.doubled.append(post.payload)
        return self._known[post.id]

    def use(self, rooms: Sequence[Room]) -> None:
        """Until the first call every room counts as configured."""
        self._rooms = tuple(rooms)

    def leave(self) -> bool:
        return False

    def absence(self, room: Room) -> str | None:
        return self.problem or self.away.get(room) or self.muted.get(room)

    def vitals(self) -> Vitals:
        return Vitals(self.problem)

    def joined(self, room: Room) -> bool:
        return not self.problem and room not in self.away

    async def ready(self) -> None:
        """It is always ready."""


def _is_removal(item: Owed) -> bool:
    return isinstance(item.event.body, Redaction)


def _text(item: Owed) -> Text:
    body = item.event.body
    if _is_removal(item):
        return words("(deleted)")
    return with_links(body) if isinstance(body, Message) else item.event.text
