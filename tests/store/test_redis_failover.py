"""The store on Redis with two replicas and three sentinels: the primary dies, and another takes its place."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from bridge.model.outbox import Delivery, Post
from bridge.store import Commit, Unusable, stored
from bridge.store.moving import move
from bridge.store.redis import RedisStore
from bridge.store.redis.address import Address
from bridge.store.redis.users import UsersText
from bridge.store.sqlite import SqliteStore
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.conftest import need
from tests.events import HOME, LIBERA, matrix, said
from tests.fakes.redis import Primary, RedisServer

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]

NOW = 1_000.0


async def test_what_was_answered_is_there_after_a_failover_and_the_store_goes_on(tmp_path: Path) -> None:
    need(RedisServer)
    async with Primary(tmp_path) as primary:
        text = UsersText(primary.url)
        users = await asyncio.to_thread(TinyUsers.create, text)
        async with aclosing(await RedisStore.open(primary.url, lambda: NOW)) as store:
            home = await store.acquire("home", "one")
            assert home is not None
            events = [said(HOME, matrix("alice"), str(number), str(number)) for number in range(60)]
            for number, event in enumerate(events):
                if number == 30:
                    await asyncio.to_thread(users.add, User("alice"))
                    await primary.server.kill()
                commit = Commit(
                    str(number) if number else None, str(number + 1), [event], [Delivery.of(event.key, LIBERA)]
                )
                async with asyncio.timeout(30):
                    await stored(home.commit, commit)
            assert [each.event.id for each in await store.outbox()] == [event.id for event in events]
            await home.keep()
            assert home.valid()
        await asyncio.to_thread(users.add, User("bob"))
        assert [user.name for user in users.list()] == ["alice", "bob"]
        text.close()


def test_an_address_with_sentinels_names_them_and_the_service() -> None:
    found = Address.parse("redis+sentinel://:hunter2@one,two:1234/3?service=pond")
    assert found.sentinels == (("one", 26379), ("two", 1234))
    assert (found.service, found.password, found.database, found.wait) == ("pond", "hunter2", 3, 1)
    assert str(found) == "the primary of pond"
    for url in ("redis+sentinel://one,two/0", "redis://one?service=pond", "redis+sentinel:///?service=pond"):
        with pytest.raises(Unusable, match="has to look like"):
            Address.parse(url)


async def test_a_store_is_moved_behind_sentinels_and_back(tmp_path: Path) -> None:
    need(RedisServer)
    path, back = tmp_path / "store.sqlite", tmp_path / "back.sqlite"
    async with aclosing(SqliteStore.open(path, lambda: NOW)) as file:
        home = await file.acquire("home", "one")
        assert home is not None
        events = [said(HOME, matrix("alice"), str(number), str(number)) for number in range(250)]
        await home.commit(Commit(None, "c1", events, [Delivery.of(event.key, LIBERA) for event in events]))
    async with Primary(tmp_path / "servers") as primary:
        assert (await asyncio.to_thread(move, path, primary.url))["events"] == 250
        async with aclosing(await RedisStore.open(primary.url, lambda: NOW)) as store:
            assert [each.event.id for each in await store.outbox()] == [event.id for event in events]
            libera = await store.acquire("libera", "one")
            assert libera is not None
            (backlog,) = await libera.due(NOW)
            (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, backlog.owed[0].deliveries, 0, "x")])
            assert await libera.sent(post, "r1")
            await libera.release()
        await asyncio.to_thread(move, primary.url, back)
    async with aclosing(SqliteStore.open(back, lambda: NOW)) as file:
        assert await file.source_of(LIBERA, "r1") == events[0].key
        assert [each.event.id for each in await file.outbox()] == [event.id for event in events[1:]]
