"""docs/reference/metrics.md, from the registry of the daemon."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.limits import DownloadSlots
from bridge.http.metrics import CarriedMetrics, MediaMetrics, StateMetrics, registry_of
from bridge.model.counters import Counters
from bridge.model.event import Room
from bridge.model.health import Check, Health, NetworkHealth, Queue, RoomHealth
from tests.http.house import health_of

PATH = "docs/reference/metrics.md"

_HEAD = """\
# Metrics

What `http://127.0.0.1:9191/metrics` shows (`http.listen`). [How to watch the bridge with
Prometheus](../how-to/prometheus.md) says what to do with it. Counters begin at 0 when the daemon starts.

The labels `network` and `link` are names from the config; `link` is empty for what belongs to no link, such as private
conversations. No label names people, and none holds what they or servers have written.

This page is generated from the program; a test fails if it is out of date.

| metric | type | labels | meaning |
|---|---|---|---|
"""
_OPEN = ("network", "link", "type", "version")
"""Labels whose values the page does not list."""


def health() -> Health:
    """A bridge with two networks and one link, which has everything that metrics and pages can show."""
    fine = Check(ok=True, since=0.0)
    networks = {
        "home": NetworkHealth(fine, "matrix", "here", heard=90.0, ghosts=12),
        "libera": NetworkHealth(Check(False, 70.0, "the server does not answer"), "irc", "here", heard=60.0),
    }
    rooms = (
        RoomHealth(Room("home", "#pond:example.org"), "pond", fine, "here", encrypted=True, heard=88.0, said=40.0),
        RoomHealth(Room("libera", "#pond"), "pond", networks["libera"].check, "here", joined=False),
    )
    queues = {"home": Queue(), "libera": Queue(queued=3, dead=1, oldest=70.0)}
    return replace(health_of({}), now=100.0, networks=networks, rooms=rooms, queues=queues, free=5_000_000_000)


def registry(now: Health | None = None, counters: Counters | None = None) -> CollectorRegistry:
    """The registry of the daemon, as its health is `now`, or as in `health`."""
    now, counters = now or health(), counters or Counters()
    return registry_of(
        [
            StateMetrics(lambda: now, counters, Path("/nowhere")),
            CarriedMetrics(counters, lambda: now),
            MediaMetrics(Counts(), DownloadSlots(), Cache(Path("/nowhere"), lambda: 0)),
        ]
    )


def page() -> str:
    """The page, in Markdown."""
    return _HEAD + "".join(f"{row}\n" for metric in registry().collect() for row in _rows(metric))


def _rows(metric: Metric) -> Iterator[str]:
    values: dict[str, dict[str, None]] = {}
    for sample in metric.samples:
        for label, value in sample.labels.items():
            values.setdefault(label, {})[value] = None
    if metric.name.startswith(("process", "python")):  # those of the machine differ from machine to machine
        values = {label: {} for label in values}
    values.pop("le", None)
    name = f"{metric.name}_total" if metric.type == "counter" else metric.name
    labels = ", ".join(_label(label, [*found]) for label, found in values.items())
    meaning = metric.documentation.strip().replace("\n", " ").replace("|", r"\|")
    yield f"| `{name}` | {metric.type} | {labels} | {meaning} |"


def _label(label: str, values: list[str]) -> str:
    known = [] if label in _OPEN or label == "python" else [value for value in values if value]
    return f"`{label}`: {', '.join(known)}" if known else f"`{label}`"
