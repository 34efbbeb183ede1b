"""Answers that grow: what is shown of them, how often, and what chains make of brains that fail on the way."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bots.api import CannotThink, Question, Reply, Said
from bots.chain import UNKNOWN, Chain, Link
from bots.duck import Duck
from bots.hosting.growing import growing, shown
from bridge.model.text import words
from tests.events import HOME, irc

QUESTION = Question("1", words("who comes?"), irc("eve"), HOME, 1.0)
Piece = tuple[float, Said | Exception]


class Grows:
    """A brain that says or raises each piece after so many seconds."""

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = pieces

    async def stream(self, _question: Question) -> AsyncIterator[Said]:
        for wait_s, piece in self._pieces:
            await asyncio.sleep(wait_s)
            if isinstance(piece, Exception):
                raise piece
            yield piece


class Says:
    def __init__(self, reply: Said | None) -> None:
        self._reply = reply

    async def reply(self, _question: Question) -> Said | None:
        return self._reply


class Iterates:
    """Its stream is no generator: it cannot be closed."""

    def __init__(self) -> None:
        self._left = ["a", "ab"]

    def stream(self, _question: Question) -> AsyncIterator[Said]:
        return self

    def __aiter__(self) -> AsyncIterator[Said]:
        return self

    async def __anext__(self) -> Said:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


def _chain(*brains: object) -> Chain:
    return Chain([Link(f"b{number}", brain) for number, brain in enumerate(brains)], steady=lambda: 0.0)  # type: ignore[arg-type]


async def _all(chain: Chain) -> list[Said]:
    return [said async for said in chain.stream(QUESTION)]


async def _seen(*pieces: Piece) -> tuple[list[tuple[float, Said]], Said | None]:
    """What is shown, and after how many seconds; and the whole answer."""
    begun = asyncio.get_running_loop().time()
    seen: list[tuple[float, Said]] = []

    async def show(said: Said) -> None:
        seen.append((round(asyncio.get_running_loop().time() - begun, 2), said))

    whole = await shown(growing(Grows(*pieces), QUESTION), show)  # type: ignore[arg-type]
    return seen, whole


async def test_nothing_is_shown_of_an_answer_that_is_there_within_a_second() -> None:
    assert await _seen((0.1, "a"), (0.4, "a b"), (0.4, "a b c")) == ([], "a b c")


async def test_an_answer_is_shown_at_most_once_a_second_and_only_if_there_is_more_of_it() -> None:
    pieces = [(0.1, "a" * number) for number in range(1, 26)]
    seen, whole = await _seen(*pieces)
    assert [at for at, _ in seen] == [1.0, 2.0]
    assert whole == "a" * 25
    seen, _ = await _seen((0.5, "a"), (4.0, "a b"), (1.0, "a b"), (3.0, "a b c"))
    assert seen == [(1.0, "a"), (5.0, "a b")]


async def test_an_answer_that_cannot_be_shown_fails() -> None:
    async def show(_said: Said) -> None:
        raise TypeError("no text")

    with pytest.raises(TypeError, match="no text"):
        await shown(growing(Grows((1.5, "a"), (2.0, "b")), QUESTION), show)  # type: ignore[arg-type]


async def test_nothing_is_shown_any_more_once_an_answer_has_failed() -> None:
    seen: list[Said] = []

    async def show(said: Said) -> None:
        seen.append(said)

    with pytest.raises(RuntimeError):
        await shown(growing(Grows((0.5, "a"), (1.0, RuntimeError())), QUESTION), show)  # type: ignore[arg-type]
    await asyncio.sleep(60)
    assert seen == ["a"]


async def test_a_chain_passes_on_what_a_brain_has_said_so_far() -> None:
    chain = _chain(Says(None), Grows((1.0, "a"), (1.0, Reply("a b", "0.9"))), Says("never"))
    assert await _all(chain) == [Reply("a", "b1"), Reply("a b", "b1: 0.9")]
    assert await chain.reply(QUESTION) == Reply("a b", "b1: 0.9")
    assert chain.streams
    assert not _chain(Says("hi")).streams


@pytest.mark.parametrize("failure", [RuntimeError("out of seeds"), TimeoutError()], ids=["raises", "times out"])
async def test_the_next_brain_answers_in_place_of_one_that_fails_on_the_way(failure: Exception) -> None:
    chain = _chain(Grows((1.0, "once upon"), (1.0, failure)), Says("short"))
    assert await _all(chain) == [Reply("once upon", "b0"), Reply("short", "b1")]


async def test_a_brain_that_stops_on_the_way_is_left_after_a_minute() -> None:
    chain = _chain(Grows((1.0, "once upon"), (3_600.0, "a time")), Says("short"))
    begun = asyncio.get_running_loop().time()
    assert (await _all(chain))[-1] == Reply("short", "b1")
    assert asyncio.get_running_loop().time() - begun == pytest.approx(60.0)


async def test_why_a_brain_could_not_think_is_said_once_before_the_next_answer() -> None:
    chain = _chain(Grows((0.0, CannotThink("The model is away."))), Grows((1.0, "a"), (1.0, "a b")))
    assert [said.text for said in await _all(chain) if isinstance(said, Reply)] == [
        "(The model is away.) a",
        "(The model is away.) a b",
    ]
    assert await chain.reply(QUESTION) == Reply("a b", "b1")


async def test_a_chain_takes_back_what_it_has_said_if_nobody_knows_the_rest() -> None:
    chain = _chain(Grows((1.0, "once upon"), (1.0, RuntimeError())))
    assert await _all(chain) == [Reply("once upon", "b0"), Reply(UNKNOWN, "no brain had an answer")]
    assert await _all(chain) == [Reply("once upon", "b0"), ""], "unknown is said once a minute"
    assert await chain.reply(QUESTION) is None


async def test_a_stream_need_be_no_generator() -> None:
    assert await _all(_chain(Iterates())) == [Reply("a", "b0"), Reply("ab", "b0")]


async def test_a_stream_that_is_left_is_closed() -> None:
    closed: list[str] = []

    class Careful:
        async def stream(self, _question: Question) -> AsyncIterator[Said]:
            try:
                yield "a"
                yield "b"
            finally:
                closed.append("closed")

    stream = _chain(Careful()).stream(QUESTION)
    assert await anext(stream) == Reply("a", "b0")
    await stream.aclose()
    assert closed == ["closed"]


async def test_the_duck_waits_before_it_begins() -> None:
    duck = Duck("Duck", _chain(Grows((0.0, "a"), (0.0, "ab"))), delay=3.0)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    said = [(loop.time() - begun, piece) async for piece in duck.stream(QUESTION)]
    assert said == [(3.0, Reply("a", "b0")), (3.0, Reply("ab", "b0"))]
    assert duck.streams
