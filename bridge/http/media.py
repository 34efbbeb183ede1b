"""Serves the files that signed links name: streams them from their network, never a whole one in memory."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiohttp import web

from bridge.http import answers, headers, links
from bridge.http.answers import Answered, Common
from bridge.http.cache import Cache
from bridge.http.headers import Part
from bridge.http.limits import ActiveDownload, NotServed
from bridge.http.server import extend_timeout
from bridge.http.streams import FileInfo, FileStream, of_download, timed
from bridge.http.throttle import Throttle
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.lib.sizes import spelled
from bridge.model.outbox import Hosted
from bridge.network import Download, MediaSource, NoSuchFile, NotFetched

log = structlog.get_logger()

_BEGIN_S = 22.0
"""Seconds for a network to begin to send: a homeserver waits up to 20 s for a file of another."""
_STEP_S = 30.0
"""Seconds for a piece of 64 KB to arrive, and for the client to take it."""
_LONGEST_S = 6 * 3600.0
"""Seconds of a download at most."""
_PER_S = 64_000_000
"""Bytes per second of all downloads together. At 300 MB, all that a core can do, messages took 1.2 to 1.4 times as
long."""
_SKIPPED = 65_536
"""What an empty piece stands for: bytes that were fetched and are not sent."""
_KNOWN = 1_000
"""Files whose sizes and types are remembered, so that a HEAD, which costs its sender little, costs us no download."""
_RECHECK_S = 3.0
"""Seconds between looks whether the link of a download that is under way still works."""
_SLOW = "The file is still on its way from another server; try again in a minute."
_AWAY = "The bridge is not connected to the network that has this file; try again later."


@dataclass(frozen=True, slots=True)
class FileAccess:
    """Where files come from. `find` gives the file with a handle; None: none, or revoked. `source` gives the running
    network of a name, if it has files. `largest`: the most bytes of a file. `cache`: downloaded files."""

    find: Callable[[str], Awaitable[Hosted | None]]
    source: Callable[[str], MediaSource | None]
    largest: Callable[[], int]
    cache: Cache


def routes(common: Common, files: FileAccess, prefix: str = "") -> Sequence[web.AbstractRouteDef]:
    """The routes of links to files; also under `prefix`, the path of the public URL, which a proxy may keep."""
    return answers.routes(common, links.FILE, _FileEndpoint(common, files).answer, prefix)


class _FileEndpoint:
    """Answers requests for files."""

    def __init__(self, common: Common, files: FileAccess) -> None:
        self._common = common
        self._files = files
        self._throttle = Throttle(_PER_S)
        self._known: LruDict[str, FileInfo] = LruDict(_KNOWN)

    async def answer(self, request: web.Request) -> Answered:
        handle = self._common.handle(request, links.FILE)
        hosted = await self._found(handle)
        etag = f'"{digest(hosted.media.source)}"'
        if headers.is_known(request.headers.get("If-None-Match"), etag):
            return Answered(web.Response(status=304, headers=answers.always(etag)))
        if request.method == "HEAD" and (known := self._known.get(handle)) is not None:
            self._check_size(known.size)
            return Answered(_begun(hosted, known, answers.part_of(request, etag, known.size), etag))
        now, client = asyncio.get_running_loop().time(), self._common.client(request)
        with self._common.slots.one(client, now, lambda: _abort(request)) as running:
            extend_timeout(request, _LONGEST_S)
            async with self._body(handle, hosted) as body:
                self._known[handle] = body.info
                self._check_size(body.size)
                part = answers.part_of(request, etag, body.size)
                response = _begun(hosted, body.info, part, etag)
                await response.prepare(request)
                if request.method != "HEAD":
                    if part is not None and body.skips:
                        unsent = part.start + (part.size - part.end if body.proved_last else 0)
                        self._common.rates.spend_bytes(client, unsent, now)
                    await _send(request, response, self._cut(handle, body, part), running)
            return Answered(response, running.sent)

    async def _found(self, handle: str) -> Hosted:
        hosted = await self._files.find(handle)
        if hosted is None:
            await self._files.cache.forget(handle)
            raise answers.none(links.FILE)
        self._check_size(hosted.media.size)
        return hosted

    async def _is_gone(self, handle: str) -> bool:
        """Whether the link works no more; False if the store cannot tell now: it is asked again soon."""
        with suppress(NotFetched):
            if await self._files.find(handle) is None:
                await self._files.cache.forget(handle)
                return True
        return False

    def _check_size(self, size: int | None) -> None:
        largest = self._files.largest()
        if size is not None and size > largest:
            raise NotServed(403, f"This file is larger than {spelled(largest)}. Open it in the chat where it was sent.")

    @asynccontextmanager
    async def _body(self, handle: str, hosted: Hosted) -> AsyncGenerator[FileStream, None]:
        """The file, from the cache or else from its network. Raises NotServed."""
        async with self._files.cache.cached(handle) as stream:
            if stream is not None:
                yield stream
                return
        async with self._download(hosted) as download:
            yield of_download(download, lambda: self._files.cache.caching(handle, download))

    @asynccontextmanager
    async def _download(self, hosted: Hosted) -> AsyncGenerator[Download, None]:
        source = self._files.source(hosted.event.room.network)
        if source is None:
            raise NotServed(503, _AWAY, 60)
        context = source.download(hosted.media.source)
        try:
            async with asyncio.timeout(_BEGIN_S):
                download = await context.__aenter__()
        except TimeoutError:
            raise NotServed(504, _SLOW, 60) from None
        except NoSuchFile as error:
            raise NotServed(404, str(error)) from None
        except NotFetched as error:
            raise NotServed(502, str(error), 60) from None
        try:
            yield download
        finally:
            await context.__aexit__(None, None, None)

    async def _while_there(self, handle: str, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """`pieces`, as long as the link works. Raises NotFetched once it does not."""
        loop = asyncio.get_running_loop()
        recheck_at = loop.time() + _RECHECK_S
        async with aclosing(pieces):
            async for piece in pieces:
                await asyncio.sleep(self._throttle.spend(len(piece) or _SKIPPED, loop.time()))
                if loop.time() >= recheck_at:
                    if await self._is_gone(handle):
                        raise NotFetched("the message was removed, or the link revoked")
                    recheck_at = loop.time() + _RECHECK_S
                yield piece

    async def _cut(self, handle: str, body: FileStream, part: Part | None) -> AsyncGenerator[bytes, None]:
        """The pieces to be sent: of `part`, or of all. Raises NotFetched if the file is not as long as was said."""
        at, end = (part.start, part.end) if part is not None else (0, body.size)
        most = end if end is not None else self._files.largest()
        is_rest = end == body.size  # read to its end, so that the file can be cached
        held = b""
        async with aclosing(self._while_there(handle, timed(body.read(at), _STEP_S))) as pieces:
            async for piece in pieces:
                wanted = piece[: max(0, most - at)]
                at += len(piece)
                if wanted and body.proved_last:
                    held, wanted = wanted, held
                if wanted:
                    yield wanted
                if at > most and is_rest:
                    raise NotFetched("the file is too large")
                if at >= most and not (is_rest or body.proved_last):
                    return
        if end is not None and at < end:
            raise NotFetched("the file is not complete")
        if held:
            yield held


def _begun(hosted: Hosted, info: FileInfo, part: Part | None, etag: str) -> web.StreamResponse:
    """The response, whose body follows."""
    shown = headers.content(hosted.media.mime or info.mime, hosted.media.name or hosted.media.kind)
    response = web.StreamResponse(status=206 if part else 200, headers={**answers.always(etag), **shown})
    if part is not None:
        response.headers["Content-Range"] = part.content_range
        response.content_length = part.end - part.start
    elif info.size is not None:
        response.content_length = info.size
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, pieces: AsyncGenerator[bytes, None], running: ActiveDownload
) -> None:
    """Send `pieces`. What goes wrong now can only be told by cutting the connection."""
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                async with asyncio.timeout(_STEP_S):
                    await response.write(piece)
                running.sent += len(piece)
        async with asyncio.timeout(_STEP_S):
            await response.write_eof()
    except (NotFetched, TimeoutError, ConnectionError) as error:
        log.info("file_cut_off", reason=str(error.__cause__ or error) or "too slow")
        _abort(request)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
