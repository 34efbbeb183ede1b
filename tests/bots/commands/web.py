"""A web for tests: answers of pages that exist, and failures."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp


@dataclass
class FakeBody:
    """The body of an answer, piece by piece; `read_bytes` were read."""

    content: bytes
    read_bytes: int = 0

    async def read(self, most: int) -> bytes:
        piece = self.content[self.read_bytes : self.read_bytes + min(most, 1_000)]
        self.read_bytes += len(piece)
        return piece


@dataclass
class FakeAnswer:
    """An answer as aiohttp gives it."""

    body: bytes
    content_type: str = "text/plain"
    status: int = 200
    charset: str | None = "utf-8"

    def __post_init__(self) -> None:
        self.content = FakeBody(self.body)


@dataclass
class FakeWeb:
    """A session that knows some pages; None hangs, all others fail. `asked` has what was asked for."""

    pages: dict[str, FakeAnswer | None] = field(
        default_factory=lambda: {
            "https://weather.example/Berlin": FakeAnswer(b"\nberlin: sunny\nand more\n"),
            "https://pond.example/duck": FakeAnswer(
                b"<html><head><TITLE lang=en>The Duck&#39;s\n &quot;Page&quot;</title><title>no</title>", "text/html"
            ),
        }
    )
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[FakeAnswer]:
        self.asked.append(url)
        if url not in self.pages:
            raise aiohttp.ClientConnectionError("no")
        if (answer := self.pages[url]) is None:
            await asyncio.Event().wait()
            raise AssertionError
        yield answer
