"""What only a store that workers share has: leases that run out, a doorbell, a server that goes away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import psycopg
import pytest

from bridge.model.outbox import Delivery, Post
from bridge.store import Commit, LeaseLost, Rewound, Unavailable, Unusable
from bridge.store.contract import BELIEVED_S
from bridge.store.postgres.sql import connect, translated
from bridge.store.postgres.store import PostgresStore
from bridge.store.postgres.users import UsersText
from bridge.users import User, UsersError
from bridge.users.tinydb import TinyUsers
from tests.contract.stores import lease_of, run_out
from tests.events import HOME, LIBERA, matrix, said
from tests.postgres import Postgres

pytestmark = pytest.mark.servers

NOW = 1_000.0
_SOON_S = 30.0


@pytest.fixture
async def one(postgres: Postgres) -> AsyncGenerator[PostgresStore, None]:
    postgres.empty()
    async with opened(postgres) as store:
        yield store


@pytest.fixture
async def two(one: PostgresStore, postgres: Postgres) -> AsyncGenerator[PostgresStore, None]:
    """Another worker on the same store."""
    async with opened(postgres) as store:
        yield store


@asynccontextmanager
async def opened(server: Postgres) -> AsyncGenerator[PostgresStore, None]:
    async with aclosing(await PostgresStore.open(server.url, lambda: NOW)) as store:
        yield store


async def test_a_network_is_one_workers_until_it_lets_go_or_its_lease_runs_out(
    one: PostgresStore, two: PostgresStore
) -> None:
    lease = await one.acquire("home", "one")
    assert lease is not None
    assert await two.acquire("home", "two") is None
    assert {name: owner.worker for name, owner in (await two.owners()).items()} == {"home": "one"}
    await lease.release()
    assert await two.owners() == {}
    taken = await two.acquire("home", "two")
    assert taken is not None
    assert await one.acquire("home", "one") is None
    await run_out(two)
    assert await one.acquire("home", "one") is not None
    with pytest.raises(LeaseLost):
        await taken.keep()
    assert not taken.valid()


async def test_a_lease_that_ran_out_is_still_its_workers_while_nobody_takes_it(one: PostgresStore) -> None:
    lease = await lease_of(one, "home")
    await run_out(one)
    assert await one.owners() == {}
    await lease.commit(Commit(None, "c1"))
    await lease.keep()
    assert set(await one.owners()) == {"home"}


async def test_a_worker_believes_in_its_lease_from_before_it_asked(postgres: Postgres) -> None:
    now = 0.0

    def steady() -> float:
        return now

    postgres.empty()
    await (await PostgresStore.open(postgres.url, lambda: NOW)).aclose()
    store = PostgresStore(postgres.url, connect(postgres.url), lambda: NOW, steady=steady)
    async with aclosing(store):
        lease = await lease_of(store, "home")
        now = BELIEVED_S
        assert not lease.valid()
        now = 5.0
        asking = asyncio.create_task(lease.keep())
        await asyncio.sleep(0)  # it has asked
        now = 5.0 + BELIEVED_S - 0.1
        await asking
        assert lease.valid()
        now = 5.0 + BELIEVED_S
        assert not lease.valid()


async def test_a_lease_whose_answer_was_lost_is_ours_when_it_is_asked_for_again(
    one: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = one.writer.write

    async def lossy(*args: Any) -> Any:
        await write(*args)
        raise Unavailable("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(one.writer, "write", lossy)
        with pytest.raises(Unavailable):
            await one.acquire("home", "one")
    lease = await one.acquire("home", "one")
    assert lease is not None
    assert lease.valid()


async def test_a_stale_owner_can_write_nothing(one: PostgresStore, two: PostgresStore) -> None:
    lease = await lease_of(one, "home")
    event = said(HOME, matrix("alice"), "hello", "1")
    await run_out(one)
    assert await two.acquire("home", "two") is not None
    with pytest.raises(LeaseLost):
        await lease.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)]))
    assert await two.outbox() == []
    assert not lease.valid()


async def test_what_one_worker_stores_rings_at_the_other(one: PostgresStore, two: PostgresStore) -> None:
    home, libera = await lease_of(one, "home"), await lease_of(two, "libera")
    await two.wait("libera", NOW)  # an early return, perhaps
    event = said(HOME, matrix("alice"), "hello", "1")
    await asyncio.sleep(0.5)  # it listens
    rung = asyncio.create_task(_rung(two, "libera"))
    await home.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)]))
    async with asyncio.timeout(_SOON_S):
        await rung
    (backlog,) = await libera.due(NOW)
    assert [item.event.id for item in backlog.owed] == ["1"]


async def _rung(store: PostgresStore, network: str) -> None:
    await store._bells.setdefault(network, asyncio.Event()).wait()


async def test_a_store_that_went_back_is_noticed_while_nothing_is_heard(one: PostgresStore, postgres: Postgres) -> None:
    home = await lease_of(one, "home")
    await home.commit(Commit(None, "c1"))
    await home.commit(Commit("c1", "c2"))
    postgres.execute("UPDATE networks SET cursor = 'c1'")
    with pytest.raises(Rewound):
        await home.renew("c2")
    with pytest.raises(Rewound):
        await home.commit(Commit("c2", "c3"))
    await home.commit(Commit("c1", "c2"))


async def test_a_server_that_was_killed_has_all_that_was_answered_and_the_worker_goes_on() -> None:
    async with Postgres() as server, opened(server) as store:
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        events = [said(HOME, matrix("alice"), str(number), str(number)) for number in range(20)]
        for number, event in enumerate(events):
            await home.commit(
                Commit(f"{number}" if number else None, f"{number + 1}", [event], [Delivery.of(event.key, LIBERA)])
            )
        await server.kill()
        with pytest.raises(Unavailable, match="does not answer"):
            await home.commit(Commit("20", "21"))
        await server.start()
        async with asyncio.timeout(_SOON_S):
            while await _is_away(home.keep()):  # noqa: ASYNC110  (a server is no event)
                await asyncio.sleep(0.2)
        (backlog,) = await libera.due(NOW, each=100)
        assert [item.event.id for item in backlog.owed] == [event.id for event in events]
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (backlog.owed[0].delivery,), 0, "x")])
        assert await libera.sent(post, "r1")
        assert not await libera.sent(post, "r1")  # a repeat, as after a lost answer


async def _is_away(verb: object) -> bool:
    try:
        await verb  # type: ignore[misc]
    except Unavailable:
        return True
    return False


async def test_a_worker_that_hangs_inside_a_transaction_keeps_others_from_writing_for_seconds_only(
    one: PostgresStore, postgres: Postgres
) -> None:
    hung = psycopg.connect(postgres.url, autocommit=True, options="-c idle_in_transaction_session_timeout=2500")
    hung.execute("BEGIN")
    hung.execute("SELECT pg_advisory_xact_lock(7245127)")
    async with asyncio.timeout(_SOON_S):
        await (await lease_of(one, "home")).commit(Commit(None, "c1"))
    hung.close()


@pytest.mark.parametrize(
    ("setting", "told"),
    [("fsync = off", "fsync = off, and would lose"), ("full_page_writes = off", "full_page_writes")],
)
async def test_a_server_that_may_lose_what_it_has_written_is_refused(setting: str, told: str) -> None:
    async with Postgres(settings=[setting]) as server:
        with pytest.raises(Unusable, match=told):
            await PostgresStore.open(server.url, lambda: NOW)


async def test_an_address_that_is_wrong_is_told_without_its_password(postgres: Postgres) -> None:
    for url in (
        postgres.url.replace("quackbridge@", "quackbridge:hunter2@").replace(str(postgres.port), "1"),
        postgres.url.replace("quackbridge@", "nobody:hunter2@"),
        "postgresql://duck:hunter2@[::1/",
    ):
        with pytest.raises(Unusable, match=r"store\.url") as told:
            await PostgresStore.open(url, lambda: NOW)
        assert "hunter2" not in str(told.value)


async def test_a_store_of_a_newer_version_and_one_that_is_not_there_are_refused(postgres: Postgres) -> None:
    postgres.empty()
    with pytest.raises(Unusable, match="there is no store in this database yet"):
        await PostgresStore.attach(postgres.url, lambda: NOW)
    await (await PostgresStore.open(postgres.url, lambda: NOW)).aclose()
    postgres.execute("UPDATE version SET number = 1000")
    with pytest.raises(Unusable, match="install the newer quackbridge on all machines"):
        await PostgresStore.open(postgres.url, lambda: NOW)


async def test_two_workers_that_open_an_empty_database_at_once_make_it_once(postgres: Postgres) -> None:
    postgres.empty()
    stores = await asyncio.gather(*(PostgresStore.open(postgres.url, lambda: NOW) for _ in range(4)))
    for store in stores:
        await store.aclose()
    assert postgres.execute("SELECT count(*) FROM version") == [(1,)]


def test_of_two_machines_that_give_an_identity_at_once_one_is_refused(postgres: Postgres) -> None:
    postgres.empty()
    texts = UsersText(postgres.url), UsersText(postgres.url)
    first, second = TinyUsers.create(texts[0]), TinyUsers(texts[1])
    first.add(User("alice"))
    with pytest.raises(UsersError, match="there is a user 'alice' already"):
        second.add(User("Alice"))
    second.add(User("bob"))
    assert first.refresh()
    assert [user.name for user in first.list()] == ["alice", "bob"]
    for text in texts:
        text.close()


def test_users_are_kept_in_memory_while_the_server_is_away_and_changes_are_refused_in_words(
    postgres: Postgres,
) -> None:
    postgres.empty()
    text = UsersText(postgres.url)
    users = TinyUsers.create(text)
    users.add(User("alice"))
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()")
    with pytest.raises(UsersError, match="nothing was changed"):
        users.add(User("bob"))
    assert users.find("alice") is not None
    users.add(User("bob"))
    assert [user.name for user in users.list()] == ["alice", "bob"]
    text.close()


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        ("a = ? AND b = ?", "a = %(p1)s AND b = %(p2)s"),
        ("a = ?2 AND b = ?1 AND c = ?", "a = %(p2)s AND b = %(p1)s AND c = %(p2)s"),
        ("a = :name AND b = 'x%'", "a = %(name)s AND b = 'x%%'"),
        ("x::text = ?", "x::text = %(p1)s"),
    ],
)
def test_placeholders_of_sqlite_are_translated(sqlite: str, postgres: str) -> None:
    assert translated(sqlite) == postgres
