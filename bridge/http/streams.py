"""Reads a file from any offset, also one that its network sends from the beginning only."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple

from bridge.network import Download


class FileInfo(NamedTuple):
    """The size of a file in bytes, None if unknown, and its type."""

    size: int | None
    mime: str


@dataclass(frozen=True, slots=True)
class FileStream:
    """A file that can be read once. `size` in bytes, None if unknown. `read` gives its bytes from an offset to the
    end, in pieces of bounded size. `skips`: the bytes before are fetched all the same. `proved_last`: as in
    `Download`."""

    size: int | None
    mime: str
    read: Callable[[int], AsyncGenerator[bytes, None]]
    skips: bool
    proved_last: bool = False

    @property
    def info(self) -> FileInfo:
        return FileInfo(self.size, self.mime)


def of_download(download: Download, chunks: Callable[[], AsyncGenerator[bytes, None]]) -> FileStream:
    """The file that a network sends, by its `chunks`."""
    return FileStream(
        download.size,
        download.mime,
        lambda start: _behind(chunks(), start),
        skips=True,
        proved_last=download.proved_last,
    )


async def _behind(chunks: AsyncGenerator[bytes, None], start: int) -> AsyncGenerator[bytes, None]:
    """`chunks` without the first `start` bytes; what is skipped is an empty piece."""
    async with aclosing(chunks):
        async for piece in chunks:
            yield piece[start:]
            start = max(0, start - len(piece))


async def timed(pieces: AsyncGenerator[bytes, None], seconds: float) -> AsyncGenerator[bytes, None]:
    """`pieces`, each of which may take so many seconds. Raises TimeoutError."""
    async with aclosing(pieces):
        while True:
            try:
                async with asyncio.timeout(seconds):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            yield piece
