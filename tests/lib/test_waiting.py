"""Waiting for an event for at most some seconds."""

import asyncio

import pytest

from bridge.lib.waiting import is_set_within


async def test_waiting_for_an_event_that_is_set_already_succeeds_at_once() -> None:
    event = asyncio.Event()
    event.set()
    assert [await is_set_within(event, seconds) for seconds in (1.0, 0.0, -1.0)] == [True] * 3


async def test_waiting_for_an_event_that_is_set_in_time_succeeds() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await is_set_within(event, 10.0)


async def test_waiting_for_an_event_that_is_not_set_in_time_fails() -> None:
    assert [await is_set_within(asyncio.Event(), seconds) for seconds in (0.001, 0.0, -1.0)] == [False] * 3


async def test_waiting_for_an_event_can_be_cancelled() -> None:
    waiting = asyncio.create_task(is_set_within(asyncio.Event(), 10.0))
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
