"""Moving a store from a file to a database and back: everything, or nothing."""

import subprocess
from contextlib import aclosing
from pathlib import Path

import pytest

from bridge.model.accounting import Count, Tally, Traffic, TrafficKind
from bridge.model.outbox import Delivery, Post
from bridge.model.people import Identity, Proof
from bridge.store import Commit, Dead, Store, StoreError, Unusable
from bridge.store.moving import TABLES, move
from bridge.store.postgres.store import PostgresStore
from bridge.store.postgres.users import UsersText
from bridge.store.sqlite import SqliteStore
from bridge.users import Measure, Sanction, User
from bridge.users.tinydb import TinyUsers
from tests.contract.stores import lease_of
from tests.events import HOME, LIBERA, OFTC, matrix, said
from tests.integration.daemon import quackbridge, write_config
from tests.postgres import Postgres

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


async def test_what_was_moved_is_the_same_and_goes_on_with_numbers_behind_it(
    path: Path, postgres: Postgres, tmp_path: Path
) -> None:
    postgres.empty()
    there = move(path, postgres.url)
    assert there["events"] == 3
    assert there["deliveries"] == 6
    assert sum(rows > 0 for rows in there.values()) >= len(TABLES) - 2
    async with aclosing(await PostgresStore.open(postgres.url, lambda: NOW)) as store:
        home = await lease_of(store, "home")
        assert await home.cursor() == "c1"
        assert await home.recall() == {"device": "D\0"}
        event = said(HOME, matrix("alice"), "later", "later")
        await home.commit(Commit("c1", "c2", [event], [Delivery.of(event.key, LIBERA)]))
        outbox = [each.event.id for each in await store.outbox()]
        await home.release()
    back = tmp_path / "back" / "store.sqlite"
    move(postgres.url, back)
    async with aclosing(SqliteStore.open(back, lambda: NOW)) as store:
        assert [each.event.id for each in await store.outbox()] == outbox
        assert outbox.count("later") == 1
        assert await (await lease_of(store, "home")).cursor() == "c2"


def test_a_store_that_is_not_empty_is_refused_and_stays(path: Path, postgres: Postgres, tmp_path: Path) -> None:
    postgres.empty()
    move(path, postgres.url)
    with pytest.raises(Unusable, match="give an empty one"):
        move(path, postgres.url)
    with pytest.raises(Unusable, match="there is a file already"):
        move(postgres.url, path)
    assert postgres.execute("SELECT count(*) FROM events") == [(3,)]


def test_what_fails_at_the_end_moves_nothing(path: Path, postgres: Postgres, tmp_path: Path) -> None:
    def fails(_: object) -> None:
        raise StoreError("the last step")

    postgres.empty()
    with pytest.raises(StoreError, match="the last step"):
        move(path, postgres.url, fails)
    assert postgres.execute("SELECT count(*) FROM events") == [(0,)]
    move(path, postgres.url)
    with pytest.raises(StoreError, match="the last step"):
        move(postgres.url, tmp_path / "new" / "store.sqlite", fails)
    assert [*(tmp_path / "new").iterdir()] == []


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


async def test_a_store_is_not_moved_under_a_worker(path: Path, postgres: Postgres) -> None:
    postgres.empty()
    async with aclosing(await PostgresStore.open(postgres.url, lambda: NOW)) as store:
        await lease_of(store, "home")
        with pytest.raises(Unusable, match="workers run on this store: test; stop them first"):
            move(path, postgres.url)
    async with aclosing(SqliteStore.open(path, lambda: NOW)):
        with pytest.raises(Unusable, match="another quackbridge is running"):
            move(path, postgres.url)


def test_users_and_their_audit_log_move_with_the_store(path: Path, postgres: Postgres, tmp_path: Path) -> None:
    postgres.empty()
    users = TinyUsers.create(tmp_path / "users.json")
    users.add(User("alice", identities=(Identity(Proof.MATRIX, "", "@alice:hs"),)))
    users.sanction(Sanction("alice", Measure.MUTE, None, NOW, None, "loud", "test"))
    lines = [*users.audit.lines()]
    irc = {"type": "irc", "server": "127.0.0.1:6667", "tls": False, "nick": "duck"}
    config = {"networks": {"irc": irc}, "store": {"path": "store.sqlite"}, "users": {"database": "users.json"}}
    write_config(tmp_path, config, {})
    moved = _run(tmp_path, "move-store", "config", postgres.url)
    assert moved.returncode == 0, moved.stderr
    assert "events: 3\n" in moved.stdout
    text = UsersText(postgres.url)
    there = TinyUsers(text)
    assert list(there.list()) == list(users.list())
    assert list(there.sanctions()) == list(users.sanctions())
    assert [*there.audit.lines()] == lines
    text.close()
    again = _run(tmp_path, "move-store", "config", postgres.url)
    assert again.returncode != 0
    assert "give an empty one" in again.stderr
    back = _run(tmp_path, "move-store", postgres.url, "sqlite:back.sqlite", "--users", "back.json")
    assert back.returncode == 0, back.stderr
    assert list(TinyUsers(tmp_path / "back.json").list()) == list(users.list())


def test_a_place_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    refused = _run(tmp_path, "move-store", "sqlite:nothing.sqlite", "nowhere")
    assert refused.returncode != 0
    assert "FROM and TO are config, sqlite:PATH, or an address" in refused.stderr


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return quackbridge(folder, *arguments)
