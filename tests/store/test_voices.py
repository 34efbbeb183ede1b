"""The voices of workers, on each store that workers share: what is left of one that was killed."""

from pathlib import Path

import pytest

from bridge.model.event import VOICES
from bridge.store.opening import opened
from bridge.store.tables.networks import REPORT
from tests.shelves import Shelf, shelf

__all__ = ["shelf"]

pytestmark = [pytest.mark.real_time, pytest.mark.servers]

_DAY_S = 86_400
DEAD = f"{VOICES}dead"


async def test_the_voice_of_a_worker_that_was_killed_is_forgotten_after_a_day(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(tmp_path / "unused.sqlite", shelf.url, lambda: 1.0, steady=lambda: 0.0) as store:
        for name in (DEAD, "home"):
            lease = await store.acquire(name, "dead")
            assert lease is not None
            await lease.report("well")
        for age, left in ((_DAY_S, "dead"), (60, "")):
            shelf.age(DEAD, age)
            shelf.age("home", age)
            assert await store.acquire(f"{VOICES}alive{age}", "alive") is not None
            assert shelf.worker(DEAD) == left
            assert shelf.remembered(DEAD, REPORT) == ("well" if left else "")
            assert shelf.worker(f"{VOICES}alive{age}") == "alive"
        assert shelf.remembered("home", REPORT) == "well", "a network is kept"


async def test_of_a_voice_that_ends_nothing_is_left(shelf: Shelf, tmp_path: Path) -> None:
    async with opened(tmp_path / "unused.sqlite", shelf.url, lambda: 1.0, steady=lambda: 0.0) as store:
        lease = await store.acquire(DEAD, "dead")
        assert lease is not None
        await lease.report("well")
        await lease.release()
        assert shelf.worker(DEAD) == shelf.remembered(DEAD, REPORT) == ""
