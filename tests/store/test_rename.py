"""Renaming a network in the store: nothing of it stays behind, and everything is found under the new name."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridge.model.accounting import Count, Tally
from bridge.model.event import BOTS, Event, EventKey, Reaction, Room
from bridge.model.outbox import Addressed, Post
from bridge.model.people import Identity, Proof
from bridge.network import UNCOPIED
from bridge.store import Commit, Dead, Dropped, Lease, Unusable, Waits
from bridge.store.moving import move
from bridge.store.opening import opened
from bridge.store.peek import networks_of
from bridge.store.redis.moving import Change
from bridge.store.rename import Moved, renaming
from bridge.store.sqlite import SqliteStore, lock
from bridge.store.tables.bodies import dump
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.conftest import need
from tests.events import HOME, irc, matrix, said
from tests.fakes.redis import RedisServer, forget_mover, shared, unique
from tests.integration.daemon import quackbridge, write_config
from tests.shelves import Shelf, shelf

__all__ = ["shelf"]

pytestmark = pytest.mark.real_time

Rename = Callable[[Path, str, str], AbstractContextManager[Moved]]

_TABLES = ("networks", "memory", "events", "deliveries", "posts", "rooms", "sent", "tallies", "losses", "media")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture(params=["sqlite", *(pytest.param(each, marks=pytest.mark.servers) for each in ("postgres", "redis"))])
def rename(request: pytest.FixtureRequest) -> Rename:
    """Renames a network in the file at a path; on an engine of servers, it moves there and back."""
    if request.param == "sqlite":
        return lambda path, old, new: renaming(path, path.parent, old, new)
    if request.param == "redis":
        need(RedisServer)
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None

    @contextmanager
    def there(path: Path, old: str, new: str) -> Iterator[Moved]:
        if server is not None:
            server.empty()
        url = shared().url(unique()) if server is None else server.url
        move(path, url)
        try:
            with renaming(url, path.parent / "copies", old, new) as moved:
                yield moved
        finally:
            path.unlink()
            move(url, path)

    return there


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease


def _events(name: str) -> Sequence[Addressed]:
    """A conversation between home and the IRC network `name`, in which a bot is asked in public and in private."""
    pond, bob = Room(name, "#pond"), irc("bob", "bob", network=name)
    first, asked = said(pond, bob, "first", "1"), said(pond, bob, "libera, libera/#pond", "2")
    owed = [Addressed(said(HOME, matrix("alice"), text), pond) for text in ("sent", "frozen", "dead", "queued", "old")]
    owed += [Addressed(first, HOME), Addressed(asked, HOME), Addressed(asked, Room(BOTS, f"duck@@{pond}"))]
    owed += [Addressed(said(pond, bob, "re", "3", reply_to=first.key), HOME)]
    owed += [Addressed(Event("4", pond, bob, 1.0, Reaction(EventKey(pond, "1"), "+")), HOME)]
    private = said(Room(name, "bob"), bob, "psst", "5", private=True)
    return [*owed, Addressed(private, Room(BOTS, f"duck@{name}/bob"))]


async def _filled(path: Path, name: str) -> None:
    """Fill the store at `path` as a daemon does that calls its IRC network `name`."""
    pond, owed = Room(name, "#pond"), _events(name)
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0, token=lambda: "token")) as store:
        home, network, bots = await _lease(store, "home"), await _lease(store, name), await _lease(store, BOTS)
        await home.commit(Commit(cursor="s1", events=[each.event for each in owed[:5]], counts=()))
        await home.commit(Commit.owing(owed[:5]))
        count = Count(pond, Tally.REFUSED, "guest")
        await network.commit(Commit(cursor="at 5", counts=(count,), changes={"away #pond": "[1]"}))
        await network.commit(Commit.owing(owed[5:]))
        ids = [each.delivery.id for each in owed]
        posts = [Post(f"post {part}", pond, (ids[part],), "payload") for part in range(2)]
        await network.plan(pond, posts)
        assert await network.sent(posts[0], "remote")
        await network.settle(Dead([ids[2]], "too large"))
        await network.settle(Dropped([ids[4]], "too old"))
        await network.settle(Waits(pond, 2_000.0, "offline"))
        await home.settle(Waits(HOME, 2_000.0, "offline"))
        ear = owed[7].room
        await bots.plan(ear, [Post("question", ear, (ids[7],), f"[{dump(owed[7].event)}]")])
        for lease in (home, network, bots):
            await lease.release()


def _content(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as sql:
        return {table: sorted(sql.execute(f"SELECT * FROM {table}"), key=repr) for table in _TABLES}


async def test_a_renamed_store_is_the_store_of_a_daemon_that_always_used_the_new_name(
    path: Path, rename: Rename
) -> None:
    other = path.with_name("other.sqlite")
    await _filled(path, "libera")
    await _filled(other, "lagoon")
    with rename(path, "libera", "lagoon") as moved:
        pass
    assert (moved.found, moved.waiting) == (True, 2)
    before, after = _content(other), _content(path)
    del before["networks"], after["networks"]  # the worker of the new name is not known
    assert after == before
    assert networks_of(path) == networks_of(other) == {"home": 4, "lagoon": 2}


async def test_after_a_rename_the_network_resumes_sends_what_waits_and_knows_what_it_has_heard(
    path: Path, rename: Rename
) -> None:
    await _filled(path, "libera")
    with rename(path, "libera", "lagoon"):
        pass
    pond, owed = Room("lagoon", "#pond"), _events("lagoon")
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        lagoon = await _lease(store, "lagoon")
        assert await lagoon.cursor() == "at 5"
        assert dict(await lagoon.recall()) == {"away #pond": "[1]"}
        (backlog,) = await lagoon.due(3_000.0)
        assert [(post.id, post.deliveries) for post in backlog.posts] == [("post 1", (owed[1].delivery.id,))]
        assert await lagoon.sent(backlog.posts[0], "remote 2")
        assert await store.remote_ids(owed[0].event.key, pond) == ["remote"]
        assert (await lagoon.commit(Commit.owing(owed))).new == 0


async def test_a_daemon_that_has_run_with_the_new_name_already_does_not_prevent_the_rename(
    path: Path, rename: Rename
) -> None:
    await _filled(path, "libera")
    pond, late = Room("lagoon", "#pond"), said(HOME, matrix("alice"), "late")
    async with aclosing(SqliteStore.open(path, lambda: 2_000.0)) as store:
        lagoon, home = await _lease(store, "lagoon"), await _lease(store, "home")
        await lagoon.commit(Commit(cursor="at 9", changes={"away #pond": "[2]"}))
        await home.commit(Commit.owing([Addressed(late, pond)]))
        await lagoon.plan(pond, [Post("post 9", pond, (Addressed(late, pond).delivery.id,), "payload")])
    with rename(path, "libera", "lagoon"):
        pass
    async with aclosing(SqliteStore.open(path, lambda: 3_000.0)) as store:
        lagoon = await _lease(store, "lagoon")
        assert await lagoon.cursor() == "at 5"  # what was said before the first start under the new name is heard, too
        (backlog,) = await lagoon.due(3_000.0)
        assert [post.id for post in backlog.posts] == ["post 1", "post 9"]


async def test_what_cannot_be_renamed_stays_as_it_is(path: Path, rename: Rename) -> None:
    await _filled(path, "libera")
    event = replace(said(HOME, matrix("alice"), "1"), room=Room("lagoon", "#pond"), id="1")
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        await (await _lease(store, "lagoon")).commit(Commit.owing([Addressed(event, HOME)]))
        held = _content(path)
        runs = pytest.raises(Unusable, match="another quackbridge is running")
        with runs, renaming(path, path.parent, "libera", "lagoon"):
            pass
    held = _content(path)
    with pytest.raises(Unusable, match="heard under both names"), rename(path, "libera", "lagoon"):
        pass
    with pytest.raises(ZeroDivisionError), rename(path, "libera", "other"):
        raise ZeroDivisionError
    with rename(path, "never", "other") as moved:
        assert not moved.found
    after = _content(path)
    del held["networks"], after["networks"]  # who ran it last is not moved
    assert after == held
    os.close(lock(path))  # and it is free again


async def test_the_keys_of_two_devices_do_not_mix(path: Path, rename: Rename) -> None:
    """A daemon has run under the new name already: the device of the older one stays, with its keys alone."""
    old = {"device_id": "OLD", f"{UNCOPIED}a": "old"}
    async with aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        await (await _lease(store, "old")).remember(old)
        await (await _lease(store, "new")).remember({"device_id": "NEW", f"{UNCOPIED}a": "new", f"{UNCOPIED}b": "new"})
    with rename(path, "old", "new"):
        pass
    async with aclosing(SqliteStore.open(path, lambda: 1.0)) as store:
        assert await (await _lease(store, "new")).recall() == old


@pytest.fixture
async def url(path: Path) -> str:
    """A store on Redis that was filled as a daemon does that calls its IRC network `libera`."""
    need(RedisServer)
    await _filled(path, "libera")
    url = shared().url(unique())
    move(path, url)
    return url


class _Killed(BaseException):
    pass


def _dead(*_: Any, **__: Any) -> Any:
    raise _Killed


def _dead_at_the_end(change: Change) -> None:
    change.begun = True  # so that nothing is cleared away
    raise _Killed


@pytest.mark.servers
async def test_a_rename_on_redis_that_is_killed_before_it_replaces_the_store_has_changed_nothing(
    path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.redis.moving.Change.finish", _dead_at_the_end)
    with pytest.raises(_Killed), renaming(url, path.parent, "libera", "lagoon"):
        pass
    monkeypatch.undo()
    forget_mover(url)
    assert networks_of(url) == {"home": 4, "libera": 2}
    with renaming(url, path.parent, "libera", "lagoon") as moved:
        assert moved.waiting == 2
    assert networks_of(url) == {"home": 4, "lagoon": 2}


@pytest.mark.servers
@pytest.mark.parametrize("step", ["clear_old", "_unlink", "place"])
async def test_a_rename_on_redis_that_is_killed_while_it_replaces_the_store_is_finished_by_the_same_command(
    path: Path, url: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(_Killed), renaming(url, path.parent, "libera", "lagoon"):
        monkeypatch.setattr(f"bridge.store.redis.moving._Held.{step}", _dead)
    monkeypatch.undo()
    forget_mover(url)
    sentence = "was half changed when `quackbridge rename-network libera lagoon` was cut short: run that again"
    with pytest.raises(Unusable, match=sentence):
        networks_of(url)
    with pytest.raises(Unusable, match=sentence), renaming(url, path.parent, "home", "house"):
        pass
    with renaming(url, path.parent, "libera", "lagoon") as moved:
        assert moved.found
    assert networks_of(url) == {"home": 4, "lagoon": 2}
    other = path.with_name("other.sqlite")
    await _filled(other, "lagoon")
    path.unlink()
    move(url, path)
    before, after = _content(other), _content(path)
    del before["networks"], after["networks"]
    assert after == before


@pytest.mark.servers
async def test_a_network_is_not_renamed_under_a_worker(path: Path, url: str) -> None:
    async with opened(path.parent / "unused" / "store.sqlite", url, lambda: 1.0, steady=lambda: 0.0) as store:
        assert await store.acquire("home", "duck1") is not None
        by_duck1 = pytest.raises(Unusable, match="workers run on this store: duck1")
        with by_duck1, renaming(url, path.parent, "libera", "lagoon"):
            pass


@pytest.mark.servers
async def test_the_command_renames_a_network_in_a_shared_store_and_among_its_users(
    path: Path, shelf: Shelf, tmp_path: Path
) -> None:
    await _filled(path, "libera")
    move(path, shelf.url)
    irc_network = {"type": "irc", "server": "127.0.0.1:6667", "tls": False, "nick": "duck"}
    config = {"networks": {"lagoon": irc_network}, "store": {"url": shelf.url}, "users": {"database": "store"}}
    write_config(tmp_path, config, {})
    assert quackbridge(tmp_path, "init-db").returncode == 0
    users = TinyUsers(shelf.users())
    users.add(User("bob", identities=(Identity(Proof.IRC, "libera", "bob"),)))
    renamed = quackbridge(tmp_path, "rename-network", "libera", "lagoon")
    assert renamed.returncode == 0, renamed.stderr
    assert "libera is lagoon now: 2 waiting messages, 1 identities" in renamed.stdout
    assert [one.network for user in TinyUsers(shelf.users()).list() for one in user.identities] == ["lagoon"]
    assert networks_of(shelf.url) == {"home": 4, "lagoon": 2}
    again = quackbridge(tmp_path, "rename-network", "libera", "lagoon")
    assert again.returncode == 2
    assert "nothing is kept of a network 'libera'" in again.stderr
    assert networks_of(shelf.url) == {"home": 4, "lagoon": 2}
