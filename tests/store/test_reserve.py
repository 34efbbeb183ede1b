"""A reserve of disk space: deliveries go on from it when the disk is full."""

import os
import sqlite3
import stat
from contextlib import aclosing
from pathlib import Path

import pytest

from bridge.model.outbox import Delivery, Post
from bridge.store import Commit, Full, Lease, reserve
from bridge.store.reserve import Reserve
from bridge.store.sqlite import SqliteStore
from bridge.store.writer import Writer
from tests.events import HOME, LIBERA, matrix, said

pytestmark = pytest.mark.real_time

_MANY = 1_000  # messages: more than there is room for


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def _blocks(path: Path) -> int:
    """Bytes that the reserve takes on the disk."""
    return Path(f"{path}.reserve").stat().st_blocks * 512


def test_a_reserve_takes_disk_space_gives_it_up_in_steps_and_takes_it_again(path: Path) -> None:
    kept = Reserve(path)
    assert _blocks(path) >= reserve.SIZE
    assert stat.S_IMODE(Path(f"{path}.reserve").stat().st_mode) == 0o600
    assert kept.give()
    assert 0 < _blocks(path) < reserve.SIZE
    assert not kept.is_whole
    while kept.give():
        pass
    assert _blocks(path) == 0
    assert kept.make()
    assert _blocks(path) >= reserve.SIZE
    kept.close()


def test_a_reserve_that_does_not_fit_on_the_disk_takes_no_space(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(path.parent)
    monkeypatch.setattr(reserve, "SIZE", disk.f_blocks * disk.f_frsize + 1)
    kept = Reserve(path)
    assert not kept.is_whole
    assert not kept.make()
    assert _blocks(path) == 0
    kept.close()


class Bounded(Reserve):
    """A disk that is full at some page of the store; each step of the reserve frees three pages more."""

    sql: sqlite3.Connection
    pages = 60

    def give(self) -> bool:
        if not super().give():
            return False
        self.pages += 3
        self.sql.execute(f"PRAGMA max_page_count = {self.pages}")
        return True


async def _say(home: Lease, number: int) -> None:
    event = said(HOME, matrix("alice"), f"{number}" + "x" * 1_000)
    await home.commit(Commit(await home.cursor(), f"c{number}", [event], [Delivery.of(event.key, LIBERA)]))


async def test_when_the_disk_is_full_delivering_goes_on_and_intake_waits(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.store.sqlite.Reserve", Bounded)
    async with aclosing(SqliteStore.open(path, lambda: 1_000.0)) as store:
        home, libera = await store.acquire("home", "test"), await store.acquire("libera", "test")
        assert home is not None
        assert libera is not None
        await store.writer.read(lambda core: _bound(store, core._sql))
        with pytest.raises(Full, match="disk is full"):
            await _say_all(home)
        assert _blocks(path) >= reserve.SIZE, "intake took from the reserve"
        (backlog,) = await libera.due(2_000.0)
        delivery = backlog.owed[0].delivery
        big = tuple(Post.of(LIBERA, (delivery,), part, "x" * 3_000) for part in range(4))
        assert await libera.plan(LIBERA, big) == big
        assert _blocks(path) < reserve.SIZE
        monkeypatch.setattr(Bounded, "make", lambda _: False)
        with pytest.raises(Full, match="kept for sending"):
            await _say(home, _MANY)
        for post in big:
            assert await libera.sent(post, f"remote {post.id}")
        monkeypatch.undo()
        await _say(home, _MANY)
        assert await home.cursor() == f"c{_MANY}"
        assert _blocks(path) >= reserve.SIZE


async def _say_all(home: Lease) -> None:
    for number in range(_MANY):
        await _say(home, number)


def _bound(store: SqliteStore, sql: sqlite3.Connection) -> None:
    assert isinstance(store.writer, Writer)
    kept = store.writer._reserve
    assert isinstance(kept, Bounded)
    kept.sql = sql
    sql.execute(f"PRAGMA max_page_count = {kept.pages}")
