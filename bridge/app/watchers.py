"""Streams to `quackbridge watch` what is carried, over the admin socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bridge.admin.live import STREAM_S
from bridge.http import server
from bridge.relay.tail import MOST, Line, Tail, TooMany

_PULSE_S = 10.0
"""Seconds after which an empty line says that we are still here."""
_NO_PLACE = f"{MOST} commands watch already: end one of them\n"


def routes(tail: Tail) -> list[web.AbstractRouteDef]:
    """`GET /watch`: one JSON document a line, until the client leaves; with `?words=1` with who said what."""

    async def watch(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            with tail.watching(words=request.query.get("words") == "1") as watcher:
                await response.prepare(request)
                while True:
                    server.extend_timeout(request, STREAM_S)
                    await response.write(b"".join(_line(each) for each in await _next(watcher.take)))
        except TooMany:
            return web.Response(status=503, text=_NO_PLACE)

    return [web.get("/watch", watch)]


async def _next(take: Callable[[], Awaitable[Sequence[Line]]]) -> Sequence[Line | None]:
    """The next lines; None for an empty one."""
    try:
        async with asyncio.timeout(_PULSE_S):
            return await take()
    except TimeoutError:
        return [None]


def _line(line: Line | None) -> bytes:
    return b"\n" if line is None else json.dumps(line, ensure_ascii=False).encode() + b"\n"
