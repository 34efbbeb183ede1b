"""A store with a hundred thousand deliveries: finding what is due, delivering, trimming and expiring stay cheap."""

import asyncio
import random
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from bridge.model.accounting import TOO_MANY
from bridge.model.event import Event, EventKey, Reaction, Room, Topic
from bridge.model.outbox import Delivery, State
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.rules.link import Link
from bridge.store import Commit, Lease, Shown
from bridge.store.core import Core
from bridge.store.schema import connect
from bridge.store.sqlite import SqliteStore
from bridge.users.sessions import Sessions
from tests.events import HOME, matrix, said
from tests.fakes.network import MemoryNetwork
from tests.fakes.users import MemoryUsers

pytestmark = pytest.mark.real_time

ROOMS = [Room("libera", f"#room{number}") for number in range(5)]
NOW = 2.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
async def crowded(path: Path) -> AsyncGenerator[Core, None]:
    sql = connect(path, upgrade=True)
    sql.execute("PRAGMA synchronous = OFF")
    core = Core(sql, lambda: 1.0)
    sql.execute("BEGIN")
    core.acquire("home", "t")
    core.acquire("libera", "t")
    events = [said(HOME, matrix("alice"), "x", f"${number}") for number in range(20_000)]
    core.commit("home", "t", Commit(None, "c", events, [Delivery.of(e.key, room) for e in events for room in ROOMS]))
    sql.execute("COMMIT")
    yield core
    sql.close()


async def test_finding_what_is_due_takes_few_steps_among_a_hundred_thousand_deliveries(crowded: Core) -> None:
    """Counted in SQLite's own steps, not in seconds."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    crowded._sql.set_progress_handler(count, 100)
    found = crowded.due("libera", "t", NOW, 32, 20)
    assert len(found) == 5
    assert steps * 100 < 20_000


async def test_one_more_reaction_to_a_message_with_thousands_takes_few_steps(crowded: Core) -> None:
    message, steps = EventKey(HOME, "$0"), 0

    def react(since: int, until: int) -> None:
        for number in range(since, until):
            event = Event(f"$r{number}", HOME, matrix("mallory"), 1.0, Reaction(message, f"k{number}"))
            delivery = Delivery.of(event.key, ROOMS[0], gather=9.0)
            crowded.known("home", "t", [message])
            crowded.commit("home", "t", Commit(crowded.cursor("home", "t"), f"r{number}", [event], [delivery]))

    def count() -> None:
        nonlocal steps
        steps += 1

    crowded._sql.execute("BEGIN")
    react(0, 4_000)
    crowded._sql.set_progress_handler(count, 100)
    react(4_000, 4_010)
    crowded._sql.set_progress_handler(None, 0)
    crowded._sql.execute("COMMIT")
    assert steps * 100 < 10 * 2_000


def test_a_crowd_that_has_gathered_is_owed_together(tmp_path: Path) -> None:
    now = 1.0
    sql = connect(tmp_path / "store.sqlite", upgrade=True)
    core = Core(sql, lambda: now)
    core.acquire("home", "t")
    core.acquire("libera", "t")
    events = [
        *(Event(f"${number}", HOME, matrix("eve"), 1.0, Reaction(EventKey(HOME, "$x"), "+1")) for number in range(300)),
        *(Event(f"$m{number}", HOME, matrix("eve"), 1.0, Topic("ducks")) for number in range(30)),
    ]
    waits = [Delivery.of(event.key, ROOMS[0], gather=9.0 * isinstance(event.body, Reaction)) for event in events]
    core.commit("home", "t", Commit(None, "c", events, waits))
    now = 20.0
    for owed in (200, 100, 20, 10):  # a hundred reactions, and not what comes behind them
        (backlog,) = core.due("libera", "t", now)
        assert len(backlog.owed) == owed
        core.settle("libera", "t", Shown([item.delivery for item in backlog.owed]))
    sql.close()


def test_what_waits_for_more_of_its_type_waits_no_longer_when_the_clock_is_set_back(tmp_path: Path) -> None:
    now = 10_000.0
    sql = connect(tmp_path / "store.sqlite", upgrade=True)
    core = Core(sql, lambda: now)
    core.acquire("home", "t")
    core.acquire("libera", "t")
    event = Event("$r", HOME, matrix("alice"), 1.0, Topic("ducks"))
    core.commit("home", "t", Commit(None, "c", [event], [Delivery.of(event.key, ROOMS[0], gather=9.0)]))
    core.shift(-5_000.0)
    assert not core.due("libera", "t", 5_008.0)
    assert core.due("libera", "t", 5_009.0)
    sql.close()


@pytest.fixture
async def store(crowded: Core, path: Path) -> AsyncGenerator[SqliteStore, None]:
    async with aclosing(SqliteStore.open(path, lambda: NOW)) as store:
        yield store


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease


async def test_delivering_from_a_hundred_thousand_deliveries_takes_less_than_5_mb(store: SqliteStore) -> None:
    users = MemoryUsers()
    gate = Gate(users, Sessions(users, lambda: NOW, 60.0), [Link("pond", (HOME, *ROOMS))], clock=lambda: NOW)
    relay = Relay(gate, Shared(lambda: NOW, random.Random(1), Notices(lambda: NOW)))
    libera, stopping = MemoryNetwork("libera"), asyncio.Event()
    tracemalloc.start()
    try:
        delivering = asyncio.create_task(relay.deliver(libera, await _lease(store, "libera"), stopping))
        await libera.delivered(1_000)
        stopping.set()
        await delivering
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {room for room, _ in libera.sent} == {*ROOMS}
    assert peak < 5_000_000, "a hundred thousand of them are 80 MB"


async def test_deliveries_over_the_limit_are_trimmed_while_new_messages_are_stored(store: SqliteStore) -> None:
    home, libera = await _lease(store, "home"), await _lease(store, "libera")
    passed = await _pass_while(asyncio.create_task(libera.trim(0.0, 18_000)), home)
    assert passed >= 10
    assert [(loss.room, loss.reason, loss.number) for loss in await libera.losses()] == [
        (room, TOO_MANY, 2_000) for room in ROOMS
    ]
    assert await libera.waiting(ROOMS[0]) == 18_000


async def test_finished_deliveries_expire_while_new_messages_are_stored(crowded: Core, store: SqliteStore) -> None:
    crowded._sql.execute("UPDATE deliveries SET state = 'sent', done = 1.0")
    home = await _lease(store, "home")
    forgetting = asyncio.create_task(store.expire(NOW))
    passed = await _pass_while(forgetting, home)
    assert await forgetting == 100_000
    assert passed >= 50
    await home.renew(f"m{passed}")
    kept = await store.writer.read(
        lambda core: core._sql.execute("SELECT count(*), max(state) FROM deliveries").fetchone()
    )
    assert kept == (passed, State.QUEUED)


async def _pass_while(work: asyncio.Task[int], home: Lease) -> int:
    """How many messages are stored until `work` is done."""
    cursor, number = await home.cursor(), 0
    while not work.done():
        number += 1
        event = said(HOME, matrix("bob"), "y", f"$new{number}")
        await home.commit(Commit(cursor, f"m{number}", [event], [Delivery.of(event.key, Room("oftc", "#pond"))]))
        cursor = f"m{number}"
    return number
