"""Files that are kept on disk: whole, private, within the bound, and gone when their links are."""

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.http import cache
from bridge.http.cache import Cache
from bridge.network import Download, NotFetched

pytestmark = pytest.mark.real_time

A, B, C, D, E = (letter * 32 for letter in "abcde")
DATA = bytes(range(256)) * 40
BOUND = 64 * 4096


@dataclass
class Source:
    """A file of a network; it may end too early."""

    data: bytes = DATA
    size: int | None = None
    cacheable: bool = True
    trouble: bool = False
    then: Callable[[], None] = field(default=lambda: None)

    def download(self) -> Download:
        return Download(len(self.data) if self.size is None else self.size, "image/png", self._chunks(), self.cacheable)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(self.data), 1000):
            self.then()
            yield self.data[at : at + 1000]
        if self.trouble:
            raise NotFetched("it ends too early")


async def fetch(store: Cache, handle: str, source: Source | None = None) -> bytes:
    return b"".join([piece async for piece in store.caching(handle, (source or Source()).download())])


async def read(store: Cache, handle: str, start: int = 0) -> bytes | None:
    async with store.cached(handle) as body:
        if body is None:
            return None
        assert body.size is not None
        return b"".join([piece async for piece in body.read(start)])


async def opened(folder: Path, bound: int = BOUND) -> Cache:
    made = Cache(folder / "media-cache", lambda: bound)
    await made.open()
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "media-cache").iterdir())


async def test_a_file_that_was_fetched_whole_is_read_from_disk_from_any_place_also_after_a_restart(
    tmp_path: Path,
) -> None:
    store = await opened(tmp_path)
    assert await read(store, A) is None
    assert await fetch(store, A) == DATA
    for each in (store, await opened(tmp_path)):
        assert await read(each, A) == DATA
        assert await read(each, A, 9_999) == DATA[9_999:]
        async with each.cached(A) as body:
            assert body is not None
            assert (body.size, body.mime, body.skips) == (len(DATA), "image/png", False)
    assert (store.hits, store.misses) == (3, 1)


async def test_nobody_else_on_the_machine_may_read_it(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await fetch(store, A)
    folder = tmp_path / "media-cache"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / A).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "source",
    [Source(trouble=True), Source(size=len(DATA) + 1), Source(size=len(DATA) - 1), Source(cacheable=False),
     Source(data=bytes(BOUND // 4))],
    ids=["breaks off", "too short", "too long", "not to be kept", "too large"],
)  # fmt: skip
async def test_a_file_that_is_not_whole_private_or_over_a_quarter_of_the_bound_is_not_kept(
    tmp_path: Path, source: Source
) -> None:
    store = await opened(tmp_path)
    try:
        assert await fetch(store, A, source) == source.data
    except NotFetched:
        assert source.trouble
    await store.fit()
    assert store.used == 0
    assert not (tmp_path / "media-cache").exists() or names(tmp_path) == []
    assert await read(store, A) is None


async def test_a_download_that_its_client_leaves_is_not_kept(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    chunks = store.caching(A, Source().download())
    await anext(chunks)
    assert store.used > 0
    await chunks.aclose()
    assert store.used == 0
    assert await read(store, A) is None
    await fetch(store, B)
    assert names(tmp_path) == [B]


async def test_the_bound_holds_while_many_files_are_written_at_once(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    seen = []

    def look() -> None:
        folder = tmp_path / "media-cache"
        seen.append(sum(path.stat().st_blocks * 512 for path in folder.iterdir()) if folder.exists() else 0)

    sources = [Source(bytes(50_000), then=look) for _ in range(12)]
    await asyncio.gather(*(fetch(store, f"{number:032x}", source) for number, source in enumerate(sources)))
    assert 100_000 < max(seen) <= BOUND
    assert store.used <= BOUND


async def test_a_restart_removes_what_was_not_finished_or_is_damaged_and_keeps_who_was_used_last(
    tmp_path: Path,
) -> None:
    store = await opened(tmp_path)
    for handle in (A, B, C, D):
        await fetch(store, handle)
        os.utime(tmp_path / "media-cache" / handle, (1, 1))
    await read(store, A)
    folder = tmp_path / "media-cache"
    (folder / f"{E}.7.new").write_bytes(b"half")
    (folder / B).write_bytes((folder / B).read_bytes()[:-1])
    (folder / C).write_bytes(b"")
    (folder / "notes.txt").write_text("the operator's")
    again = await opened(tmp_path, 3 * 4096)
    assert names(tmp_path) == [A, "notes.txt"], "the least recently used had to go"
    assert again.used == 3 * 4096


async def test_a_smaller_bound_counts_at_once_and_off_removes_all(tmp_path: Path) -> None:
    bound = BOUND
    store = Cache(tmp_path / "media-cache", lambda: bound)
    await store.open()
    for handle in (A, B):
        await fetch(store, handle)
    bound = 4 * 4096
    await store.fit()
    assert names(tmp_path) == [B]
    bound = 0
    await store.fit()
    assert names(tmp_path) == []
    await fetch(store, A)
    assert await read(store, A) is None
    assert store.misses == 0, "where nothing is kept, nothing is missed"


async def test_a_file_whose_link_is_gone_is_erased_also_while_it_is_read_or_written(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    for handle in (A, B):
        await fetch(store, handle)

    async def is_there(handle: str) -> bool:
        return handle != A

    await store.sweep(is_there)
    assert names(tmp_path) == [B]
    async with store.cached(B) as body:
        assert body is not None
        await store.forget(B)
        assert names(tmp_path) == []
        assert store.used > 0
        assert b"".join([piece async for piece in body.read(0)]) == DATA
    assert store.used == 0
    chunks = store.caching(C, Source().download())
    await anext(chunks)
    await store.forget(C)
    assert len(b"".join([piece async for piece in chunks])) == len(DATA) - 1000
    assert await read(store, C) is None
    await store.fit()
    assert names(tmp_path) == []


@pytest.mark.parametrize("at", ["_begun", "write_all", "_finished"])
async def test_a_disk_that_is_full_is_logged_once_and_files_are_served_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = await opened(tmp_path)
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(cache, at, full)
        for handle in (A, B):
            assert await fetch(store, handle) == DATA
    assert [(line["event"], line["reason"]) for line in logs] == [("file_not_cached", "No space left on device")]
    assert store.used == 0
    assert await fetch(store, C) == DATA
    assert await read(store, C) == DATA
    assert names(tmp_path) == [C]


async def test_space_is_left_for_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SPARE", 2**62)
    store = await opened(tmp_path)
    with capture_logs() as logs:
        assert await fetch(store, A) == DATA
    assert logs[0]["reason"] == "the disk is nearly full"
    assert await read(store, A) is None


async def test_a_file_that_somebody_has_removed_is_fetched_again(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    await fetch(store, A)
    (tmp_path / "media-cache" / A).unlink()
    assert await read(store, A) is None
    await fetch(store, A)
    assert await read(store, A) == DATA


async def test_a_type_cannot_break_out_of_the_first_line(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    download = Download(3, "image/png\n9 text/html\r\né" + "x" * 500, Source(b"abc").download().chunks)
    assert b"".join([piece async for piece in store.caching(A, download)]) == b"abc"
    assert await read(store, A) == b"abc"
