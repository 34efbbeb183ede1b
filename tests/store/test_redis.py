"""The store on Redis, where it is more than the contract: several daemons, lost answers, a server that fails."""

import asyncio
import inspect
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from structlog.testing import capture_logs

from bridge.model.accounting import Account, Count, Tally, Traffic, TrafficKind
from bridge.model.event import Event
from bridge.model.outbox import Addressed, Delivery, Post
from bridge.model.text import plain
from bridge.store import (
    Commit,
    Committed,
    Dead,
    Dropped,
    Full,
    Lease,
    LeaseLost,
    Rewound,
    Shown,
    Store,
    Unavailable,
    Unusable,
    Waits,
)
from bridge.store.contract import BELIEVED_S, LEASE_S
from bridge.store.core import Core
from bridge.store.redis import RedisStore, server
from bridge.store.redis.address import Address
from bridge.store.redis.server import Server
from bridge.store.redis.verbs import Verbs
from tests.conftest import need
from tests.contract.stores import lease_of
from tests.contract.test_store import _events as events_of_any_kind
from tests.events import HOME, LIBERA, matrix, said
from tests.fakes.redis import RedisServer, new_store, run_out, shared, unique
from tests.fakes.redis_calls import NETWORKS, Clock, RandomCalls
from tests.fakes.store import MemoryStore
from tests.integration.certificates import self_signed

pytestmark = [pytest.mark.real_time, pytest.mark.servers]

NOW = 1_000.0


class LosingServer(Server):
    """Carries out the calls, but loses the answers to the next few."""

    lost = 0

    async def run(self, *args: Any, **named: Any) -> Any:
        answer = await super().run(*args, **named)
        if self.lost:
            self.lost -= 1
            raise Unavailable("the answer was lost")
        return answer


class Steady:
    """A clock that moves by itself while the server is asked."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def closing(*stores: Store) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        for store in stores:
            await store.aclose()


@pytest.fixture
async def store() -> AsyncGenerator[RedisStore, None]:
    store = new_store()
    async with closing(store):
        yield store


@pytest.fixture
async def other(store: RedisStore) -> AsyncGenerator[RedisStore, None]:
    """The same store, opened by another process."""
    again = RedisStore(Server(store.server.address), lambda: NOW)
    async with closing(again):
        yield again


@pytest.fixture
async def own(tmp_path: Path) -> AsyncGenerator[RedisServer, None]:
    """A server that a test may do anything to."""
    need(RedisServer)
    async with RedisServer(tmp_path / "redis") as started:
        yield started


def one(text: str = "one") -> tuple[Event, Delivery]:
    event = said(HOME, matrix("alice"), text)
    return event, Delivery.of(event.key, LIBERA)


async def say(home: Lease, *texts: str) -> Sequence[Delivery]:
    """Alice says `texts`, which are owed to libera."""
    events = [one(text)[0] for text in texts]
    owed = [Addressed(event, LIBERA) for event in events]
    await home.commit(Commit.owing(owed))
    return [each.delivery for each in owed]


# Leases


async def test_a_network_is_run_by_one_worker_until_its_lease_runs_out(store: RedisStore, other: RedisStore) -> None:
    first = await store.acquire("home", "a")
    assert first is not None
    assert await other.acquire("home", "b") is None
    assert await other.acquire("home", "a") is None, "the name of a worker proves nothing"
    assert await store.acquire("home", "a") is None
    await run_out(store, "home")
    second = await other.acquire("home", "b")
    assert second is not None
    assert await store.acquire("home", "a") is None
    with pytest.raises(LeaseLost):
        await first.remember({"a": "1"})
    assert not first.valid()
    assert second.valid()
    await second.remember({"a": "2"})


async def test_a_lease_that_ran_out_stays_writable_until_somebody_takes_it(
    store: RedisStore, other: RedisStore
) -> None:
    home = await lease_of(store, "home")
    await run_out(store, "home")
    await home.remember({"a": "1"})
    await home.keep()
    assert await other.acquire("home", "b") is None, "it was renewed"


async def test_a_released_lease_is_free_at_once(store: RedisStore, other: RedisStore) -> None:
    await (await lease_of(store, "home")).release()
    assert await other.acquire("home", "b") is not None


async def test_a_lease_runs_out_by_the_clock_of_the_server(store: RedisStore) -> None:
    seconds, microseconds = await store.server.client.time()
    await lease_of(store, "home")
    until = float(await store.server.client.hget(store.keys.name("net", "home"), "until") or 0)
    later, _ = await store.server.client.time()
    assert seconds + microseconds / 1e6 + LEASE_S <= until <= later + 1 + LEASE_S


async def test_the_owner_believes_in_its_lease_from_before_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = Steady()
    need(RedisServer)
    store = RedisStore(Server(Address.parse(shared().url(unique()))), lambda: NOW, steady=steady)
    run = store.server.run

    async def slow(*args: Any, **named: Any) -> Any:
        steady.now += 5.0
        return await run(*args, **named)

    monkeypatch.setattr(store.server, "run", slow)
    async with closing(store):
        home = await store.acquire("home", "a")
        assert home is not None
        assert home.valid()
        steady.now = BELIEVED_S
        assert not home.valid()
        await home.keep()
        assert home.valid()
        steady.now = 2 * BELIEVED_S - 0.1
        assert home.valid()
        steady.now = 2 * BELIEVED_S
        assert not home.valid()
        with pytest.raises(Rewound):
            await home.renew("elsewhere")
        assert not home.valid()


async def test_a_lease_that_was_granted_though_the_answer_was_lost_is_granted_again() -> None:
    need(RedisServer)
    losing = LosingServer(Address.parse(shared().url(unique())))
    store = RedisStore(losing, lambda: NOW)
    async with closing(store):
        losing.lost = 1
        with pytest.raises(Unavailable):
            await store.acquire("home", "a")
        home = await store.acquire("home", "a")
        assert home is not None
        assert home.valid()
        losing.lost = 1
        with pytest.raises(Unavailable):
            await home.keep()
        await home.keep()


async def test_a_commit_freezes_no_posts_for_a_network_that_another_process_runs(
    store: RedisStore, other: RedisStore
) -> None:
    home, libera = await lease_of(store, "home"), await other.acquire("libera", "test")
    assert libera is not None
    event, delivery = one()
    posts = [Post.of(LIBERA, (delivery.id,), 0, "x")]
    assert await home.commit(Commit(None, "c1", [event], [delivery], posts)) == Committed(1)
    (backlog,) = await libera.due(NOW)
    assert backlog.posts == ()


# Doorbells


async def test_a_commit_wakes_who_waits_in_another_process(store: RedisStore, other: RedisStore) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(other, "libera")
    waiting = asyncio.create_task(libera.wait(NOW + 3_600))
    await say(home, "one")
    async with asyncio.timeout(10):
        await waiting


async def test_a_doorbell_that_was_lost_is_noticed(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other, "_listen", lambda: None)
    home, libera = await lease_of(store, "home"), await lease_of(other, "libera")
    waiting = asyncio.create_task(libera.wait(NOW + 3_600))
    await say(home, "one")
    async with asyncio.timeout(10):
        await waiting


# Answers that are lost


@asynccontextmanager
async def losing_store() -> AsyncGenerator[tuple[LosingServer, RedisStore, Lease, Lease], None]:
    need(RedisServer)
    losing = LosingServer(Address.parse(shared().url(unique())))
    store = RedisStore(losing, lambda: NOW)
    async with closing(store):
        yield losing, store, await lease_of(store, "home"), await lease_of(store, "libera")


async def test_a_call_that_is_repeated_because_its_answer_was_lost_is_carried_out_once() -> None:
    async with losing_store() as (losing, store, home, libera):

        async def repeated(verb: Any, *args: Any) -> Any:
            losing.lost = 2
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await verb(*args)
            return await verb(*args)

        event, delivery = one()
        counts = [Count(HOME, Tally.REFUSED, "why")]
        posts = [Post.of(LIBERA, (delivery.id,), part, "x") for part in range(2)]
        commit = Commit(None, "c1", [event], [delivery], posts, counts)
        assert await repeated(home.commit, commit) == Committed(1, frozenset({LIBERA}))
        assert await repeated(home.commit, Commit(counts=counts)) == Committed()
        assert (await store.ledger(0.0)).counted(Tally.REFUSED) == 2
        assert await repeated(libera.thaw, LIBERA)
        assert await repeated(libera.append, LIBERA, posts) == tuple(posts)
        assert await repeated(libera.sent, posts[0], "r1")
        await repeated(libera.settle, Waits(LIBERA, NOW, "later"))
        assert [each.attempts for each in await store.outbox()] == [1]
        assert await repeated(libera.settle, Dead([delivery.id], "no")) == [event]
        assert await repeated(store.retry, delivery.id)
        assert await repeated(store.drop, delivery.id)
        await repeated(store.count_traffic, {TrafficKind.SERVED: Traffic(1, 10)})
        assert await store.traffic_since(0.0) == {TrafficKind.SERVED: Traffic(1, 10)}
        await repeated(store.begin_run, "1.0")
        assert len(await store.runs(0.0)) == 1
        assert await repeated(store.expire, NOW - 1) == 0
        assert await home.cursor() == "c1"


async def test_a_call_like_an_earlier_one_that_was_answered_is_carried_out_again() -> None:
    async with losing_store() as (_, store, home, libera):
        (delivery,) = await say(home, "one")
        for _ in range(2):
            await libera.settle(Dead([delivery.id], "no"))
            assert await store.retry(delivery.id)
        assert [each.state for each in await store.outbox()] == ["queued"]


async def test_only_so_many_answers_are_kept(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(510):
        await store.count_traffic({TrafficKind.SERVED: Traffic(1, 1)})
    for name in ("answers", "calls"):
        key = store.keys.name(name, "")
        number = await (store.server.client.hlen(key) if name == "answers" else store.server.client.llen(key))
        assert number == 500


# Servers that fail


async def test_a_full_server_refuses_intake_and_goes_on_sending(own: RedisServer) -> None:
    store = await RedisStore.open(own.url(), lambda: NOW)
    async with closing(store):
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        event, delivery = one("first")
        await home.commit(Commit(None, "c1", [event], [delivery]))
        await store.server.client.config_set("maxmemory", "1")
        later, _ = one("second")
        owed = [Delivery.of(later.key, LIBERA)]
        with pytest.raises(Full, match="maxmemory"):
            await home.commit(Commit("c1", "c2", [later], owed))
        with pytest.raises(Full):
            await store.try_to_take_in()
        await store.try_to_write()
        await home.keep()
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "x")])
        assert await libera.sent(post, "r1")
        await store.expire(NOW + 1)
        await libera.release()
        assert await lease_of(store, "libera") is not None
        await store.server.client.config_set("maxmemory", "0")
        assert await home.commit(Commit("c1", "c2", [later], owed)) == Committed(1)


async def test_a_server_that_is_killed_and_started_again_has_lost_nothing(own: RedisServer) -> None:
    store = await RedisStore.open(own.url(), lambda: NOW)
    async with closing(store):
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        deliveries = [delivery for number in range(20) for delivery in await say(home, f"{number}")]
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (deliveries[0].id,), 0, "x")])
        assert await libera.sent(post, "r1")
        await own.kill()
        with pytest.raises(Unavailable, match="no answer"):
            await home.keep()
        await own.start()
        await home.keep()  # the server has forgotten the scripts
        assert [entry.delivery for entry in await store.outbox()] == [each.id for each in deliveries[1:]]
        assert list(await store.remote_ids(deliveries[0].event, LIBERA)) == ["r1"]


async def test_who_waits_goes_on_while_the_server_is_away(own: RedisServer) -> None:
    store = await RedisStore.open(own.url(), lambda: NOW)
    async with closing(store):
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        waiting = asyncio.create_task(libera.wait(NOW + 3_600))
        await asyncio.sleep(0.05)  # it has begun to listen, perhaps
        await own.kill()
        await own.start()
        await say(home, "one")
        async with asyncio.timeout(10):
            await waiting


async def test_scripts_that_the_server_has_forgotten_are_sent_again(store: RedisStore) -> None:
    await store.begin_run("1.0")
    await store.server.client.script_flush()
    await store.begin_run("1.1")
    assert len(await store.runs(0.0)) == 2


async def test_a_write_that_a_replica_has_not_confirmed_may_be_lost_and_no_renewal_counts_without(
    own: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CONFIRM_S", 4.0)
    replica = RedisServer(tmp_path / "replica", replicaof=f"127.0.0.1 {own.port}")
    store = await RedisStore.open(own.url(), lambda: NOW)
    async with closing(store):
        home = await lease_of(store, "home")
        async with replica:
            while not store.server.replicas:  # it comes later
                await home.keep()
            with pytest.raises(Unusable, match="replica"):
                await RedisStore.open(replica.url(), lambda: NOW)
            steady = Steady()
            store._beliefs.steady = steady
            home = await lease_of(store, "home")
            await home.keep()
            await replica.kill()
            monkeypatch.setattr(server, "CONFIRM_S", 0.1)
            steady.now = BELIEVED_S
            event, delivery = one()
            commit = Commit(None, "c1", [event], [delivery], counts=[Count(HOME, Tally.UNKNOWN, "away")])
            for _ in range(2):
                with pytest.raises(Unavailable, match=r"0 of 1 replicas .* \?wait=0"):
                    await home.commit(commit)
            with pytest.raises(Unavailable):
                await home.keep()
            assert not home.valid()
            await replica.start()
            monkeypatch.setattr(server, "CONFIRM_S", 4.0)
            while await store.server.client.wait(1, 100) < 1:
                pass
            assert await home.commit(commit) == Committed(1)
            await home.keep()
            assert home.valid()
            await replica.kill()  # it does not end while it writes its first file


# Opening


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("appendonly", "no", "appendonly has to be 'yes', and is 'no'"),
        ("appendfsync", "everysec", "appendfsync has to be 'always', and is 'everysec'"),
        ("maxmemory-policy", "allkeys-lru", "maxmemory-policy has to be 'noeviction', and is 'allkeys-lru'"),
    ],
)
async def test_a_server_that_may_lose_messages_is_refused_in_words(
    own: RedisServer, setting: str, value: str, words: str
) -> None:
    store = own.store()
    async with closing(store):
        await store.server.client.config_set(setting, value)
    with pytest.raises(Unusable, match=words):
        await RedisStore.open(own.url(), lambda: NOW)


async def test_a_server_that_does_not_tell_its_settings_is_used_with_a_warning(own: RedisServer) -> None:
    store = own.store()
    async with closing(store):
        await store.server.client.execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", "duck", "on", ">quack", "resetchannels", "&qb:*", "~qb:*", "+@all", "-@admin"
        )
    url = own.url().replace("redis://", "redis://duck:quack@")
    with capture_logs() as logs:
        store = await RedisStore.open(url, lambda: NOW)
    assert [(each["event"], each["settings"]) for each in logs] == [
        ("redis_settings_unknown", ["appendfsync", "appendonly", "maxmemory-policy"])
    ]
    async with closing(store):
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        waiting = asyncio.create_task(libera.wait(NOW + 3_600))
        await say(home, "one")
        async with asyncio.timeout(10):
            await waiting
        assert len(await libera.due(NOW)) == 1, "a user who may use only our keys is enough"


async def test_a_user_who_may_not_use_our_keys_is_refused_in_words(own: RedisServer) -> None:
    store = own.store()
    async with closing(store):
        await store.server.client.execute_command(  # type: ignore[no-untyped-call]
            "ACL", "SETUSER", "duck", "on", ">quack", "~other:*", "+@all"
        )
    with pytest.raises(Unusable, match="ACL"):
        await RedisStore.open(own.url().replace("redis://", "redis://duck:quack@"), lambda: NOW)


@pytest.mark.parametrize("login", [":hunter2@", ""])
async def test_a_wrong_password_is_told_without_the_password(own: RedisServer, login: str) -> None:
    store = own.store()
    async with closing(store):
        await store.server.client.config_set("requirepass", "secret")
    with pytest.raises(Unusable, match="password") as refused, capture_logs() as logs:
        await RedisStore.open(own.url().replace("redis://", f"redis://{login}"), lambda: NOW)
    said_of_it = f"{refused.value!r} {refused.value.__cause__!r} {logs}"
    assert "hunter2" not in said_of_it
    assert "secret" not in said_of_it


async def test_a_password_that_is_changed_while_we_run_makes_the_store_unavailable(own: RedisServer) -> None:
    store = await RedisStore.open(own.url(), lambda: NOW)
    async with closing(store):
        await store.server.client.config_set("requirepass", "secret")
        await store.server.client.aclose()
        with pytest.raises(Unavailable, match="password"):
            await store.begin_run("1.0")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    absent = RedisServer(tmp_path)
    with pytest.raises(Unavailable, match="no answer"):
        await RedisStore.open(absent.url(password="hunter2"), lambda: NOW)


async def test_a_certificate_that_nobody_trusts_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(RedisServer)
    signed = self_signed(tmp_path, "localhost", 9)
    async with RedisServer(tmp_path / "redis", signed) as secure:
        with pytest.raises(Unavailable, match="certificate of the Redis server is not accepted"):
            await RedisStore.open(secure.url(), lambda: NOW)
        monkeypatch.setenv("SSL_CERT_FILE", str(signed.certificate))
        store = await RedisStore.open(secure.url(), lambda: NOW)
        async with closing(store):
            await store.begin_run("1.0")


def test_an_address_may_have_a_user_a_password_a_database_and_options() -> None:
    found = Address.parse("rediss://duck:p%40ss@redis.example.org:6380/3?name=pond&wait=2")
    assert found == Address("redis.example.org", 6380, 3, "duck", "p@ss", tls=True, name="pond", wait=2)
    assert "p@ss" not in f"{found} {found!r}"
    assert found.prefix == "qb:{pond}:"
    assert Address.parse("redis://localhost") == Address("localhost")


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@localhost",
        "redis://:hunter2@/0",
        "redis://:hunter2@localhost/zero",
        "redis://:hunter2@localhost:port",
        "redis://:hunter2@localhost?color=red",
        "redis://:hunter2@localhost?name=a{b}",
        "redis://:hunter2@localhost?wait=-1",
        "redis://:hunter2@localhost?wait=all",
        "redis://:hunter2@localhost?nonsense",
        "redis://[:hunter2@localhost",
    ],
)
def test_a_wrong_address_is_refused_without_telling_the_password(url: str) -> None:
    with pytest.raises(Unusable) as refused:
        Address.parse(url)
    assert "hunter2" not in str(refused.value)


# What is stored


@pytest.mark.parametrize("seed", range(6))
async def test_every_verb_decides_as_it_does_on_sqlite(seed: int) -> None:
    need(RedisServer)
    clock = Clock()
    redis = RedisStore(Server(Address.parse(shared().url(unique()))), clock)
    memory = MemoryStore(clock)
    async with closing(redis, memory):
        leases = [{network: await lease_of(each, network) for network in NETWORKS} for each in (memory, redis)]
        calls = RandomCalls((memory, redis), leases, random.Random(seed), clock)
        for _ in range(100):
            await calls.step()


@pytest.mark.parametrize("seed", range(3))
async def test_the_outbox_and_the_ledger_are_the_same_however_small_their_pages_are(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_PAGE", 3), ("_PAGE_BYTES", 400)):
        monkeypatch.setattr(f"bridge.store.redis.verbs.{name}", value)
    monkeypatch.setattr("bridge.store.redis.pages._QUEUES", 2)
    need(RedisServer)
    clock = Clock()
    redis = RedisStore(Server(Address.parse(shared().url(unique()))), clock)
    memory = MemoryStore(clock)
    async with closing(redis, memory):
        leases = [{network: await lease_of(each, network) for network in NETWORKS} for each in (memory, redis)]
        calls = RandomCalls((memory, redis), leases, random.Random(seed), clock)
        for _ in range(40):
            await calls.step()


async def test_no_call_of_the_outbox_or_the_ledger_reads_more_than_a_page(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    texts = [f"text {number}" for number in range(450)]
    deliveries = await say(home, *texts)
    for first in (0, 100):
        await libera.settle(Dead([each.id for each in deliveries[first : first + 100]], "no"))
    await libera.settle(Dropped([each.id for each in deliveries[400:]], "no"))
    answers: list[bytes] = []
    run = store.server.run

    async def noted(*args: Any, **named: Any) -> Any:
        answers.append(await run(*args, **named))
        return answers[-1]

    monkeypatch.setattr(store.server, "run", noted)
    assert [plain(each.event.text) for each in await store.outbox()] == texts[:400]
    (account,) = (await store.ledger(0)).accounts
    assert (account.queued, account.dead, account.dropped) == (200, 200, 50)
    assert max(answer.count(b'"origin"') for answer in answers) == 100


async def test_what_dies_or_is_sent_while_the_outbox_or_the_ledger_is_read_is_in_it_once(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    one, two, three = await say(home, "one", "two", "three")
    await libera.settle(Dead([three.id], "no"))
    monkeypatch.setattr("bridge.store.redis.verbs._PAGE", 2)
    read = store.read
    asked: list[str] = []

    async def meanwhile(verb: str, *args: Any, **named: Any) -> Any:
        found = await read(verb, *args, **named)
        asked.append(verb)
        if asked.count("waiting_page") == 1 and verb == "waiting_page":
            await libera.settle(Dead([one.id], "no") if named["bodies"] else Shown([two.id]))
        return found

    monkeypatch.setattr(store, "read", meanwhile)
    assert [(each.delivery, each.state) for each in await store.outbox()] == [
        (one.id, "dead"),
        (two.id, "queued"),
        (three.id, "dead"),
    ]
    asked.clear()
    ledger = await store.ledger(0)
    assert ledger.accounts == (Account(LIBERA, sent=1, dead=2),)


@given(event=events_of_any_kind)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_event_is_read_back_as_it_was_stored(event: Event) -> None:
    assume(event.target != event.key)  # what removes itself is gone
    store = new_store()
    async with closing(store):
        home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
        await home.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)]))
        (backlog,) = await libera.due(NOW)
        assert [item.event for item in backlog.owed] == [event]


async def test_the_text_of_an_event_is_dropped_with_its_last_delivery(store: RedisStore) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")
    event, _ = one("hunter2")
    await home.commit(Commit.owing([Addressed(replace(event, private=True), LIBERA)]))
    (backlog,) = await libera.due(NOW)
    (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, backlog.owed[0].deliveries, 0, "hunter2")])
    assert "hunter2" in await everything(store)
    await libera.sent(post, "r1")
    assert "hunter2" not in (await everything(store)).replace("$hunter2", "")


async def test_what_has_expired_leaves_nothing_behind_and_all_keys_have_our_prefix(store: RedisStore) -> None:
    home, libera = await lease_of(store, "home"), await lease_of(store, "libera")

    async def keys() -> set[str]:
        found = await store.server.client.keys(f"*{store.server.address.name}*")
        return {key.decode() for key in found if isinstance(key, bytes)}

    await store.expire(NOW + 1)
    before = await keys()
    for delivery in await say(home, "one", "two", "three"):
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "x")])
        await libera.sent(post, f"${delivery.id}")
    assert await store.expire(NOW + 1) == 3
    left = {key.removeprefix(store.keys.prefix) for key in await keys() - before}
    assert {key.partition(":")[0] for key in left} == {"answers", "bells", "busy", "calls", "counters"}
    assert all(key.startswith(store.keys.prefix) for key in await keys())


async def everything(store: RedisStore) -> str:
    """All that the server holds of the store, as text."""
    client, found = store.server.client, []
    for key in await client.keys(f"{store.keys.prefix}*"):
        if (await client.type(key)) in (b"hash", "hash"):
            found.append(str(await client.hgetall(key)))
        elif (await client.type(key)) in (b"list", "list"):
            found.append(str(await client.lrange(key, 0, -1)))
    return " ".join(found)


def test_every_verb_takes_the_arguments_that_it_has_on_sqlite() -> None:
    own = {"links_said", "revoke_these", "waiting_queues", "waiting_page", "done_page", "counts_page"}
    verbs = {name: verb for name, verb in inspect.getmembers(Verbs, inspect.isfunction) if not name.startswith("_")}
    for name, verb in verbs.items():
        if name not in own:
            assert inspect.signature(verb).parameters == inspect.signature(getattr(Core, name)).parameters, name
    public = {
        name for contract in (Store, Lease) for name, verb in vars(contract).items() if hasattr(verb, "__wrapped__")
    }
    assert public - {*verbs} == {"note_sent", "revoke_said", "outbox", "ledger"}
