"""For tests of your own bots and brains, as the pytest plugin `quackbridge.testing`: a home that is made up.

The fixture `home` is a `FakeHome`; the fixture `ask` asks a brain or a bot, and returns what it says as plain text.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from bots.api import Question, Said
from bots.hosting.growing import growing
from bots.hosting.unseen import Forgetful
from bots.hosting.voice import as_text
from bridge.model.event import Room
from bridge.model.people import Identity, Proof, Role, Sender
from bridge.model.text import plain, words

if TYPE_CHECKING:
    import aiohttp

ROOM = Room("home", "#pond:example.org")


@dataclass
class FakeHome:
    """A home whose time you set, and which keeps what was said unasked: rooms or users, with the words."""

    name: str = "duck"
    now: float = 1_700_000_000.0
    memory: Forgetful = field(default_factory=Forgetful)
    said: list[tuple[Room | str, str]] = field(default_factory=list)
    http: "aiohttp.ClientSession | None" = None
    _once: set[str] = field(default_factory=set)

    def clock(self) -> float:
        return self.now

    async def say(self, room: Room, text: Said, *, once: str = "") -> None:
        self._note(room, text, once)

    async def tell(self, user: str, text: Said, *, once: str = "") -> None:
        self._note(user, text, once)

    def _note(self, where: Room | str, text: Said, once: str) -> None:
        if not once or once not in self._once:
            self.said.append((where, plain(as_text(text))))
        self._once.add(once)


def question(
    text: str, *, user: str | None = None, name: str = "eve", now: float = 1_700_000_000.0, **more: Any
) -> Question:
    """A question by a guest, or by a member if there is a `user`. `more`: other fields of `bots.api.Question`."""
    who = user or name
    sender = Sender("home", f"@{who}:example.org", who, (Identity(Proof.MATRIX, "", f"@{who}:example.org"),), user=user)
    asked = Question("1", words(text), sender, ROOM, now, link="pond", carried=user is not None)
    return replace(asked, role=Role.MEMBER if user else None, **more) if "role" not in more else replace(asked, **more)


async def answers(brain: Any, asked: Question) -> Sequence[str]:
    """What a brain or a bot says to a question, as plain text."""
    if hasattr(brain, "answer"):
        return [plain(as_text(said)) for said in await brain.answer(asked)]
    said: Said = ""
    async for so_far in growing(brain, asked):
        said = so_far
    return [plain(as_text(said))] if said else []


@pytest.fixture
def home() -> FakeHome:
    """A made-up home for a bot."""
    return FakeHome()


@pytest.fixture
def ask() -> Callable[..., Awaitable[str | None]]:
    """Asks a brain: `await ask(brain, "hi", user="alice")` is its answer in plain text; None: it has none."""

    async def _ask(brain: Any, text: str, **more: Any) -> str | None:
        said = await answers(brain, question(text, **more))
        return "\n".join(said) if said else None

    return _ask
