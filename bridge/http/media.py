"""Serves the files that signed links name: streams them from their network, never a whole one in memory."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from bridge.http import headers, links
from bridge.http.headers import Part
from bridge.http.pace import Pace
from bridge.http.server import give_time
from bridge.lib.bucket import TokenBucket
from bridge.lib.hosts import is_loopback
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.lib.sizes import spelled
from bridge.model.outbox import Hosted
from bridge.network import Download, MediaSource, NoSuchFile, NotFetched

log = structlog.get_logger()

_AT_ONCE, _EACH_AT_ONCE = 10, 4
"""Downloads at a time, and those of one address: each takes some 200 KB of memory. The server has connections left for
others."""
_EACH_BURST, _EACH_PER_S = 60, 2.0
_ALL_BURST, _ALL_PER_S = 300, 20.0
"""Requests at once, and then per second: of one address, and of all."""
_ADDRESSES = 2_000
"""Addresses whose requests are counted at most; who was away longest is forgotten."""
_BEGIN_S = 22.0
"""Seconds for a network to begin to send: a homeserver waits up to 20 s for a file of another."""
_STEP_S = 30.0
"""Seconds for a piece of 64 KB to arrive, and for the client to take it."""
_LONGEST_S = 6 * 3600.0
"""Seconds of a download at most."""
_PER_S = 64_000_000
"""Bytes per second of all downloads together. At 300 MB, all that a core can do, messages took 1.2 to 1.4 times as
long."""
_FORGED = "There is no such file. The link may be incomplete, or the message was deleted."
_EXPIRED = "This link has expired."
_BUSY = "Too many requests; try again in a moment."
_SLOW = "The file is still on its way from another server; try again in a minute."
_AWAY = "The bridge is not connected to the network that has this file; try again later."


@dataclass(frozen=True, slots=True)
class Served:
    """What serving files needs. `key` signs the links. `find` gives the file with a handle; None: none, or revoked.
    `source` gives the running network of a name, if it has files. `clock`: seconds since the epoch. `largest`: the most
    bytes of a file."""

    key: bytes
    find: Callable[[str], Awaitable[Hosted | None]]
    source: Callable[[str], MediaSource | None]
    clock: Callable[[], float]
    largest: Callable[[], int]


class _Refused(Exception):
    """The answer is an error, said in one sentence."""

    def __init__(self, status: int, sentence: str, retry_after: float | None = None, **more: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {key.replace("_", "-"): value for key, value in more.items()}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))


def routes(served: Served, prefix: str = "") -> Sequence[web.AbstractRouteDef]:
    """The routes of links; also under the path of the public URL, `prefix`, which a proxy may leave in."""
    desk = _Desk(served)
    places = dict.fromkeys((links.FILE, f"{prefix}{links.FILE}"))
    return [web.get(f"{place}{{token}}", desk.answer) for place in places]


@dataclass(slots=True)
class _Limits:
    """How often who may ask."""

    each: LruDict[str, TokenBucket] = field(default_factory=lambda: LruDict[str, TokenBucket](_ADDRESSES))
    all: TokenBucket = field(default_factory=lambda: TokenBucket(_ALL_BURST, _ALL_PER_S))

    def spend(self, address: str, now: float) -> None:
        """Raises _Refused if `address`, or all together, ask too often."""
        each = self.each.get(address) or TokenBucket(_EACH_BURST, _EACH_PER_S)
        self.each[address] = each
        if wait := max(each.wait_s(now), self.all.wait_s(now)):
            raise _Refused(429, _BUSY, wait)
        each.spend(now)
        self.all.spend(now)


class _Desk:
    """Answers requests for files."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._limits = _Limits()
        self._pace = Pace(_PER_S)
        self._under_way: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except _Refused as refused:
            more = {**headers.ALWAYS, "Cache-Control": "no-store", **refused.headers}
            return web.Response(status=refused.status, text=f"{refused}\n", headers=more)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._limits.spend(_address(request), asyncio.get_running_loop().time())
        hosted = await self._found(request.match_info["token"])
        media = hosted.media
        etag = f'"{digest(media.source)}"'
        always = {**headers.ALWAYS, "ETag": etag, "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
        if headers.is_known(request.headers.get("If-None-Match"), etag):
            return web.Response(status=304, headers=always)
        async with self._slot(request), self._download(hosted) as download:
            self._check_size(download.size)
            asked = request.headers.get("Range") if headers.wants_part(request.headers.get("If-Range"), etag) else None
            part = _part(asked, download.size)
            shown = headers.content(media.mime or download.mime, media.name or media.kind)
            response = web.StreamResponse(status=206 if part else 200, headers={**always, **shown})
            if part is not None:
                response.headers["Content-Range"] = part.content_range
                response.content_length = part.end - part.start
            elif download.size is not None:
                response.content_length = download.size
            await response.prepare(request)
            if request.method != "HEAD":
                await self._send(request, response, download, part)
            return response

    async def _found(self, token: str) -> Hosted:
        try:
            handle = links.checked(self._served.key, token, self._served.clock())
        except links.Forged:
            raise _Refused(404, _FORGED) from None
        except links.Expired:
            raise _Refused(410, _EXPIRED) from None
        hosted = await self._served.find(handle)
        if hosted is None:
            raise _Refused(404, _FORGED)
        self._check_size(hosted.media.size)
        return hosted

    def _check_size(self, size: int | None) -> None:
        largest = self._served.largest()
        if size is not None and size > largest:
            raise _Refused(403, f"This file is larger than {spelled(largest)}: see it on its own network.")

    @asynccontextmanager
    async def _slot(self, request: web.Request) -> AsyncGenerator[None, None]:
        """One of the downloads at a time, whose connection may last."""
        address = _address(request)
        if self._under_way.total() >= _AT_ONCE or self._under_way[address] >= _EACH_AT_ONCE:
            raise _Refused(429, _BUSY, 10)
        self._under_way[address] += 1
        try:
            give_time(request, _LONGEST_S)
            yield
        finally:
            self._under_way[address] -= 1
            self._under_way += Counter()  # forgets addresses without a download

    @asynccontextmanager
    async def _download(self, hosted: Hosted) -> AsyncGenerator[Download, None]:
        source = self._served.source(hosted.event.room.network)
        if source is None:
            raise _Refused(503, _AWAY, 60)
        context = source.download(hosted.media.source)
        try:
            async with asyncio.timeout(_BEGIN_S):
                download = await context.__aenter__()
        except TimeoutError:
            raise _Refused(504, _SLOW, 60) from None
        except NoSuchFile as error:
            raise _Refused(404, str(error)) from None
        except NotFetched as error:
            raise _Refused(502, str(error), 60) from None
        try:
            yield download
        finally:
            await context.__aexit__(None, None, None)

    async def _send(
        self, request: web.Request, response: web.StreamResponse, download: Download, part: Part | None
    ) -> None:
        """Send the file, or `part` of it. What goes wrong now can only be told by cutting the connection."""
        end = part.end if part is not None else self._served.largest() if download.size is None else download.size
        try:
            at = 0
            async with aclosing(_timed(download.chunks)) as pieces:
                async for piece in pieces:
                    await asyncio.sleep(self._pace.spend(len(piece), asyncio.get_running_loop().time()))
                    start = max(0, (part.start if part is not None else 0) - at)
                    if wanted := piece[start : max(0, end - at)]:
                        async with asyncio.timeout(_STEP_S):
                            await response.write(wanted)
                    at += len(piece)
                    if at >= end and part is not None:
                        break
                    if at > end:
                        raise NotFetched("the file is too large")
            if at < end and download.size is not None:
                raise NotFetched("the file is not complete")
            async with asyncio.timeout(_STEP_S):
                await response.write_eof()
        except (NotFetched, TimeoutError, ConnectionError) as error:
            log.info("file_cut_off", reason=str(error) or "too slow")
            if request.transport is not None:
                request.transport.abort()


def _part(asked: str | None, size: int | None) -> Part | None:
    """The part that is sent; None: all of it. Of a file of unknown size there are no parts."""
    if size is None:
        return None
    try:
        return headers.part(asked, size)
    except headers.Unsatisfiable:
        raise _Refused(416, "The file is shorter than that.", Content_Range=f"bytes */{size}") from None


async def _timed(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """`chunks`, each of which may take its time, but not for ever."""
    async with aclosing(chunks):
        while True:
            try:
                async with asyncio.timeout(_STEP_S):
                    piece = await anext(chunks)
            except StopAsyncIteration:
                return
            yield piece


def _address(request: web.Request) -> str:
    """Who asks: behind a reverse proxy on this machine, whom that names last (`X-Forwarded-For`)."""
    peer = request.remote or ""
    forwarded: Mapping[str, str] = request.headers
    if is_loopback(peer) and (named := forwarded.get("X-Forwarded-For", "").rpartition(",")[2].strip()):
        return named[:64]
    return peer
