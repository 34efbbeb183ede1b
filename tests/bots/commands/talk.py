"""Talks to the commands brain: who says what where, and what is answered."""

import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from bots.api import Question, Reply, Said
from bots.brains.commands import Commands
from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import plain, words
from tests.bots.home import FakeHome
from tests.events import HOME, LIBERA, irc, matrix

NOW = datetime(2026, 11, 27, 20, 30, tzinfo=UTC).timestamp()
"""A Friday."""


def user(name: str) -> Question:
    """What the user `name` says in the link `pond`, on Matrix; it is carried."""
    asker = replace(matrix(name), user=name)
    return Question("", words(""), asker, HOME, NOW, role=Role.MEMBER, link="pond", carried=True)


def guest(nick: str, *, account: str | None = None) -> Question:
    """What a guest says in the link `pond`, on IRC; it is not carried."""
    return Question("", words(""), replace(irc(nick, account), connection=f"c-{nick}"), LIBERA, NOW, link="pond")


def private(question: Question) -> Question:
    """The same person in private."""
    room = Room(question.room.network, f"!{question.asker.address}")
    return replace(question, room=room, private=True, link="", carried=False)


def text_of(said: Said | None) -> str | None:
    """The words of an answer."""
    found = said.text if isinstance(said, Reply) else said
    return plain(found) if isinstance(found, tuple) else found


@dataclass
class Talk:
    """A brain with its home. Each question has an id of its own, and the time of the home's clock."""

    home: FakeHome = field(default_factory=lambda: FakeHome(now=NOW))
    settings: Commands.Settings = field(default_factory=Commands.Settings)
    asked: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start the brain, as after a crash."""
        self.brain = Commands(self.settings, self.home, random.Random(1))

    async def say(self, who: Question, text: str, *, called: bool = True) -> str | None:
        """The answer to `text`."""
        self.asked += 1
        question = replace(who, id=f"q{self.asked}", text=words(text), time=self.home.now, called=called)
        return text_of(await self.brain.reply(question))

    async def hear(self, who: Question, text: str) -> None:
        """Somebody says something to nobody; the brain must not answer."""
        assert await self.say(who, text, called=False) is None

    @property
    def said(self) -> list[str]:
        """What was said unasked in rooms, since this was read last."""
        found = [text_of(text) or "" for _, text in self.home.said]
        self.home.said.clear()
        return found

    @property
    def told(self) -> list[tuple[str, str]]:
        """What was told to users, since this was read last."""
        found = [(name, text_of(text) or "") for name, text in self.home.told]
        self.home.told.clear()
        return found


def named(question: Question, name: str) -> Question:
    """The same question from somebody who shows another name."""
    asker: Sender = replace(question.asker, name=name)
    return replace(question, asker=asker)
