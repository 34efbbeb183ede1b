"""Waiting for an event for at most some seconds."""

import asyncio

import pytest

from bridge.lib.waiting import Flag, is_set_within


@pytest.fixture(params=[asyncio.Event, Flag])
def event(request: pytest.FixtureRequest) -> asyncio.Event | Flag:
    made: asyncio.Event | Flag = request.param()
    return made


async def test_waiting_for_an_event_that_is_set_already_succeeds_at_once(event: asyncio.Event | Flag) -> None:
    event.set()
    assert [await is_set_within(event, seconds) for seconds in (1.0, 0.0, -1.0)] == [True] * 3


async def test_waiting_for_an_event_that_is_set_in_time_succeeds(event: asyncio.Event | Flag) -> None:
    asyncio.get_running_loop().call_soon(event.set)
    assert await is_set_within(event, 10.0)


async def test_waiting_for_an_event_that_is_not_set_in_time_fails(event: asyncio.Event | Flag) -> None:
    assert [await is_set_within(event, seconds) for seconds in (0.001, 0.0, -1.0)] == [False] * 3


async def test_waiting_for_an_event_can_be_cancelled(event: asyncio.Event | Flag) -> None:
    waiting = asyncio.create_task(is_set_within(event, 10.0))
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_all_who_wait_for_an_event_go_on_even_if_it_is_cleared_right_after(event: asyncio.Event | Flag) -> None:
    waiting = [asyncio.create_task(event.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    event.set()
    event.clear()
    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [False, True, False]
    assert not event.is_set()
