"""Caches downloaded files on disk, within a bound, and only as long as the links to them work.

The name of a file is its handle. Its first line has its size and its type, its bytes follow. While it is being written,
its name ends in `.new`. Everything that touches the disk runs in one thread, in order.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from bridge.http.cache_index import CachedFile, CacheIndex
from bridge.http.streams import FileStream
from bridge.lib.files import make_folders, write_all
from bridge.network import Download

log = structlog.get_logger()

P = ParamSpec("P")
Result = TypeVar("Result")

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NEW = re.compile(r"[0-9a-f]{32}\.\d+\.new", re.ASCII)
_FIRST = re.compile(rb"(\d{1,15}) ([\x20-\x7e]{0,200})\n")
_FIRST_MOST = 220
"""Bytes of the first line at most."""
_PIECE = 256 * 1024
"""Bytes that are read at once."""
_SPARE = 256 * 1024 * 1024
"""Bytes of the disk that the cache leaves free: the store needs them more."""


@dataclass(slots=True)
class _Draft:
    """A file that is being written."""

    entry: CachedFile
    path: Path
    file: FileIO | None = None


class Cache:
    """The files in `folder`. `bound` gives the bytes that they may take now; 0: the cache is off. No method raises
    OSError."""

    def __init__(self, folder: Path, bound: Callable[[], int]) -> None:
        self._folder = folder
        self._bound = bound
        self._index = CacheIndex()
        self._thread = ThreadPoolExecutor(1, "media cache")
        self._warned = False
        self._drafts = 0
        self.hits = self.misses = 0

    @property
    def used(self) -> int:
        """Bytes on disk."""
        return self._index.used

    async def open(self) -> None:
        """Find the files of an earlier run; remove those that it has not finished, and those beyond the bound."""
        for name, size in await self._do(_found, self._folder):
            self._index.add(name, size)
        await self.fit()

    async def fit(self) -> None:
        """Evict files beyond the bound, which may have changed."""
        await self._do(_remove, self._folder, self._index.shrink(self._bound()))

    async def sweep(self, is_there: Callable[[str], Awaitable[bool]]) -> None:
        """Remove the files without a working link: `is_there` tells by the handle."""
        for name in self._index.names():
            if not await is_there(name):
                await self.forget(name)

    async def forget(self, handle: str) -> None:
        """Remove a file, also one that is being read or written."""
        if self._index.remove(handle):
            await self._do(_remove, self._folder, [handle])

    @asynccontextmanager
    async def cached(self, handle: str) -> AsyncGenerator[FileStream | None, None]:
        """The file, to be read; None if it is not in the cache."""
        entry = self._index.acquire(handle)
        if entry is None:
            self.misses += bool(self._bound())
            yield None
            return
        try:
            opened = await self._do(_opened, self._folder / handle)
            if opened is None:  # somebody has removed it
                await self.forget(handle)
                self.misses += 1
                yield None
                return
            self.hits += 1
            file, size, mime, first = opened
            try:
                yield FileStream(size, mime, lambda start: self._read(file, first + start), skips=False)
            finally:
                self._thread.submit(file.close)
        finally:
            self._index.release(entry)

    def caching(self, handle: str, download: Download) -> AsyncGenerator[bytes, None]:
        """The chunks of `download`, written to the cache on the way. The file is cached if it may be, and if all chunks
        are taken."""
        if not download.cacheable or download.size is None or not self._bound():
            return download.chunks
        return self._caching(handle, download, download.size)

    async def _caching(self, handle: str, download: Download, size: int) -> AsyncGenerator[bytes, None]:
        draft = await self._begin(handle, size, download.mime)
        written = 0
        try:
            async with aclosing(download.chunks) as chunks:
                async for piece in chunks:
                    if draft is not None and not await self._write(draft, piece):
                        self._drop(draft)
                        draft = None
                    written += len(piece)
                    yield piece
            if draft is not None and written == size and await self._finish(draft):
                draft = None
        finally:
            if draft is not None:
                self._drop(draft)

    async def _begin(self, handle: str, size: int, mime: str) -> "_Draft | None":
        first = _first_line(size, mime)
        reserved = self._index.reserve(handle, len(first) + size, self._bound())
        if reserved is None:
            return None
        entry, gone = reserved
        self._drafts += 1
        draft = _Draft(entry, self._folder / f"{handle}.{self._drafts}.new")
        try:
            await self._do(_remove, self._folder, gone)
            draft.file = await self._do(_begun, draft.path, first, size)
        except OSError as error:
            self._complain(error)
            self._drop(draft)
            return None
        except BaseException:
            self._drop(draft)
            raise
        return draft

    async def _write(self, draft: "_Draft", piece: bytes) -> bool:
        """False if it is to be given up."""
        if draft.file is None or not self._index.is_wanted(draft.entry):
            return False
        try:
            await self._do(write_all, draft.file.fileno(), piece)
        except OSError as error:
            self._complain(error)
            return False
        return True

    async def _finish(self, draft: "_Draft") -> bool:
        """False if it is to be given up."""
        if draft.file is None or not self._index.is_wanted(draft.entry):
            return False
        try:
            await self._do(_finished, draft.file, draft.path, self._folder / draft.entry.name)
        except OSError as error:
            self._complain(error)
            return False
        if not self._index.commit(draft.entry):  # forgotten meanwhile
            await self._do(_remove, self._folder, [draft.entry.name])
            return False
        self._warned = False
        return True

    def _drop(self, draft: "_Draft") -> None:
        """Give up a file that is being written. Waits for nothing: what follows in the thread comes later."""
        if draft.file is not None:
            self._thread.submit(draft.file.close)
        self._thread.submit(_remove, self._folder, [draft.path.name])
        self._index.cancel(draft.entry)

    async def _read(self, file: FileIO, at: int) -> AsyncGenerator[bytes, None]:
        while piece := await self._do(os.pread, file.fileno(), _PIECE, at):
            yield piece
            at += len(piece)

    async def _do(self, job: Callable[P, Result], *args: P.args, **named: P.kwargs) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(job, *args, **named))

    def _complain(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            reason = error.strerror or str(error)
            log.warning("file_not_cached", reason=reason, hint="files are served from their network, without the cache")


def _first_line(size: int, mime: str) -> bytes:
    shown = "".join(char if " " <= char <= "~" else "?" for char in mime[:200])
    return f"{size} {shown}\n".encode("ascii")


def _found(folder: Path) -> Sequence[tuple[str, int]]:
    """The names and sizes of the files in `folder`, the least recently used first. Removes what is not whole."""
    found = []
    try:
        if folder.exists():
            folder.chmod(0o700)
        for each in folder.iterdir() if folder.exists() else ():
            if _NEW.fullmatch(each.name):
                each.unlink(missing_ok=True)
            elif _NAME.fullmatch(each.name):
                if (opened := _opened(each, is_use=False)) is None:
                    each.unlink(missing_ok=True)
                    continue
                file, size, _, first = opened
                with file:
                    found.append((os.fstat(file.fileno()).st_mtime_ns, each.name, first + size))
    except OSError as error:
        log.warning("file_not_cached", reason=error.strerror or str(error), hint=f"see to the folder {folder}")
    return [(name, size) for _, name, size in sorted(found)]


def _opened(path: Path, *, is_use: bool = True) -> tuple[FileIO, int, str, int] | None:
    """A kept file with its size, its type and the length of its first line; None if it is none, or not whole."""
    try:
        file = FileIO(path, opener=partial(os.open, mode=0o600))
        found = _FIRST.match(os.pread(file.fileno(), _FIRST_MOST, 0))
        if found is None or os.fstat(file.fileno()).st_size != found.end() + int(found[1]):
            file.close()
            return None
        if is_use:
            os.utime(file.fileno())
    except OSError:
        return None
    return file, int(found[1]), found[2].decode(), found.end()


def _begun(path: Path, first: bytes, size: int) -> FileIO:
    """A new file with its first line. Raises OSError, also if it would fill the disk."""
    make_folders(path.parent)
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < size + _SPARE:
        raise OSError("the disk is nearly full")
    file = FileIO(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")
    write_all(file.fileno(), first)
    return file


def _finished(file: FileIO, path: Path, to: Path) -> None:
    """Close it, and give it its name: a file with a name is whole, also after a power cut."""
    with file:
        os.fsync(file.fileno())
    path.replace(to)


def _remove(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("file_not_removed", path=str(folder / name), reason=error.strerror or str(error))
