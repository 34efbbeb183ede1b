"""What a bot is: a program in a link that hears questions and may answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.model.people import Sender
from bridge.model.text import Text


@dataclass(frozen=True, slots=True)
class Question:
    """What a bot is asked. `text` is without the name that it was called by; `asker` is whom the network shows, with
    what it proves of them. The answer is heard by whoever heard the question."""

    id: str
    text: Text
    asker: Sender
    private: bool


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
