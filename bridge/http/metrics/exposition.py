"""`/metrics`: what the collectors have, to this machine; to others, and through a proxy, there is no such place."""

from collections.abc import Iterable, Sequence

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from bridge.http.peers import is_own


def registry_of(collectors: Iterable[Collector]) -> CollectorRegistry:
    """A registry of our own with `collectors`, and what Python and the kernel know of this process."""
    registry = CollectorRegistry()
    for each in collectors:
        registry.register(each)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def routes(collectors: Iterable[Collector]) -> Sequence[web.AbstractRouteDef]:
    """The route of `/metrics`, in the text format 0.0.4."""
    registry = registry_of(collectors)

    async def answer(request: web.Request) -> web.Response:
        if not is_own(request.remote or "", request.headers):
            raise web.HTTPNotFound
        headers = {"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"}
        return web.Response(body=generate_latest(registry), headers=headers)

    return [web.get("/metrics", answer)]
