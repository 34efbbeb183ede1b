"""What a bot is: a program in a link that hears questions and may answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import Text


@dataclass(frozen=True, slots=True)
class Question:
    """What a bot is asked. Its answer goes to everybody who heard the question.

    `text` is without the name that the bot was called by. `asker` is as the network shows and proves them, with the
    `user` that they are; `role` is that user's, None for a guest. `room` is where it was asked and `link` the name of
    the link of that room, '' where it is in none; `time` is when (seconds since the epoch).
    """

    id: str
    text: Text
    asker: Sender
    room: Room
    time: float
    private: bool = False
    role: Role | None = None
    link: str = ""

    @property
    def user(self) -> str | None:
        """The name of the user who asks; None for a guest."""
        return self.asker.user


class Bot(Protocol):
    """A bot says as many messages as it likes, each a text; nothing is a fine answer."""

    @property
    def name(self) -> str:
        """What its answers are marked with."""
        ...

    async def answer(self, question: Question) -> Sequence[Text]: ...


class Brain(Protocol):
    """How the duck thinks."""

    async def reply(self, question: Question) -> Text | None: ...
