"""Serves the whole texts that signed links name, as plain text."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from bridge.http import answers, headers, links
from bridge.http.answers import Answered, Common
from bridge.lib.ids import digest

Find = Callable[[str], Awaitable[str | None]]
"""Gives the text with a handle; None: there is none, or it was revoked."""


def routes(common: Common, find: Find, prefix: str = "") -> Sequence[web.AbstractRouteDef]:
    """The routes of links to texts; `prefix` as for files."""

    async def answer(request: web.Request) -> Answered:
        text = await find(common.handle(request, links.TEXT))
        if text is None:
            raise answers.none(links.TEXT)
        return _response(request, text)

    return answers.routes(common, links.TEXT, answer, prefix)


def _response(request: web.Request, text: str) -> Answered:
    etag = f'"{digest(text)}"'
    always = answers.always(etag)
    if headers.is_known(request.headers.get("If-None-Match"), etag):
        return Answered(web.Response(status=304, headers=always))
    data = text.encode(errors="replace")
    part = answers.part_of(request, etag, len(data))
    shown = headers.content("text/plain", "message.txt")
    if part is None:
        return Answered(web.Response(body=data, headers={**always, **shown}), _sent(request, len(data)))
    more = {**always, **shown, "Content-Range": part.content_range}
    piece = data[part.start : part.end]
    return Answered(web.Response(status=206, body=piece, headers=more), _sent(request, len(piece)))


def _sent(request: web.Request, size: int) -> int:
    return 0 if request.method == "HEAD" else size
