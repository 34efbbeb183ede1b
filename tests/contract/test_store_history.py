"""What a store keeps for the operator: outages, runs of the daemon, queues and last lines."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.model.event import Origin, Room
from bridge.model.health import Lines, Queue
from bridge.model.history import PastOutage, Run
from bridge.model.outbox import Addressed, Delivery, Post
from bridge.store import Commit, Dead, Full, Store, Unavailable
from bridge.store.schema import connect
from bridge.store.sqlite import SqliteStore
from tests.contract.stores import Engine, lease_of, opened
from tests.events import HOME, LIBERA, OFTC, matrix, said

pytestmark = pytest.mark.real_time

_YEAR = 365 * 86_400.0


class _Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
async def store(engine: Engine, tmp_path: Path, clock: _Clock) -> AsyncGenerator[Store, None]:
    async with opened(engine, tmp_path, clock) as store:
        yield store


async def test_an_outage_lasts_until_it_is_ended_and_only_one_of_a_room_at_a_time(store: Store) -> None:
    libera = await lease_of(store, "libera")
    await libera.begin_outage(LIBERA, 100.0, "offline")
    await libera.begin_outage(LIBERA, 150.0, "banned")
    assert await libera.lasting_outages() == [PastOutage(LIBERA, 100.0, None, "banned")]
    await libera.end_outage(LIBERA, 200.0)
    await libera.end_outage(LIBERA, 300.0)
    assert await libera.lasting_outages() == []
    await libera.begin_outage(LIBERA, 400.0, "x" * 1_000)
    assert await store.outages(200.0) == [
        PastOutage(LIBERA, 100.0, 200.0, "banned"),
        PastOutage(LIBERA, 400.0, None, "x" * 300),
    ]
    assert [each.began for each in await store.outages(201.0)] == [400.0]
    assert await (await lease_of(store, "home")).lasting_outages() == []


async def test_an_outage_that_ends_after_the_clock_was_set_back_ends_when_it_began(store: Store) -> None:
    libera = await lease_of(store, "libera")
    await libera.begin_outage(LIBERA, 100.0, "offline")
    await libera.end_outage(LIBERA, 50.0)
    assert await store.outages(0.0) == [PastOutage(LIBERA, 100.0, 100.0, "offline")]


async def test_a_run_that_was_killed_has_no_end(store: Store, clock: _Clock) -> None:
    await store.begin_run("1.0")
    clock.now = 2_000.0
    await store.begin_run("1.1")
    clock.now = 2_500.0
    await store.end_run()
    assert await store.runs(0.0) == [Run(1_000.0, None, "1.0"), Run(2_000.0, 2_500.0, "1.1")]
    assert [run.version for run in await store.runs(1_500.0)] == ["1.1"]


async def test_outages_and_runs_are_kept_for_a_year_and_only_the_last_ten_thousand(store: Store, clock: _Clock) -> None:
    libera = await lease_of(store, "libera")
    await store.begin_run("1.0")
    for number in range(3):
        await libera.begin_outage(LIBERA, 1_000.0 + number, "offline")
        await libera.end_outage(LIBERA, 1_000.5 + number)
    clock.now = _YEAR + 1_001.0
    await store.expire(0.0)
    assert [each.began for each in await store.outages(0.0)] == [1_001.0, 1_002.0]
    assert await store.runs(0.0) == []
    await store.begin_run("1.1")
    assert len(await store.runs(0.0)) == 1
    for _ in range(10_001):
        await store.begin_run("1.2")
    await store.expire(0.0)
    assert len(await store.runs(0.0)) == 10_000


async def test_queues_count_what_waits_and_what_is_dead_and_tell_the_age_of_the_oldest(
    store: Store, clock: _Clock
) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    assert await store.queues() == {}
    events = [said(HOME, matrix("alice"), text) for text in ("one", "two", "three")]
    for number, event in enumerate(events):
        clock.now = 1_000.0 + number
        deliveries = [Delivery.of(event.key, room) for room in (LIBERA, OFTC)]
        await home.commit(Commit(f"c{number}" if number else None, f"c{number + 1}", [event], deliveries))
    assert await store.queues() == {"libera": Queue(3, 0, 1_000.0), "oftc": Queue(3, 0, 1_000.0)}
    await libera.settle(Dead([Delivery.of(events[0].key, LIBERA).id], "no"))
    assert (await store.queues())["libera"] == Queue(2, 1, 1_001.0)
    await libera.settle(Dead([Delivery.of(each.key, LIBERA).id for each in events], "no"))
    assert (await store.queues())["libera"] == Queue(0, 3, None)


async def test_a_notice_that_goes_ahead_does_not_hide_how_long_others_wait(store: Store, clock: _Clock) -> None:
    home = await lease_of(store, "home")
    event = said(HOME, matrix("alice"), "one")
    await home.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)]))
    clock.now = 2_000.0
    notice = replace(said(LIBERA, matrix("duck"), "back"), origin=Origin.OURS)
    await home.commit(Commit.owing([Addressed(notice, LIBERA, ahead=True)]))
    assert await store.queues() == {"libera": Queue(2, 0, 1_000.0)}


async def test_the_last_lines_of_a_room_are_those_that_were_carried(store: Store, clock: _Clock) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    event = said(HOME, matrix("alice"), "one")
    delivery = Delivery.of(event.key, LIBERA)
    await home.commit(Commit(None, "c1", [event], [delivery]))
    assert await store.last_lines([HOME, LIBERA, OFTC]) == {
        HOME: Lines(1_000.0, None),
        LIBERA: Lines(),
        OFTC: Lines(),
    }
    (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "x")])
    clock.now = 1_234.0
    await libera.sent(post, "r")
    assert (await store.last_lines([LIBERA]))[LIBERA] == Lines(None, 1_234.0)


async def test_a_trial_waits_for_who_has_the_store_locked_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0, busy_s=0.2)) as store:
        await store.begin_run("1.0")
        files = (path, Path(f"{path}-wal"))
        before = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        for _ in range(20):
            await store.try_to_write()
            await store.try_to_take_in()
        assert [(file.stat().st_size, file.stat().st_mtime_ns) for file in files] == before
        other = connect(path, upgrade=False)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await store.try_to_write()
        other.rollback()
        await store.try_to_write()
        other.close()


async def test_a_trial_of_intake_tells_that_only_the_reserve_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aclosing(SqliteStore.open(tmp_path / "store.sqlite", lambda: 1_000.0)) as store:
        monkeypatch.setattr("bridge.store.reserve.Reserve.make", lambda _: False)
        with pytest.raises(Full):
            await store.try_to_take_in()
        await store.try_to_write()


async def test_an_outage_of_a_room_of_another_network_does_not_end_with_it(store: Store) -> None:
    libera, oftc = await lease_of(store, "libera"), await lease_of(store, "oftc")
    await libera.begin_outage(Room("libera", "#a"), 1.0, "offline")
    await oftc.begin_outage(Room("oftc", "#a"), 2.0, "offline")
    await libera.end_outage(Room("libera", "#a"), 3.0)
    assert [each.room.network for each in await oftc.lasting_outages()] == ["oftc"]
