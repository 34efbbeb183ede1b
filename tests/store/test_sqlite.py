"""What only the store on SQLite promises: files, versions, other processes, sudden ends."""

import asyncio
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import aclosing, closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.model.event import BOTS
from bridge.model.outbox import Addressed, Delivery, Post
from bridge.model.text import plain
from bridge.network import UNCOPIED
from bridge.store import (
    Commit,
    Committed,
    Dead,
    Full,
    Lease,
    StoreError,
    Unavailable,
    Unusable,
    Waits,
    backup,
    migrations,
)
from bridge.store.core import Core
from bridge.store.migrations import VERSION
from bridge.store.sqlite import SqliteStore
from tests.data.stores import DEAD, EAR, MORE, QUESTION, QUEUED, REMOTE, SENT, frozen_store
from tests.events import HOME, LIBERA, OFTC, matrix, said

pytestmark = pytest.mark.real_time

FROZEN = frozen_store(1)


def _clock() -> float:
    return 1_000.0


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "test")
    assert lease is not None
    return lease


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.sqlite"


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
async def test_a_store_file_of_an_earlier_version_is_upgraded_with_its_content_and_backed_up(
    path: Path, version: int
) -> None:
    path.parent.mkdir()
    path.write_bytes(frozen_store(version).read_bytes())
    with sqlite3.connect(path) as sql:
        sql.execute("INSERT INTO memory VALUES ('home', ?, 'x')", (f"{UNCOPIED}key",))
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        assert await home.cursor() == "s3"
        assert dict(await home.recall()) == {"device": "DUCK", f"{UNCOPIED}key": "x"}
        entries = [entry for entry in await store.outbox() if entry.room == LIBERA]
        assert [(entry.delivery, entry.reason) for entry in entries] == [(DEAD, "too large"), (QUEUED, "")]
        (backlog,) = await libera.due(2_000.0)
        assert [post.payload for post in backlog.posts] == ["frozen"]
        assert await store.source_of(LIBERA, REMOTE) == SENT
        assert await libera.sent(backlog.posts[0], "irc-2")
        assert await libera.due(2_000.0) == []
    with sqlite3.connect(path) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (VERSION,)
    copy = Path(f"{path}.v{version}.bak")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (version,)
        assert sql.execute("SELECT key FROM memory WHERE network = 'home'").fetchall() == [("device",)]


async def test_the_messages_of_version_4_become_events_with_bodies(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(frozen_store(4).read_bytes())
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        oftc, bots = await _lease(store, "oftc"), await _lease(store, BOTS)
        (backlog,) = await oftc.due(2_000.0)
        assert [item.event for item in backlog.owed] == MORE
        assert [item.said for item in backlog.owed] == [1_003.0, 500.0, 1_003.0, 1_003.0, 1_003.0]
        assert await oftc.waiting(OFTC) == 3, "our own words do not count"
        assert [(loss.room, loss.number) for loss in await oftc.losses()] == [(OFTC, 1)]
        assert await oftc.trim(0.0, 100, 500) == 4, "what waited before the upgrade has its size"
        (asked,) = await bots.due(2_000.0)
        assert (asked.room, [item.event for item in asked.owed]) == (EAR, [QUESTION])


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.parent.mkdir()
    path.write_bytes(FROZEN.read_bytes())
    broken = (*migrations.MIGRATIONS[:1], "CREATE TABLE half (x); SELECT * FROM nowhere;")
    monkeypatch.setattr(migrations, "MIGRATIONS", broken)
    with pytest.raises(Unusable, match="nowhere"):
        SqliteStore.open(path, _clock)
    with closing(sqlite3.connect(path)) as sql:
        assert sql.execute("PRAGMA user_version").fetchone() == (1,)
        assert sql.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)


def test_the_command_line_leaves_upgrading_to_the_daemon(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(FROZEN.read_bytes())
    with pytest.raises(Unusable, match="run the daemon once"):
        SqliteStore.attach(path, _clock)
    assert path.read_bytes() == FROZEN.read_bytes()


def test_a_path_that_cannot_be_used_is_named_in_the_error(path: Path) -> None:
    path.parent.write_text("a file, where a folder should be")
    with pytest.raises(Unusable, match=str(path)):
        SqliteStore.open(path, _clock)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_root_at_the_command_line_leaves_the_files_to_their_owner(path: Path) -> None:
    await SqliteStore.open(path, _clock).aclose()
    for file in (path, path.parent):
        os.chown(file, 1234, 1234)
    async with aclosing(SqliteStore.attach(path, _clock)) as beside:
        assert not await beside.drop("unknown")
        found = [file.stat() for file in path.parent.iterdir() if file.suffix not in (".lock", ".reserve")]
        assert len(found) == 3
        assert {(each.st_uid, each.st_gid, stat.S_IMODE(each.st_mode)) for each in found} == {(1234, 1234, 0o600)}


def test_a_store_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as sql:
        sql.execute("CREATE TABLE later (x)")
        sql.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(Unusable, match=rf"{path.name}: the store is of version {VERSION + 1}"):
        SqliteStore.open(path, _clock)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 100, FROZEN.read_bytes()[:9000]])
def test_a_damaged_store_is_refused_by_name_and_not_changed(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(Unusable, match=path.name):
        SqliteStore.open(path, _clock)
    assert path.read_bytes() == content


_MAGIC = bytes.fromhex("d9d505f920a163d7")


@pytest.mark.parametrize(
    ("journal", "left"),
    [
        ("-wal", b"what is left of a store"),
        ("-journal", _MAGIC + bytes(8) + b"\0\0\0\x05"),
        ("-journal", bytes(16) + b"\0\0\0\x05"),
    ],
)
def test_an_empty_file_beside_a_journal_is_a_damaged_store_and_not_a_new_one(
    path: Path, journal: str, left: bytes
) -> None:
    path.parent.mkdir()
    path.touch()
    beside = Path(f"{path}{journal}")
    beside.write_bytes(left)
    with pytest.raises(Unusable, match="the store was damaged"):
        SqliteStore.open(path, _clock)
    assert path.stat().st_size == 0
    assert beside.read_bytes() == left


@pytest.mark.parametrize(
    "left", [_MAGIC + bytes(12), bytes(512), bytes(range(1, 256)) * 2], ids=["new", "none", "torn"]
)
async def test_a_journal_that_a_power_cut_left_of_making_the_store_does_not_keep_it_from_being_made(
    path: Path, left: bytes
) -> None:
    path.parent.mkdir()
    path.touch()
    Path(f"{path}-journal").write_bytes(left.ljust(512, b"\0"))
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        assert await store.outbox() == []


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TRIGGER spy AFTER INSERT ON events BEGIN DELETE FROM deliveries; END",
        "CREATE VIEW spy AS SELECT * FROM events",
        "CREATE VIRTUAL TABLE spy USING fts5(words)",
    ],
)
async def test_a_store_or_backup_with_something_foreign_that_runs_by_itself_is_refused(
    path: Path, foreign: str
) -> None:
    await SqliteStore.open(path, _clock).aclose()
    bad = path.with_name("backup.sqlite")
    backup.copy(path, bad)
    with closing(sqlite3.connect(bad)) as sql:
        sql.execute(foreign)
    with pytest.raises(Unusable, match="'spy', which is not ours"):
        backup.restore(path, bad, "bak")
    with pytest.raises(Unusable, match="'spy', which is not ours"):
        SqliteStore.open(bad, _clock)
    await SqliteStore.open(path, _clock).aclose()


async def test_a_copy_of_a_store_has_nothing_of_what_is_wrong_once_it_is_old(path: Path) -> None:
    """Neither in its rows nor in pages that are not used any more."""
    store = SqliteStore.open(path, _clock)
    lease = await store.acquire("home", "worker")
    assert lease is not None
    secrets = {f"{UNCOPIED}{number}": "a secret of encryption " * 20 for number in range(200)}
    await lease.remember({**secrets, "access_token": "a token"})
    await lease.remember(dict.fromkeys([*secrets][:100]))
    copy, again = path.with_name("copy.sqlite"), path.with_name("again.sqlite")
    backup.copy(path, copy)
    assert b"a secret of encryption" in path.read_bytes() + Path(f"{path}-wal").read_bytes()
    assert b"a secret of encryption" not in copy.read_bytes()
    assert UNCOPIED.encode() not in copy.read_bytes()
    await store.aclose()
    again.write_bytes(path.read_bytes())
    backup.restore(path, again, "bak")
    store = SqliteStore.open(path, _clock)
    lease = await store.acquire("home", "worker")
    assert lease is not None
    assert await lease.recall() == {"access_token": "a token"}
    await store.aclose()


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as sql:
        sql.execute("CREATE TABLE cats (name)")
    with pytest.raises(Unusable, match="something else"):
        SqliteStore.open(path, _clock)


def test_the_command_line_says_that_there_is_no_store_yet(path: Path) -> None:
    with pytest.raises(Unusable, match="there is no store yet"):
        SqliteStore.attach(path, _clock)
    assert not path.exists()


@pytest.mark.parametrize("umask", [0o000, 0o277])
async def test_all_files_of_the_store_are_private(path: Path, umask: int, request: pytest.FixtureRequest) -> None:
    path.parent.mkdir()
    before = os.umask(umask)
    request.addfinalizer(lambda: os.umask(before) and None)
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        await _lease(store, "home")
        files = sorted(path.parent.iterdir())
        assert {file.name.removeprefix(path.name) for file in files} == {"", "-wal", "-shm", ".lock", ".reserve"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_second_daemon_is_refused_until_the_first_has_ended(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)):
        second = _python(path, "SqliteStore.open(path, lambda: 0.0)")
        assert b"another quackbridge is running" in second.stderr
    assert _python(path, "SqliteStore.open(path, lambda: 0.0)").returncode == 0


async def test_the_command_line_works_beside_the_daemon(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "hi")
        delivery = Delivery.of(event.key, LIBERA)
        await home.commit(Commit(None, "c1", [event], [delivery]))
        await libera.settle(Dead([delivery.id], "no"))
        async with aclosing(SqliteStore.attach(path, _clock)) as beside:
            assert await beside.acquire("home", "intruder") is None
            (entry,) = await beside.outbox()
            assert entry.reason == "no"
            assert await beside.retry(delivery.id)
        assert [backlog.room for backlog in await libera.due(_clock())] == [LIBERA]


async def test_a_full_disk_is_reported_and_what_was_stored_stays(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        await store.writer.read(lambda core: core._sql.execute("PRAGMA max_page_count = 60"))
        stored, cursor = 0, None

        async def fill() -> None:
            nonlocal stored, cursor
            for number in range(1_000):
                event = said(HOME, matrix("alice"), f"{number}" + "x" * 1_000)
                await home.commit(Commit(cursor, f"c{number}", [event], [Delivery.of(event.key, LIBERA)]))
                stored, cursor = stored + 1, f"c{number}"

        with pytest.raises(Full, match="disk is full"):
            await fill()
        assert stored > 10
        assert await home.cursor() == cursor
        (backlog,) = await libera.due(_clock(), each=1_000)
        assert len(backlog.owed) == stored


def _made(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    return path


async def test_concurrent_calls_are_committed_together_and_one_that_fails_fails_alone(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home = await _lease(store, "home")
        events = [said(HOME, matrix("alice"), str(number)) for number in range(50)]
        commits = [home.commit(Commit(None, "c", [event], [Delivery.of(event.key, LIBERA)])) for event in events]
        results = await asyncio.gather(*commits, home.renew("elsewhere"), return_exceptions=True)
        assert results[0] == Committed(1)
        assert list(results[1:-1]) == [Committed()] * 49  # each saw that the first had moved the cursor
        assert isinstance(results[-1], Exception)


async def _planned(home: Lease, libera: Lease, text: str) -> Post:
    event = said(HOME, matrix("alice"), text)
    delivery = Delivery.of(event.key, LIBERA)
    await home.commit(Commit(None, None, [event], [delivery]))
    (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, text)])
    return post


async def test_what_is_noted_is_committed_with_the_next_call_or_soon_by_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr("bridge.store.writer._COMPANY_S", 3_600.0)
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        post = await _planned(home, libera, "one")
        await store.writer.read(lambda core: core._sql.set_trace_callback(begun.append))
        begun.clear()
        note = asyncio.create_task(libera.note_sent(post, "$1"))
        await asyncio.sleep(0.2)
        assert not note.done()
        async with asyncio.timeout(30):
            assert await store.source_of(LIBERA, "$1") is not None
        assert note.done()
        monkeypatch.undo()
        assert len([sql for sql in begun if sql.startswith("BEGIN")]) == 1
        another = await _planned(home, libera, "two")
        assert await libera.note_sent(another, "$2"), "nothing else is asked for"
        last = await _planned(home, libera, "three")
        note = asyncio.create_task(libera.note_sent(last, "$3"))
        await asyncio.sleep(0)
    assert await note, "closing does not forget it"
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        assert await store.outbox() == []


_NOTES = """
    import asyncio, os, time
    from bridge.model.event import Room
    from bridge.model.outbox import Post

    LIBERA = Room("libera", "#pond")

    async def main():
        store = SqliteStore.open(path, time.time)
        libera = await store.acquire("libera", "test")
        (backlog,) = await libera.due(time.time())
        note = asyncio.create_task(libera.note_sent(backlog.posts[0], "$1"))
        await asyncio.sleep(0)
        os.kill(os.getpid(), 9)

    asyncio.run(main())
"""


async def test_a_process_that_is_killed_at_once_has_forgotten_its_note_and_the_post_is_frozen(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        post = await _planned(await _lease(store, "home"), await _lease(store, "libera"), "one")
    assert _python(path, _NOTES).returncode == -signal.SIGKILL
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        (backlog,) = await (await _lease(store, "libera")).due(_clock())
        assert backlog.posts == (post,)


async def test_after_a_disk_error_every_call_fails_with_it_until_the_store_is_opened_again(path: Path) -> None:
    """It must end the daemon: a later fsync that succeeds does not prove that the data is on the disk."""
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home = await _lease(store, "home")

        def fail(_core: Core) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        beside = home.commit(Commit(None, "c1"))
        results = await asyncio.gather(store.writer.write(fail, lambda _: None), beside, return_exceptions=True)
        assert [type(result) for result in results] == [sqlite3.OperationalError] * 2
        with pytest.raises(sqlite3.OperationalError):
            await home.commit(Commit(None, "c1"))
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        assert await (await _lease(store, "home")).cursor() is None


async def test_a_call_that_fails_half_way_is_rolled_back_and_the_next_is_committed(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home = await _lease(store, "home")

        def half(core: Core) -> None:
            core._sql.execute("UPDATE networks SET cursor = 'half'")
            raise ValueError("the other half")

        outcomes: list[object] = await asyncio.gather(
            store.writer.write(half, lambda _: None), home.remember({"device": "DUCK"}), return_exceptions=True
        )
        refused, kept = outcomes
        assert isinstance(refused, ValueError)
        assert kept is None
        assert await home.cursor() is None
        assert dict(await home.recall()) == {"device": "DUCK"}


async def test_a_notice_at_the_front_of_a_queue_does_not_hide_a_delivery_that_is_too_old(path: Path) -> None:
    now = [1_000.0]
    async with aclosing(SqliteStore.open(path, lambda: now[0])) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event, notice = said(HOME, matrix("alice"), "hi"), said(HOME, matrix("duck"), "away", "$away")
        await home.commit(Commit(None, "1", [event], [Delivery.of(event.key, LIBERA)]))
        now[0] = 2_000.0
        await home.commit(Commit.owing([Addressed(notice, LIBERA, ahead=True)]))
        assert await libera.trim(1_500.0, 10) == 1


@pytest.mark.parametrize("step", [1_795_000_000.0, -90_000.0])
async def test_deliveries_do_not_age_when_the_clock_is_set(path: Path, step: float) -> None:
    now = {"clock": 100_000.0, "steady": 50.0}

    def passes(seconds: float, step: float = 0.0) -> None:
        now["steady"] += seconds
        now["clock"] += seconds + step

    store = SqliteStore.open(path, lambda: now["clock"], steady=lambda: now["steady"], busy_s=0.1)
    async with aclosing(store):
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "hi")
        await home.commit(Commit(None, "1", [event], [Delivery.of(event.key, LIBERA)]))
        await libera.settle(Waits(LIBERA, now["clock"] + 30, "offline"))
        passes(20, step)
        with closing(sqlite3.connect(path)) as other, capture_logs() as logs:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable):
                await libera.due(now["clock"])
            other.rollback()
            assert await libera.due(now["clock"]) == []
        assert [line["event"] for line in logs] == ["clock_set"]
        passes(11)
        assert await libera.trim(now["clock"] - 60, 10) == 0
        (backlog,) = await libera.due(now["clock"])
        assert round(backlog.owed[0].age, 3) == 31.0
        passes(10, 59.0)  # 59 s are not taken for a set clock
        (backlog,) = await libera.due(now["clock"])
        assert round(backlog.owed[0].age, 3) == 100.0
        passes(0, 2.0)  # 61 s in all are
        (backlog,) = await libera.due(now["clock"])
        assert round(backlog.owed[0].age, 3) == 41.0


async def test_a_commit_plans_no_posts_for_a_network_whose_lease_another_worker_holds(path: Path) -> None:
    """This happens only after a store was restored to an earlier state: one process has it at a time."""
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, _ = await _lease(store, "home"), await _lease(store, "libera")
        with closing(sqlite3.connect(path)) as sql, sql:
            sql.execute("UPDATE networks SET token = 'another', worker = 'another' WHERE name = 'libera'")
        event = said(HOME, matrix("alice"), "hi")
        delivery = Delivery.of(event.key, LIBERA)
        posts = [Post("p1", LIBERA, (delivery.id,), "<alice> hi")]
        assert await home.commit(Commit(None, "1", [event], [delivery], posts=posts)) == Committed(1)


async def test_a_commit_whose_caller_was_cancelled_still_wakes_the_deliveries(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "hi")
        commit = asyncio.create_task(home.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)])))
        await asyncio.sleep(0)  # it is on its way to the writer
        commit.cancel()
        assert await home.cursor() == "c1"  # this read is queued behind the commit, so the commit is done
        assert store._bells[libera.network].is_set()


async def test_a_store_that_another_program_locks_can_be_read_but_not_written(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home = await _lease(store, "home")
        await store.writer.read(lambda core: core._sql.execute("PRAGMA busy_timeout = 1"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Unavailable, match="locked"):
                await home.commit(Commit(None, "c1"))
            assert await home.cursor() is None
            other.execute("ROLLBACK")
        await home.commit(Commit(None, "c1"))


async def test_calls_on_a_closed_store_fail_and_its_leases_are_not_valid(path: Path) -> None:
    store = SqliteStore.open(path, _clock)
    home = await _lease(store, "home")
    await store.aclose()
    assert not home.valid()
    with pytest.raises(StoreError, match="closed"):
        await home.cursor()


async def test_waiting_ends_when_another_process_has_changed_something(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store, aclosing(SqliteStore.attach(path, _clock)) as beside:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "hi")
        delivery = Delivery.of(event.key, LIBERA)
        await home.commit(Commit(None, "c1", [event], [delivery]))
        await libera.settle(Dead([delivery.id], "no"))
        await store._look()
        await libera.wait(_clock() + 3600)
        assert await beside.retry(delivery.id)
        async with asyncio.timeout(10):
            await libera.wait(_clock() + 3600)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("characters", [0, 7])
async def test_message_text_is_erased_once_delivered_except_for_the_excerpt_of_a_public_message(
    path: Path, characters: int, private: bool
) -> None:
    async with aclosing(SqliteStore.open(path, _clock, excerpt=characters)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "secret words", "$e", private=private)
        delivery = Delivery.of(event.key, LIBERA)
        await home.commit(Commit(None, "c1", [event], [delivery]))
        (post,) = await libera.plan(LIBERA, [Post.of(LIBERA, (delivery.id,), 0, "secret words")])
        await libera.sent(post, "$1")
        dump = await store.writer.read(lambda core: "".join(core._sql.iterdump()))
        assert "secret words" not in dump
        assert ("secret" in dump) is (characters > 0 and not private)
        assert ("@alice:hs" in dump) is not private
        assert "$1" in dump


async def test_half_a_surrogate_pair_is_stored_as_a_question_mark(path: Path) -> None:
    """Anybody may send one, though it is no valid character."""
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        event = said(HOME, matrix("alice"), "oh \ud83d", "$1")
        await home.commit(Commit(None, "c1", [event], [Delivery.of(event.key, LIBERA)]))
        (backlog,) = await libera.due(_clock())
        assert plain(backlog.owed[0].event.text) == "oh ?"


async def test_finished_deliveries_expire_in_steps_of_500(path: Path) -> None:
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home = await _lease(store, "home")
        events = [said(HOME, matrix("alice"), str(number)) for number in range(1_200)]
        deliveries = [Delivery.of(event.key, LIBERA) for event in events]
        await home.commit(Commit(None, "c1", events, deliveries))
        await store.writer.write(lambda core: [core.drop(delivery.id) for delivery in deliveries], lambda _: None)
        assert await store.writer.write(lambda core: core.expire(2_000.0), lambda _: None) == 500
        assert await store.expire(2_000.0) == 700


_WRITER = """
    import asyncio, sys
    from bridge.model.outbox import Delivery
    from bridge.store import Commit
    from tests.events import HOME, LIBERA, matrix, said

    async def main():
        store = SqliteStore.open(path, lambda: 1.0)
        home = await store.acquire("home", "w")
        cursor = await home.cursor()
        number = int(cursor or 0)
        while True:
            event = said(HOME, matrix("alice"), str(number))
            await home.commit(Commit(cursor, str(number + 1), [event], [Delivery.of(event.key, LIBERA)]))
            number += 1
            cursor = str(number)
            print(number, flush=True)

    asyncio.run(main())
"""


async def test_a_process_killed_at_any_point_has_lost_no_commit_that_it_acknowledged(path: Path) -> None:
    rng = random.Random(7)
    promised = 0
    for _ in range(5):
        child = await asyncio.create_subprocess_exec(*_code(path, _WRITER), stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(rng.randrange(5, 60)):
            promised = int(await child.stdout.readline())
        child.kill()
        assert await child.wait() == -signal.SIGKILL
    async with aclosing(SqliteStore.open(path, _clock)) as store:
        home, libera = await _lease(store, "home"), await _lease(store, "libera")
        kept = int(await home.cursor() or 0)
        assert kept >= promised
        (backlog,) = await libera.due(_clock(), each=10_000)
        assert len(backlog.owed) == kept


def _code(path: Path, code: str) -> tuple[str, ...]:
    start = f"from pathlib import Path\nfrom bridge.store.sqlite import SqliteStore\npath = Path({str(path)!r})\n"
    return (sys.executable, "-c", start + textwrap.dedent(code))


def _python(path: Path, code: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(_code(path, code), capture_output=True, timeout=30, check=False)
