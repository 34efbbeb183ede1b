"""Metrics of what goes over the line for links and previews."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.limits import DownloadSlots
from bridge.model.accounting import TrafficKind


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
