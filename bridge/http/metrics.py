"""Metrics for Prometheus over HTTP, for this machine only. Others hand their collectors in.

Names follow https://prometheus.io/docs/practices/naming/; docs/operations.md has a table of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.limits import DownloadSlots
from bridge.http.peers import is_own
from bridge.model.accounting import TrafficKind


def routes(collectors: Iterable[Collector]) -> Sequence[web.AbstractRouteDef]:
    """`/metrics`: what `collectors` have, to this machine; to others, and through a proxy, there is no such place."""
    registry = CollectorRegistry()
    for each in collectors:
        registry.register(each)

    async def answer(request: web.Request) -> web.Response:
        if not is_own(request.remote or "", request.headers):
            raise web.HTTPNotFound
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [web.get("/metrics", answer)]


@dataclass(frozen=True, slots=True)
class MediaMetrics(Collector):
    """What goes over the line for links and previews."""

    counts: Counts
    slots: DownloadSlots
    cache: Cache

    def collect(self) -> Iterator[Metric]:
        total = self.counts.total
        requests = CounterMetricFamily(
            "quackbridge_media_requests", "Requests for links to files and texts.", labels=["outcome"]
        )
        for use in (TrafficKind.SERVED, TrafficKind.REFUSED):
            requests.add_metric([use.value], total[use].number)
        yield requests
        yield _counter("bytes", "Bytes of files and texts that were sent.", total[TrafficKind.SERVED].bytes)
        yield _gauge("downloads", "Downloads under way.", len(self.slots))
        yield _counter("uploads", "Files uploaded to Matrix.", total[TrafficKind.UPLOADED].number)
        yield _counter("upload_bytes", "Bytes of files uploaded to Matrix.", total[TrafficKind.UPLOADED].bytes)
        yield _gauge("cache_bytes", "Disk space that the cache of files takes.", self.cache.used)
        yield _counter("cache_hits", "Files that were served from the cache.", self.cache.hits)
        yield _counter(
            "cache_misses", "Files that were fetched because the cache did not have them.", self.cache.misses
        )


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"quackbridge_media_{name}", help_text, value=value)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"quackbridge_media_{name}", help_text, value=value)
