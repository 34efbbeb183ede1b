import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bots.api import Question, Reply, Said
from bots.chain import UNKNOWN, Chain, Link
from bridge.model.event import Room
from bridge.model.text import words
from tests.events import HOME, irc

QUESTION = Question("1", words("who comes?"), irc("eve"), HOME, 1.0)


class Says:
    """A brain with one reply; it counts how often it was asked."""

    def __init__(self, reply: Said | None) -> None:
        self._reply = reply
        self.asked = 0

    async def reply(self, _question: Question) -> Said | None:
        self.asked += 1
        return self._reply


class Fails:
    async def reply(self, _question: Question) -> Said | None:
        raise RuntimeError("out of seeds")


class Hangs:
    async def reply(self, _question: Question) -> Said | None:
        await asyncio.Event().wait()
        return "never"


class Hears(Says):
    hears_all = True


def _chain(*brains: object, steady: Callable[[], float] = lambda: 0.0) -> Chain:
    return Chain([Link(f"b{number}", brain) for number, brain in enumerate(brains)], steady=steady)  # type: ignore[arg-type]


async def test_the_first_brain_that_has_an_answer_gives_it_and_later_ones_are_not_asked() -> None:
    last = Says("late")
    said = await _chain(Says(None), Says(""), Says("**soon**"), last).reply(QUESTION)
    assert said == Reply("**soon**", "b2")
    assert last.asked == 0


async def test_why_a_brain_said_something_is_told_with_its_name() -> None:
    assert await _chain(Says(Reply("hi", "0.9: hello"))).reply(QUESTION) == Reply("hi", "b0: 0.9: hello")


@pytest.mark.parametrize("brain", [Fails(), Hangs(), Says(5)], ids=["fails", "hangs", "numbers"])  # type: ignore[arg-type]
async def test_a_brain_that_fails_or_hangs_costs_no_answer_of_the_others(brain: object) -> None:
    assert await _chain(brain, Says("hi")).reply(QUESTION) == Reply("hi", "b1")


async def test_what_no_brain_knows_is_said_to_be_unknown_at_most_once_a_minute_in_a_room() -> None:
    now = 0.0
    chain = _chain(Says(None), steady=lambda: now)
    other = replace(QUESTION, room=Room("libera", "#other"))
    unknown = Reply(UNKNOWN, "no brain had an answer")
    assert await chain.reply(QUESTION) == unknown
    assert await chain.reply(QUESTION) is None
    assert await chain.reply(other) == unknown
    now = 59.0
    assert await chain.reply(QUESTION) is None
    now = 61.0
    assert await chain.reply(QUESTION) == unknown


async def test_what_nobody_asked_is_heard_only_by_brains_that_hear_all_and_never_said_to_be_unknown() -> None:
    deaf, hears = Says("hi"), Hears(None)
    chain = _chain(deaf, hears)
    assert await chain.reply(replace(QUESTION, called=False)) is None
    assert (deaf.asked, hears.asked) == (0, 1)
    assert chain.hears
    assert not _chain(deaf).hears


async def test_what_brains_do_by_themselves_runs_and_is_begun_again_when_it_fails() -> None:
    begun: list[str] = []

    class Works:
        async def reply(self, _question: Question) -> None:
            return None

        async def run(self) -> None:
            begun.append("again")
            if len(begun) < 3:
                raise RuntimeError("out of seeds")

    await asyncio.wait_for(_chain(Works(), Says(None)).run(), 60)
    assert begun == ["again"] * 3
