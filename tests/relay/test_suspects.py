"""One message that a room will never take does not silence the room; a room that takes nothing loses nothing."""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from bridge.model.outbox import Owed, Post, State
from bridge.model.text import plain
from bridge.network import SendError, Silenced, TransientError
from bridge.relay.limits import Terms
from tests.events import HOME, LIBERA, matrix, said
from tests.relay.test_relay import World

MUTED = Silenced("you may not speak", 60.0, refused=True)
BROKEN = TransientError("M_UNKNOWN: internal server error", refused=True)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    assert world.libera.doubled == []


@asynccontextmanager
async def _passing(world: World) -> AsyncGenerator[None, None]:
    """The clock goes on while the loop waits."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            world.now += 1

    ticking = asyncio.create_task(tick())
    yield
    ticking.cancel()


async def _dead(world: World) -> list[str]:
    return [plain(entry.event.text) for entry in await world.store.outbox() if entry.state is State.DEAD]


async def _buried(world: World) -> list[str]:
    for _ in range(600):
        if dead := await _dead(world):
            return dead
        await asyncio.sleep(1)
    return []


@pytest.mark.parametrize("error", [MUTED, BROKEN])
@pytest.mark.parametrize("window", [1, 4])
async def test_a_message_that_is_refused_while_others_pass_is_dead_and_the_room_goes_on(
    world: World, error: SendError, window: int
) -> None:
    world.libera.window = window
    world.libera.refused["poison"] = error
    async with world.running(), _passing(world):
        await world.home.hear(
            *(said(HOME, matrix("alice"), text) for text in ("one", "poison", "two", "three", "four", "five"))
        )
        assert await _buried(world) == ["poison"]
        await world.home.hear(said(HOME, matrix("alice"), "six"))
        others = ("one", "two", "three", "four", "five", "six")
        assert await world.libera.delivered(6) == [f"<alice> {text}" for text in others]
        assert len(await world.oftc.delivered(7)) == 7


async def test_a_message_that_waits_alone_is_dead_when_the_next_one_passes(world: World) -> None:
    world.libera.refused["poison"] = MUTED
    async with world.running(), _passing(world):
        await world.home.hear(said(HOME, matrix("alice"), "poison"))
        await asyncio.sleep(600)
        assert not await _dead(world)
        await world.home.hear(said(HOME, matrix("alice"), "medicine"))
        assert await _buried(world) == ["poison"]
        assert await world.libera.delivered(1) == ["<alice> medicine"]


@pytest.mark.parametrize("lasts", [1, 5, 30, 300])
async def test_a_room_that_takes_nothing_for_a_while_gets_all_in_order(world: World, lasts: int) -> None:
    texts = ["one", "two\nlines", "three"]
    world.libera.refused["<alice>"] = MUTED
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in texts))
        await asyncio.sleep(lasts)
        world.libera.refused.clear()
        texts = [text.removeprefix(f"[{text[1:10]}] ") for text in await world.libera.delivered(4)]
        assert texts == ["<alice> one", "<alice> two", "<alice> lines", "<alice> three"]
        assert not await _dead(world)


async def test_a_message_that_was_refused_with_its_room_is_tried_once_more_before_it_is_dead(world: World) -> None:
    """The room lets us speak again just before the next message is tried."""
    world.libera.failures[LIBERA] = [MUTED, MUTED]
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("one", "two", "three")))
        assert {*await world.libera.delivered(3)} == {"<alice> one", "<alice> two", "<alice> three"}
        assert not await _dead(world)


async def test_messages_that_share_a_post_are_told_apart_and_one_alone_is_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def merged(owed: Sequence[Owed], _: object = None) -> Sequence[Post]:
        text = "; ".join(plain(each.event.text) for each in owed)
        return [Post.of(owed[0].room, tuple(each.delivery for each in owed), 0, text)]

    monkeypatch.setattr(world.libera, "render", merged)
    world.libera.refused["poison"] = MUTED
    world.libera.failures[LIBERA] = [MUTED]  # so that all wait, and are merged
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("one", "two", "poison", "three")))
        assert await _buried(world) == ["poison"]
        assert await world.libera.delivered(3) == ["one", "two", "three"]


async def test_what_was_refused_before_a_restart_is_neither_lost_nor_doubled(world: World) -> None:
    world.libera.refused["poison"] = MUTED
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("poison", "one", "two")))
        await asyncio.sleep(3)
    async with world.running(), _passing(world):
        assert await _buried(world) == ["poison"]
        assert await world.libera.delivered(2) == ["<alice> one", "<alice> two"]


@pytest.mark.parametrize("window", [1, 4])
async def test_two_messages_in_a_row_that_are_refused_do_not_silence_the_room(world: World, window: int) -> None:
    world.libera.window = window
    world.libera.refused["poison"] = MUTED
    async with world.running(), _passing(world):
        texts = ("one", "poison", "poison again", "still poison", "two", "three")
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in texts))
        assert await world.libera.delivered(3) == [f"<alice> {text}" for text in ("one", "two", "three")]
        for number in range(100):
            await world.home.hear(said(HOME, matrix("alice"), f"{number}."))
            if len(dead := await _dead(world)) == 3:
                break
            await asyncio.sleep(60)
        assert dead == ["poison", "poison again", "still poison"]


async def test_what_a_room_refuses_for_too_long_is_given_up_as_anything_else_that_waits(world: World) -> None:
    world.libera.refused["<alice>"] = MUTED
    world.terms = Terms(max_age=3_600.0)
    async with world.running(), _passing(world):
        await world.home.hear(*(said(HOME, matrix("alice"), text) for text in ("one", "two", "three")))
        await asyncio.sleep(8_000)
        assert [entry for entry in await world.store.outbox() if entry.room == LIBERA] == []
        assert await _dead(world) == []


@pytest.mark.parametrize("window", [1, 4])
async def test_a_network_that_fails_now_and_then_loses_nothing(world: World, window: int) -> None:
    rng = random.Random(1)
    world.libera.window = window
    world.libera.moody = lambda: BROKEN if rng.random() < 0.3 else None
    async with world.running(), _passing(world):
        for number in range(100):
            await world.home.hear(said(HOME, matrix("alice"), f"{number}."))
        assert len({*await world.libera.delivered(100)}) == 100
        assert not await _dead(world)
