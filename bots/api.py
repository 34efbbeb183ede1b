"""The interface of a bot: it hears questions in a link and may answer them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import Text


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a bot. The answer goes to everybody who heard the question.

    `text` is without the bot's name. `asker` is as the network shows and proves them, with the `user` that they are;
    `role` is that user's role, None for a guest. `room` is where it was asked; `link` is the name of that room's link,
    '' if it has none. `carried`: what the asker says there is carried to the rest of the link. `time`: seconds since
    the epoch.
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

    @property
    def user(self) -> str | None:
        """The name of the user who asks; None for a guest."""
        return self.asker.user


class Bot(Protocol):
    """A bot answers with any number of texts, each a message of its own; none is fine."""

    @property
    def name(self) -> str:
        """The name that its answers are sent under."""
        ...

    async def answer(self, question: Question) -> Sequence[Text]: ...


class Brain(Protocol):
    """Thinks for the duck: turns a question into a reply, or None for no reply."""

    async def reply(self, question: Question) -> Text | None: ...
