"""Moving a store from a file to a store that workers share, and back: everything, or nothing."""

import json
import random
import subprocess
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from bridge.model.accounting import Count, Tally, Traffic, TrafficKind
from bridge.model.outbox import Delivery, Post
from bridge.model.people import Identity, Proof
from bridge.store import Commit, Dead, Store, StoreError, Unusable
from bridge.store.moving import TABLES, Content, content, move, reading
from bridge.store.opening import opened
from bridge.store.postgres.moving import moving_from as from_postgres
from bridge.store.postgres.store import PostgresStore
from bridge.store.redis.address import Address
from bridge.store.redis.moving import RedisRows
from bridge.store.redis.moving import moving_from as from_redis
from bridge.store.sqlite import SqliteStore
from bridge.users import Measure, Sanction, User
from bridge.users.tinydb import TinyUsers
from tests.conftest import need
from tests.contract.stores import lease_of
from tests.events import HOME, LIBERA, OFTC, matrix, said
from tests.fakes.redis import RedisServer, forget_mover, shared, unique
from tests.fakes.redis_calls import NETWORKS, Clock, RandomCalls
from tests.fakes.store import MemoryStore
from tests.integration.daemon import quackbridge, write_config
from tests.postgres import Postgres
from tests.shelves import Shelf, shelf

__all__ = ["shelf"]

pytestmark = pytest.mark.servers

NOW = 1_000.0


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A store with something in every table."""
    path = tmp_path / "store.sqlite"
    async with aclosing(SqliteStore.open(path, lambda: NOW)) as store:
        await _fill(store)
    return path


async def _fill(store: Store) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    events = [said(HOME, matrix("alice"), text, text) for text in ("one", "two", "nul \0 and \ue000 and \U0001f986")]
    deliveries = [Delivery.of(event.key, room) for event in events for room in (LIBERA, OFTC)]
    counts = (Count(HOME, Tally.REFUSED, "because"),)
    await home.commit(Commit(None, "c1", events, deliveries, counts=counts, changes={"device": "D\0"}))
    (post, _) = await libera.plan(LIBERA, [Post.of(LIBERA, (each.id,), 0, "x") for each in deliveries[:3:2]])
    await libera.sent(post, "remote 1")
    await libera.settle(Dead([deliveries[4].id], "no such channel"))
    await libera.explain(LIBERA, "away")
    await libera.begin_outage(LIBERA, NOW, "gone")
    await store.count_traffic({TrafficKind.UPLOADED: Traffic(1, 2)})
    await store.begin_run("1.0")


@asynccontextmanager
async def _opened(url: str, tmp_path: Path) -> AsyncGenerator[Store, None]:
    async with opened(tmp_path / "unused" / "store.sqlite", url, lambda: NOW, steady=lambda: 0.0) as store:
        yield store


async def test_what_was_moved_is_the_same_and_goes_on_with_numbers_behind_it(
    path: Path, shelf: Shelf, tmp_path: Path
) -> None:
    there = move(path, shelf.url)
    assert there["events"] == 3
    assert there["deliveries"] == 6
    assert sum(rows > 0 for rows in there.values()) >= len(TABLES) - 2
    async with _opened(shelf.url, tmp_path) as store:
        home = await lease_of(store, "home")
        assert await home.cursor() == "c1"
        assert await home.recall() == {"device": "D\0"}
        event = said(HOME, matrix("alice"), "later", "later")
        await home.commit(Commit("c1", "c2", [event], [Delivery.of(event.key, LIBERA)]))
        outbox = [each.event.id for each in await store.outbox()]
        await home.release()
    back = tmp_path / "back" / "store.sqlite"
    move(shelf.url, back)
    async with aclosing(SqliteStore.open(back, lambda: NOW)) as store:
        assert [each.event.id for each in await store.outbox()] == outbox
        assert outbox.count("later") == 1
        assert await (await lease_of(store, "home")).cursor() == "c2"


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_that_went_round_all_engines_is_the_same_and_each_goes_on_as_the_first(
    seed: int, postgres: Postgres, tmp_path: Path
) -> None:
    need(RedisServer)
    postgres.empty()
    clock, first, last = Clock(), tmp_path / "first.sqlite", tmp_path / "last.sqlite"
    redis = shared().url(unique())
    memory = MemoryStore(clock)
    async with aclosing(memory), aclosing(SqliteStore.open(first, clock)) as store:
        calls = RandomCalls((memory, store), [await _leases(memory), await _leases(store)], random.Random(seed), clock)
        for _ in range(60):
            await calls.step()
        for lease in (await _leases(store)).values():
            await lease.release()
    clock.now += 20  # what gathers is known in memory only
    with reading(first) as rows:
        expected = _contents(rows)
    assert sum(found.rows > 0 for found in expected.values()) >= 8
    move(first, redis)
    with from_redis(redis) as there:
        assert _contents(there) == expected
    move(redis, postgres.url)
    with from_postgres(postgres.url) as again:
        assert _contents(again) == expected
    move(postgres.url, last)
    with reading(last) as rows:
        assert _contents(rows) == expected
    for url in (redis, postgres.url):
        same = tmp_path / f"{url[:5]}.sqlite"
        same.write_bytes(first.read_bytes())
        unused = tmp_path / "unused" / "store.sqlite"
        async with (
            aclosing(SqliteStore.open(same, clock)) as store,
            opened(unused, url, clock, steady=clock) as other,
        ):
            calls.go_on((store, other), [await _leases(store), await _leases(other)])
            for _ in range(30):
                await calls.step()


async def _leases(store: Store) -> dict[str, Any]:
    return {network: await lease_of(store, network) for network in NETWORKS}


def _contents(rows: Any) -> dict[str, Content]:
    return {table.name: content(rows, table) for table in TABLES}


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_on_redis_that_comes_back_has_the_same_keys(seed: int, redis: str, tmp_path: Path) -> None:
    clock, again = Clock(), shared().url(unique())
    memory = MemoryStore(clock)
    async with aclosing(memory), opened(tmp_path / "unused.sqlite", redis, clock, steady=clock) as store:
        calls = RandomCalls((memory, store), [await _leases(memory), await _leases(store)], random.Random(seed), clock)
        for _ in range(80):
            await calls.step()
        for lease in (await _leases(store)).values():
            await lease.release()
    move(redis, tmp_path / "store.sqlite")
    move(tmp_path / "store.sqlite", again)
    before, after = _content(redis), _content(again)
    assert len(before) > 30
    assert _flat(after) == _flat(before)


def _flat(content: dict[str, Any]) -> list[str]:
    """One line for each field, so that a failure is readable."""
    fields = ((key, value if isinstance(value, dict) else {"": value}) for key, value in content.items())
    return sorted(f"{key} {field} {each}" for key, known in fields for field, each in known.items())


_OF_RUNNING = ("answers", "bells", "busy", "calls", "confirmed", "gather")
"""Keys of calls that are repeated, of doorbells, and of what gathers just now; `busy` may have more than it needs."""


def _content(url: str) -> dict[str, Any]:
    """What is stored there by its keys, however it is spelled."""
    address = Address.parse(url)
    with Redis(**address.login(), decode_responses=True) as client:
        reading: dict[str, Any] = {
            "hash": client.hgetall,
            "list": lambda key: client.lrange(key, 0, -1),
            "set": client.smembers,
            "zset": lambda key: dict(client.zrange(key, 0, -1, withscores=True)),
            "string": client.get,
        }
        found = {key: reading[client.type(key)](key) for key in client.scan_iter(f"{address.prefix}*")}
    named = {key.removeprefix(address.prefix): value for key, value in found.items()}
    return {key: _spelled(key, value) for key, value in named.items() if not key.startswith(_OF_RUNNING)} | {"net": 0}


def _spelled(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_meant(each) for each in value]
    if not isinstance(value, dict):
        return value
    kind = key.partition(":")[0]
    known = {field: _meant(each) for field, each in value.items()}
    known |= {field: sorted(known[field]) for field in ("remotes",) if field in known}
    if kind == "net":
        return {field: each for field, each in known.items() if field == "cursor"}
    if kind == "counters":  # the last ones may have expired
        return {field: each for field, each in known.items() if field in {"texts", "guests"} and each}
    return {"attempts": 0.0, "reason": "", **known} if kind == "w" else known


def _meant(text: Any) -> Any:
    """JSON or a number, if it is one; an empty list is spelled as an object by the scripts."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return text
    if isinstance(found, int | float):
        return float(found)
    return found or []


async def test_a_reply_finds_its_message_after_a_move_and_what_was_frozen_is_sent(
    path: Path, shelf: Shelf, tmp_path: Path
) -> None:
    move(path, shelf.url)
    async with _opened(shelf.url, tmp_path) as store:
        libera = await lease_of(store, "libera")
        source = await store.source_of(LIBERA, "remote 1")
        assert source is not None
        assert source.id == "one"
        assert list(await store.remote_ids(source, LIBERA)) == ["remote 1"]
        (backlog,) = await libera.due(NOW)
        (post,) = backlog.posts
        assert await libera.sent(post, "remote 2")
        assert (await store.outages(0))[0].reason == "gone"
        assert [run.version for run in await store.runs(0)] == ["1.0"]


async def test_a_store_that_is_not_empty_is_refused_and_stays(path: Path, shelf: Shelf, tmp_path: Path) -> None:
    move(path, shelf.url)
    with pytest.raises(Unusable, match="give an empty one"):
        move(path, shelf.url)
    with pytest.raises(Unusable, match="there is a file already"):
        move(shelf.url, path)
    async with _opened(shelf.url, tmp_path) as store:
        assert len(await store.outbox()) == 5


async def test_what_fails_at_the_end_moves_nothing(path: Path, shelf: Shelf, tmp_path: Path) -> None:
    def fails(_: object) -> None:
        raise StoreError("the last step")

    with pytest.raises(StoreError, match="the last step"):
        move(path, shelf.url, fails)
    async with _opened(shelf.url, tmp_path) as store:
        assert await store.outbox() == []
    move(path, shelf.url)
    with pytest.raises(StoreError, match="the last step"):
        move(shelf.url, tmp_path / "new" / "store.sqlite", fails)
    assert [*(tmp_path / "new").iterdir()] == []
    async with _opened(shelf.url, tmp_path) as store:  # and is free again
        assert len(await store.outbox()) == 5


async def test_a_copy_that_differs_is_not_taken(path: Path, postgres: Postgres) -> None:
    postgres.empty()
    await (await PostgresStore.open(postgres.url, lambda: NOW)).aclose()
    postgres.execute(
        "CREATE FUNCTION bend() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.excerpt := NEW.excerpt || '!'; RETURN NEW; END $$"
    )
    postgres.execute("CREATE TRIGGER bent BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION bend()")
    with pytest.raises(StoreError, match="differs in events"):
        move(path, postgres.url)
    assert postgres.execute("SELECT count(*) FROM deliveries") == [(0,)]


async def test_a_copy_on_redis_that_differs_is_not_taken(path: Path, redis: str, monkeypatch: Any) -> None:
    insert = RedisRows.insert

    def bent(self: RedisRows, table: Any, rows: Any) -> None:
        insert(self, table, rows[1:] if table.name == "sent" else rows)

    monkeypatch.setattr(RedisRows, "insert", bent)
    with pytest.raises(StoreError, match="differs in sent"):
        move(path, redis)
    assert _keys(redis) == set()


@pytest.fixture
def redis() -> str:
    need(RedisServer)
    return shared().url(unique())


def _keys(url: str) -> set[str]:
    address = Address.parse(url)
    with Redis(**address.login()) as client:
        found: Any = client.keys(f"{address.prefix}*")
    return {key.decode().removeprefix(address.prefix) for key in found}


class _Killed(BaseException):
    """Ends a move as a kill would: nothing is cleared away."""


async def test_a_store_on_redis_that_was_half_filled_is_none_until_the_move_is_made_again(
    path: Path, redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: object) -> None:
        monkeypatch.setattr("bridge.store.redis.moving._Held.run", _dead_run)
        raise _Killed

    with pytest.raises(_Killed):
        move(path, redis, killed)
    monkeypatch.undo()
    assert len(_keys(redis)) > 20
    with pytest.raises(Unusable, match=r"is being filled by `quackbridge move-store`, or that was cut short: run it"):
        async with _opened(redis, tmp_path):
            pass
    for source, target in ((path, redis), (redis, tmp_path / "back.sqlite")):
        with pytest.raises(Unusable, match="is being filled"):
            move(source, target)  # another may still be at it
    forget_mover(redis)
    with pytest.raises(Unusable, match="is being filled"):
        move(redis, tmp_path / "back.sqlite")
    assert move(path, redis)["events"] == 3
    async with _opened(redis, tmp_path) as store:
        assert len(await store.outbox()) == 5


def _dead_run(_: object, coroutine: Any) -> object:
    coroutine.close()
    raise _Killed


def _dead(*_: object, **__: object) -> object:
    raise _Killed


async def test_a_move_that_was_killed_before_it_began_to_fill_makes_no_store_a_half_filled_one(
    path: Path, redis: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had not looked yet whether there is something."""
    move(path, redis)
    monkeypatch.setattr("bridge.store.redis.moving._Held.has_something", _dead)
    with pytest.raises(_Killed):
        move(path, redis)
    monkeypatch.undo()
    forget_mover(redis)
    with pytest.raises(Unusable, match="give an empty one"):
        move(path, redis)
    async with _opened(redis, tmp_path) as store:
        assert len(await store.outbox()) == 5


async def test_nobody_uses_a_store_on_redis_while_it_is_moved(path: Path, redis: str, tmp_path: Path) -> None:
    move(path, redis)
    async with _opened(redis, tmp_path) as store:
        with from_redis(redis):
            with pytest.raises(Unusable, match="is being moved by `quackbridge move-store`"):
                async with _opened(redis, tmp_path / "other"):
                    pass
            for call in (store.acquire("home", "test"), store.outbox(), store.drop("x")):
                with pytest.raises(StoreError, match="is being moved"):
                    await call
            with pytest.raises(Unusable, match="is being moved"):
                move(redis, tmp_path / "back.sqlite")
        assert await store.acquire("home", "test") is not None


async def test_a_mover_whose_mark_was_taken_away_takes_nothing(path: Path, redis: str, tmp_path: Path) -> None:
    """It hung for a minute, so the store may have been used since."""

    def hangs(_: object) -> None:
        address = Address.parse(redis)
        with Redis(**address.login()) as client:
            client.delete(f"{address.prefix}moving")

    move(path, redis)
    with pytest.raises(StoreError, match="is not ours any more"):
        move(redis, tmp_path / "back.sqlite", hangs)
    assert not (tmp_path / "back.sqlite").exists()


async def test_a_store_is_not_moved_under_a_worker(path: Path, shelf: Shelf, tmp_path: Path) -> None:
    async with _opened(shelf.url, tmp_path) as store:
        await lease_of(store, "home")
        for source, target in ((path, shelf.url), (shelf.url, tmp_path / "new.sqlite")):
            with pytest.raises(Unusable, match="workers run on this store: test; stop them first"):
                move(source, target)
    async with aclosing(SqliteStore.open(path, lambda: NOW)):
        with pytest.raises(Unusable, match="another quackbridge is running"):
            move(path, shelf.url)


def test_users_and_their_audit_log_move_with_the_store(path: Path, shelf: Shelf, tmp_path: Path) -> None:
    users = TinyUsers.create(tmp_path / "users.json")
    users.add(User("alice", identities=(Identity(Proof.MATRIX, "", "@alice:hs"),)))
    users.sanction(Sanction("alice", Measure.MUTE, None, NOW, None, "loud", "test"))
    lines = [*users.audit.lines()]
    irc = {"type": "irc", "server": "127.0.0.1:6667", "tls": False, "nick": "duck"}
    config = {"networks": {"irc": irc}, "store": {"path": "store.sqlite"}, "users": {"database": "users.json"}}
    write_config(tmp_path, config, {})
    moved = _run(tmp_path, "move-store", "config", shelf.url)
    assert moved.returncode == 0, moved.stderr
    assert "events: 3\n" in moved.stdout
    text = shelf.users()
    there = TinyUsers(text)
    assert list(there.list()) == list(users.list())
    assert list(there.sanctions()) == list(users.sanctions())
    assert [*there.audit.lines()] == lines
    again = _run(tmp_path, "move-store", "config", shelf.url)
    assert again.returncode != 0
    assert "give an empty one" in again.stderr
    back = _run(tmp_path, "move-store", shelf.url, "sqlite:back.sqlite", "--users", "back.json")
    assert back.returncode == 0, back.stderr
    assert list(TinyUsers(tmp_path / "back.json").list()) == list(users.list())
    assert [*TinyUsers(tmp_path / "back.json").audit.lines()] == lines


def test_a_place_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    refused = _run(tmp_path, "move-store", "sqlite:nothing.sqlite", "nowhere")
    assert refused.returncode != 0
    assert "FROM and TO are config, sqlite:PATH, or an address" in refused.stderr


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return quackbridge(folder, *arguments)
