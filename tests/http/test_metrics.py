"""Counts and metrics: what was served and refused, for this machine only."""

from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridge.http import metrics
from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.metrics import MediaMetrics, StateMetrics
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.counters import Counters, DeliveryOutcome
from tests.http.house import get, health_of
from tests.http.test_media import DATA, World, path
from tests.programs import promtool
from tests.reference.metrics import health, registry

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


async def test_networks_that_left_the_config_have_no_series_and_those_that_nothing_happened_to_begin_at_0() -> None:
    counters = Counters()
    counters.received["gone", "message"] = 5
    counters.deliveries["libera", "gone", DeliveryOutcome.SENT] = 5
    counters.deliveries["libera", "pond", DeliveryOutcome.DEAD] = 2
    text = generate_latest(registry(counters=counters)).decode()
    assert '"gone"' not in text
    assert 'quackbridge_deliveries_total{link="pond",network="libera",outcome="dead"} 2.0' in text
    assert 'quackbridge_deliveries_total{link="",network="libera",outcome="sent"} 0.0' in text
    assert 'quackbridge_network_connects_total{network="home",outcome="lost"} 0.0' in text


def test_gauges_say_what_the_health_is() -> None:
    lines = generate_latest(registry()).decode().splitlines()
    for line in (
        'quackbridge_network_up{network="home",type="matrix"} 1.0',
        'quackbridge_network_up{network="libera",type="irc"} 0.0',
        'quackbridge_network_here{network="libera"} 1.0',
        'quackbridge_network_last_receive_timestamp_seconds{network="libera"} 60.0',
        'quackbridge_link_up{link="pond"} 0.0',
        'quackbridge_outbox_deliveries{network="libera",state="queued"} 3.0',
        'quackbridge_outbox_deliveries{network="libera",state="dead"} 1.0',
        'quackbridge_outbox_oldest_age_seconds{network="libera"} 30.0',
        'quackbridge_outbox_oldest_age_seconds{network="home"} 0.0',
        "quackbridge_disk_free_bytes 5e+09",
    ):
        assert line in lines


def test_the_size_of_the_store_is_that_of_all_its_files(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(bytes(100))
    (tmp_path / "store-wal").write_bytes(bytes(11))
    sizes = [
        sample.value
        for metric in StateMetrics(health, Counters(), tmp_path / "store").collect()
        for sample in metric.samples
        if sample.name == "quackbridge_store_size_bytes"
    ]
    assert sizes == [111.0]


def test_a_network_or_link_with_an_odd_name_breaks_no_line() -> None:
    """The names are those of the config, which may be anything."""
    odd = 'a"b\\c\nd'
    text = generate_latest(registry(health_of({odd: ""}))).decode()
    found = {s.labels.get("network") for f in text_string_to_metric_families(text) for s in f.samples}
    assert odd in found
    assert promtool("check", "metrics", stdin=text).returncode == 0
