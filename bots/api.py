"""The interface of bots and brains: a bot hears questions in a link and may answer; a brain thinks for it.

A brain is any class with `reply`, or with `stream` (see `Streaming`). What else it has is looked for when it is made:

- `Settings`, a pydantic model: what the config says under `settings.NAME`; handed in as `settings`
- a parameter `home` of its constructor: its `Home`
- `hears_all = True`: it is asked for what nobody asked it too, where the bot `hears: all`; `Question.called` tells
- `run()`, a coroutine: runs while the bot does, for what happens without a question (reminders)
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import Text

if TYPE_CHECKING:
    import aiohttp
    from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the talk before a question. `ours`: the bot said it. `name`: who said it, as people see them."""

    name: str
    text: str
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a bot. The answer goes to everybody who heard the question.

    `text` is without the bot's name. `asker` is as the network shows and proves them, with the `user` that they are;
    `role` is that user's role, None for a guest. `room` is where it was asked; `link` is the name of that room's link,
    '' if it has none. `carried`: what the asker says there is carried to the rest of the link. `time`: seconds since
    the epoch. `called`: the bot was asked, by its name, by a reply to it, in private, or in a talk that is still open;
    else it only heard it. `turns`: what was said before in the same talk, oldest first, at most `TURNS`; all of it was
    heard by those who will hear the answer.
    """

    id: str
    text: Text
    asker: Sender
    room: Room
    time: float
    private: bool = False
    role: Role | None = None
    link: str = ""
    carried: bool = False
    called: bool = True
    turns: tuple[Turn, ...] = ()

    @property
    def user(self) -> str | None:
        """The name of the user who asks; None for a guest."""
        return self.asker.user


TURNS = 30
"""Most turns before a question that are handed in."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a brain says. `text`: Markdown, or text with its formatting. `why`: how it came to that (its score, the
    stored line), for `quackbridge chat --explain`; never shown in a room."""

    text: str | Text
    why: str = ""


Said: TypeAlias = str | Text | Reply
"""What brains and bots may return; a string is Markdown."""


class CannotThink(Exception):
    """Raised by a brain that has no answer because something failed. Its words, one short sentence for people, are said
    in the room before the answer of the next brain, each at most once an hour. It is not logged."""


class Memory(Protocol):
    """What one bot remembers, in the bridge's store: small JSON values under names of its own.

    A name has at most 200 characters, a value 16 KB as JSON, a bot 10,000 of them: ValueError beyond.
    """

    async def get(self, key: str) -> "JsonValue": ...  # None: there is none
    async def put(self, key: str, value: "JsonValue") -> None: ...  # None forgets it
    async def items(self, prefix: str = "") -> "Mapping[str, JsonValue]": ...


class Home(Protocol):
    """What the bridge gives to a bot or brain."""

    @property
    def name(self) -> str:
        """The bot's name, as people see it."""
        ...

    @property
    def memory(self) -> Memory: ...

    @property
    def clock(self) -> Callable[[], float]:
        """The time now, in seconds since the epoch. In tests it is made up."""
        ...

    @property
    def http(self) -> "aiohttp.ClientSession":
        """For public addresses only: whatever is not on the public internet is refused, as it is for previews."""
        ...

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        """Speak unasked in `room`, and the rest of its link if `room` is in one of the bot's links; or in the private
        conversation that `room` is. Returns when it is stored: then it is said whatever happens. With the same `once`
        it is said once, also after a crash. PermissionError if the bot has no right to, or was told to be quiet there;
        at most 20 a minute: it waits.
        """
        ...

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        """Say something in private to a user, on the network where they spoke last, as `say` does. Raises LookupError
        if they have never spoken to a bot here."""
        ...


class Bot(Protocol):
    """A bot answers with any number of texts, each a message of its own; none is fine."""

    @property
    def name(self) -> str:
        """The name that its answers are sent under."""
        ...

    async def answer(self, question: Question) -> Sequence[Said]: ...


@runtime_checkable
class Keeping(Protocol):
    """A bot that keeps what was said, and so has to know what became of it. `message` is the `Question.id`. Where it
    `hears: all`, people are told its `announcement`, if it has one, instead of the bridge's own."""

    def removed(self, message: str) -> None: ...
    def edited(self, message: str, text: str) -> None: ...


class Brain(Protocol):
    """Thinks for the duck: turns a question into a reply, or None: the next brain of the chain is asked."""

    async def reply(self, question: Question) -> Said | None: ...


class Streaming(Protocol):
    """A brain or bot whose reply comes piece by piece: each item is the whole reply so far; the last one is the reply,
    '' or no item at all mean that there is none.

    On networks where a message can be edited, people see it grow, a step a second at most; elsewhere they get the whole
    reply. A brain that has `stream` need not have `reply`. A bot has `answer` all the same: for who cannot see it grow.
    """

    def stream(self, question: Question) -> AsyncIterator[Said]: ...
