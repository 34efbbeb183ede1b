"""Whether the process works: what is told, and what is not, while the store or a task is stuck."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest

from bridge.app.liveness import Liveness
from bridge.lib.heartbeats import Heartbeats
from bridge.store import Full, Store, Unavailable


class _Store:
    """Answers trials as the test wants."""

    shared = False

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None
        self.intake: Exception | None = None
        self.trials = 0

    async def try_to_write(self) -> None:
        self.trials += 1
        await self.free.wait()
        if self.error is not None:
            raise self.error

    async def try_to_take_in(self) -> None:
        if self.intake is not None:
            raise self.intake


@asynccontextmanager
async def _kept(store: _Store, heartbeats: Heartbeats) -> AsyncGenerator[Liveness, None]:
    liveness = Liveness(cast("Store", store), heartbeats)
    task = asyncio.create_task(liveness.keep())
    try:
        yield liveness
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_store_that_answers_is_tried_every_two_seconds() -> None:
    store = _Store()
    async with _kept(store, Heartbeats()) as liveness:
        await asyncio.sleep(60.5)
        assert liveness.problem() == ""
        assert 25 <= store.trials <= 31


async def test_a_transaction_that_does_not_end_within_5_seconds_is_told_within_7_until_it_does() -> None:
    store = _Store()
    async with _kept(store, Heartbeats()) as liveness:
        await asyncio.sleep(10.5)
        store.free.clear()
        await asyncio.sleep(4.0)
        assert liveness.problem() == ""
        await asyncio.sleep(3.5)
        assert "the store could not be written for" in liveness.problem()
        store.free.set()
        await asyncio.sleep(0.1)
        assert liveness.problem() == ""


async def test_a_store_that_stays_locked_does_not_seem_well_between_two_tries() -> None:
    store = _Store()
    async with _kept(store, Heartbeats()) as liveness:
        store.error = Unavailable("locked")
        await asyncio.sleep(7.5)
        for _ in range(50):
            assert "could not be written" in liveness.problem()
            await asyncio.sleep(0.3)
        store.error = None
        await asyncio.sleep(2.5)
        assert liveness.problem() == ""


async def test_a_store_that_workers_share_may_be_away_without_the_process_being_wedged() -> None:
    store = _Store()
    store.shared = True
    async with _kept(store, Heartbeats()) as liveness:
        await asyncio.sleep(5.5)
        store.error = Unavailable("the server of the store does not answer")
        await asyncio.sleep(60.0)
        assert liveness.problem() == ""
        assert liveness.away == "the server of the store does not answer"
        store.error = None
        await asyncio.sleep(5.0)
        assert (liveness.problem(), liveness.away) == ("", "")


async def test_a_full_disk_is_told_but_the_process_is_not_wedged() -> None:
    store = _Store()
    heartbeats = Heartbeats()
    async with _kept(store, heartbeats) as liveness:
        heartbeats.beat("hear libera")
        store.intake = Full("no space")
        await asyncio.sleep(300.0)
        assert (liveness.problem(), liveness.full) == ("", "no space")
        store.error = store.intake = Full("no space at all")
        await asyncio.sleep(300.0)
        assert liveness.problem() == ""
        store.error = store.intake = None
        await asyncio.sleep(3.0)
        assert liveness.full == ""


async def test_a_task_that_does_not_go_on_is_named_and_one_that_has_ended_is_not() -> None:
    heartbeats = Heartbeats()
    async with _kept(_Store(), heartbeats) as liveness:
        for task in ("hear libera", "deliver libera"):
            heartbeats.beat(task)
        heartbeats.forget("deliver libera")
        await asyncio.sleep(59.0)
        assert liveness.problem() == ""
        await asyncio.sleep(2.0)
        assert liveness.problem() == "the task 'hear libera' has not gone on for 61 s"
        heartbeats.beat("hear libera")
        assert liveness.problem() == ""


async def test_a_store_that_failed_for_good_ends_the_daemon() -> None:
    store = _Store()
    store.error = OSError("broken")
    liveness = Liveness(cast("Store", store), Heartbeats())
    with pytest.raises(OSError, match="broken"):
        await liveness.keep()
