"""A bot's answer that grows, from the question to the rooms: edits where these can be seen, one line elsewhere."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bots.api import Question, Said
from bots.attention import Attention, Manners
from bots.hosting.attending import Attending
from bots.hosting.host import About, BotHost, Hosted
from bots.hosting.talks import Context, Talks
from bots.hosting.unseen import Forgetful
from bridge.model.event import BOTS, Edit, Event, Message, Room
from bridge.model.outbox import Owed
from bridge.model.people import Role
from bridge.rules.link import Link
from bridge.rules.routing import ear, everywhere
from tests.events import HOME, LIBERA, OFTC, irc, matrix, said
from tests.relay.test_relay import DUCK, World

ASKED = "duck: who comes?"
EAR = ear("duck", everywhere(HOME))


class Crash(Exception):
    """Ends a run at once: nothing is finished."""


class Slow:
    """A bot that says one more word every two seconds; `fails` after so many."""

    name = "Duck"

    def __init__(self, text: str = "a b c", *, pause_s: float = 1.5, fails: int = 100) -> None:
        self.words = text.split()
        self.pause_s = pause_s
        self.fails = fails
        self.asked = 0

    async def answer(self, question: Question) -> Sequence[Said]:
        self.asked += 1
        return [" ".join(self.words)]

    async def stream(self, question: Question) -> AsyncIterator[Said]:
        self.asked += 1
        for number in range(1, len(self.words) + 1):
            if number > self.fails:
                raise RuntimeError("out of words")
            await asyncio.sleep(0.5)
            yield " ".join(self.words[:number])
            await asyncio.sleep(self.pause_s)


class Pond(World):
    """The world with a duck in it. Messages can be edited on `home` only."""

    def put(self, bot: Slow) -> None:
        """A new run begins: with that bot, which remembers nothing."""
        self.bot = bot
        manners = Manners(names=("duck",))
        self.attention = Attention(manners, lambda: 0.99)
        attending = Attending(self.attention, Talks(Context.ROOM), Forgetful())
        hosted = {"duck": Hosted(bot, ("duck",), attending)}
        self.host = BotHost(hosted, clock=lambda: self.now, typing=_typing, about=self._about, grows=self._grows)
        self.networks = {**self.networks, BOTS: self.host}  # type: ignore[dict-item]

    def _about(self, event: Event) -> About:
        return About(Role.MEMBER, "" if event.private else "pond", True, True)

    def _grows(self, heard: Room) -> bool:
        return any(room.network in self.gate.editable for room in self.gate.links.hearers(heard))

    @asynccontextmanager
    async def swimming(self) -> AsyncGenerator[None, None]:
        async with self.running():
            self.gate.editable = {"home"}
            yield


@asynccontextmanager
async def _typing(_room: Room) -> AsyncGenerator[None, None]:
    yield


def _pond(bot: Slow) -> Pond:
    pond = Pond(Link("pond", (HOME, LIBERA, OFTC), bots=(DUCK,)))
    pond.put(bot)
    return pond


def _here(pond: Pond) -> list[str]:
    return [text.removeprefix("<Duck> ") for _, text in pond.home.sent]


def _there(pond: Pond) -> list[str]:
    return [text.removeprefix("<Duck> ") for _, text in pond.libera.sent if ASKED not in text]


async def _ask(pond: Pond, seconds: float = 30.0) -> None:
    await pond.home.hear(said(HOME, matrix("alice"), ASKED))
    await asyncio.sleep(seconds)


async def _crash(pond: Pond, seconds: float) -> None:
    """A run that ends so many seconds after the question."""
    try:
        async with pond.swimming():
            await _ask(pond, seconds)
            raise Crash
    except* Crash:
        pass


async def test_an_answer_grows_where_it_can_be_edited_and_is_one_line_elsewhere() -> None:
    pond = _pond(Slow())
    async with pond.swimming():
        await _ask(pond)
    assert _here(pond) == ["a …", "a b …", "a b c …", "a b c"]
    assert _there(pond) == ["a b c"]
    assert pond.oftc.sent[-1] == (OFTC, "<Duck> a b c")
    first, *edits = (item.event for owed in pond.home.rendered for item in owed)
    assert all(isinstance(edit.body, Edit) and edit.body.target == first.key for edit in edits)


async def test_an_answer_that_comes_at_once_is_one_message_everywhere() -> None:
    pond = _pond(Slow("quack", pause_s=0.3))
    async with pond.swimming():
        await _ask(pond)
    assert (_here(pond), _there(pond)) == (["quack"], ["quack"])


async def test_an_answer_does_not_grow_where_nobody_could_see_it() -> None:
    pond = _pond(Slow())
    async with pond.swimming():
        await pond.libera.hear(said(Room("libera", "bob"), irc("bob", "bob"), ASKED, private=True))
        await asyncio.sleep(30)
    assert (_here(pond), pond.oftc.sent) == ([], [])
    assert pond.libera.sent == [(Room("libera", "bob"), "a b c")]


async def test_a_private_answer_grows_there_and_is_heard_nowhere_else() -> None:
    pond, alone = _pond(Slow()), Room("home", "!alone:hs")
    async with pond.swimming():
        await pond.home.hear(said(alone, matrix("alice"), "who comes?", private=True))
        await asyncio.sleep(30)
    assert {room for room, _ in pond.home.sent} == {alone}
    assert _here(pond) == ["a …", "a b …", "a b c …", "a b c"]
    assert (pond.libera.sent, pond.oftc.sent) == ([], [])


async def test_an_answer_that_fails_on_the_way_is_removed_and_never_said_elsewhere() -> None:
    pond = _pond(Slow(fails=2))
    async with pond.swimming():
        await _ask(pond)
    assert _here(pond) == ["a …", "a b …", "(deleted)"]
    assert _there(pond) == []


async def test_who_tells_the_bot_to_be_quiet_is_rid_of_the_answer_that_grows() -> None:
    pond = _pond(Slow())
    async with pond.swimming():
        await _ask(pond, 2.5)
        assert _here(pond) == ["a …"]
        await pond.libera.hear(said(LIBERA, irc("bob", "bob"), "duck: be quiet"))
        await asyncio.sleep(30)
    assert "(deleted)" in _here(pond)
    assert {"a b …", "a b c …", "a b c"}.isdisjoint((*_here(pond), *_there(pond)))


@pytest.mark.parametrize("seconds", [0.2, 1.2, 2.4, 4.4, 5.4])
async def test_an_answer_is_whole_and_said_once_after_the_bridge_was_stopped_while_it_grew(seconds: float) -> None:
    bot = Slow()
    pond = _pond(bot)
    await _crash(pond, seconds)
    pond.put(bot)
    async with pond.swimming():
        await asyncio.sleep(60)
    assert bot.asked == 2
    assert _here(pond)[-1] == "a b c"
    assert sum(isinstance(item.event.body, Message) for owed in pond.home.rendered for item in owed[:1]) == 1
    assert _there(pond) == ["a b c"]


async def test_a_question_that_is_asked_again_after_its_answer_was_stored_changes_nothing() -> None:
    pond = _pond(Slow())
    async with pond.swimming():
        await _ask(pond)
    before = (_here(pond), _there(pond))
    pond.put(Slow("another answer"))
    async with pond.swimming():
        heard = Owed("", EAR, said(HOME, matrix("alice"), ASKED))
        (post,) = pond.host.render([heard])
        await pond.host.send(post, again=True)
        await asyncio.sleep(30)
    assert pond.bot.asked == 1
    assert (_here(pond), _there(pond)) == before == (["a …", "a b …", "a b c …", "a b c"], ["a b c"])


async def test_an_answer_that_was_cut_off_long_ago_is_left_as_it_is() -> None:
    pond = _pond(Slow())
    await _crash(pond, 2.4)
    pond.now += 301
    pond.put(Slow())
    async with pond.swimming():
        await asyncio.sleep(60)
    assert pond.bot.asked == 0
    assert _here(pond) == ["a …"]
    assert _there(pond) == []
