"""Counts and metrics: what was served and refused, for this machine only."""

from pathlib import Path

import pytest

from bridge.http import metrics
from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.metrics import MediaMetrics
from bridge.model.accounting import Traffic, TrafficKind
from tests.http.house import get
from tests.http.test_media import DATA, World, path

pytestmark = pytest.mark.real_time


def test_what_is_counted_is_written_once_and_not_lost_if_that_fails() -> None:
    counts = Counts()
    assert counts.drain() == {}
    counts.add(TrafficKind.SERVED, 5)
    counts.add(TrafficKind.SERVED, 7)
    counts.add(TrafficKind.REFUSED)
    taken = counts.drain()
    assert taken == {TrafficKind.SERVED: Traffic(2, 12), TrafficKind.REFUSED: Traffic(1, 0)}
    assert counts.drain() == {}
    counts.add(TrafficKind.SERVED, 1)
    counts.restore(taken)
    assert counts.drain() == {TrafficKind.SERVED: Traffic(3, 13), TrafficKind.REFUSED: Traffic(1, 0)}
    assert counts.total[TrafficKind.SERVED] == Traffic(3, 13)


async def test_each_request_is_counted_with_the_bytes_that_were_sent() -> None:
    world = World()
    async with world.client() as http:
        etag = (await get(http, path()))[1]["ETag"]
        await get(http, path(), "HEAD")
        await get(http, path(), Range="bytes=0-99")
        await get(http, path(), If_None_Match=etag)
        for _ in range(3):
            await get(http, path(until=1))
        await get(http, "/m/x/y")
        await get(http, "/")
    assert world.common.counts.drain() == {
        TrafficKind.SERVED: Traffic(4, len(DATA) + 100),
        TrafficKind.REFUSED: Traffic(3, 0),
    }


async def test_metrics_are_for_this_machine_and_for_nobody_behind_a_proxy() -> None:
    world = World()
    counts = world.common.counts
    more = metrics.routes([MediaMetrics(counts, world.common.slots, Cache(Path("/nowhere"), lambda: 0))])
    async with world.client(more) as http:
        await get(http, path(), Range="bytes=0-99")
        await get(http, path(until=1))
        counts.set_total(TrafficKind.UPLOADED, Traffic(1, 7))
        status, headers, body = await get(http, "/metrics")
        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = body.decode().splitlines()
        for line in (
            "# TYPE quackbridge_media_requests_total counter",
            'quackbridge_media_requests_total{outcome="served"} 1.0',
            'quackbridge_media_requests_total{outcome="refused"} 1.0',
            "quackbridge_media_bytes_total 100.0",
            "# TYPE quackbridge_media_downloads gauge",
            "quackbridge_media_downloads 0.0",
            "quackbridge_media_uploads_total 1.0",
            "quackbridge_media_upload_bytes_total 7.0",
            "quackbridge_media_cache_bytes 0.0",
            "quackbridge_media_cache_hits_total 0.0",
        ):
            assert line in lines
        assert (await get(http, "/metrics", X_Forwarded_For="192.0.2.1"))[0] == 404
        assert (await get(http, "/metrics", "POST"))[0] == 405


def test_each_metric_stands_in_the_manual() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    world = World()
    found = MediaMetrics(world.common.counts, world.common.slots, Cache(Path("/nowhere"), lambda: 0)).collect()
    names = {sample.name for metric in found for sample in metric.samples}
    assert len(names) == 8
    assert [name for name in names if f"`{name}" not in manual] == []
