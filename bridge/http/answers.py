"""What the endpoints of links share: they check a link, apply the limits, count, and refuse in one sentence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

from bridge.http import headers, links
from bridge.http.counts import Counts
from bridge.http.headers import Part
from bridge.http.limits import DownloadSlots, NotServed, RequestRates
from bridge.http.peers import Proxies
from bridge.model.accounting import TrafficKind
from bridge.network import NotFetched

_NONE = {
    links.FILE: "There is no such file. The link may be incomplete, or the message was deleted.",
    links.TEXT: "There is no such text. The link may be incomplete, or the message was deleted.",
}
_EXPIRED = "This link has expired."


class Answered(NamedTuple):
    """An answer, and how many bytes of what the link names are in it."""

    response: web.StreamResponse
    bytes: int = 0


Respond = Callable[[web.Request], Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class Common:
    """What the endpoints of links share. `key` signs the links. `clock`: seconds since the epoch."""

    key: bytes
    clock: Callable[[], float]
    proxies: Proxies = field(default_factory=Proxies)
    counts: Counts = field(default_factory=Counts)
    rates: RequestRates = field(default_factory=RequestRates)
    slots: DownloadSlots = field(default_factory=DownloadSlots)

    def client(self, request: web.Request) -> str:
        """The address of the client, as the limits count it."""
        return self.proxies.client(request.remote or "", request.headers.getall("X-Forwarded-For", []))

    def handle(self, request: web.Request, place: str) -> str:
        """The handle that the link at `place` names. Raises NotServed."""
        try:
            handle = links.checked(self.key, request.match_info["token"], self.clock(), place)
        except links.Forged:
            raise none(place) from None
        except links.Expired:
            raise NotServed(410, _EXPIRED) from None
        self.rates.spend_for_all(asyncio.get_running_loop().time())
        return handle


def none(place: str) -> NotServed:
    """The refusal of a link that names nothing, or nothing any more."""
    return NotServed(404, _NONE[place])


def routes(common: Common, place: str, respond: Respond, prefix: str = "") -> Sequence[web.AbstractRouteDef]:
    """The routes of the links at `place`; also under `prefix`, the path of the public URL, which a proxy may keep."""

    async def counted(request: web.Request) -> web.StreamResponse:
        try:
            common.rates.spend(common.client(request), asyncio.get_running_loop().time())
            answered = await respond(request)
        except NotServed as refused:
            return _in_a_sentence(refused, common)
        except NotFetched as error:
            return _in_a_sentence(NotServed(503, str(error), 60), common)
        common.counts.add(TrafficKind.SERVED, answered.bytes)
        return answered.response

    return [web.get(f"{each}{{token}}", counted) for each in dict.fromkeys((place, f"{prefix}{place}"))]


def always(etag: str) -> Mapping[str, str]:
    """The headers of what is served. A browser asks each time whether the link still works."""
    return {**headers.ALWAYS, "ETag": etag, "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}


def part_of(request: web.Request, etag: str, size: int | None) -> Part | None:
    """The part that is asked for; None: all of it. Of what has an unknown size there are no parts. Raises NotServed."""
    if size is None or not headers.wants_part(request.headers.get("If-Range"), etag):
        return None
    try:
        return headers.part(request.headers.get("Range"), size)
    except headers.Unsatisfiable:
        raise NotServed(
            416, "The file ends before the part that was asked for.", Content_Range=f"bytes */{size}"
        ) from None


def _in_a_sentence(refused: NotServed, common: Common) -> web.Response:
    common.counts.add(TrafficKind.REFUSED)
    more = {**headers.ALWAYS, "Cache-Control": "no-store", **refused.headers}
    response = web.Response(status=refused.status, text=f"{refused}\n", headers=more)
    if refused.status == 429:  # who goes on asking has to connect again
        response.force_close()
    return response
