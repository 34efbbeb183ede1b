"""Metrics of the bridge's state, read from its health: networks, links, outbox, store, event loop, config."""

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.model.counters import Counters
from bridge.model.health import Health, Queue

_FILES = ("", "-wal", "-shm")
"""What the names of the store's files end with (https://www.sqlite.org/walformat.html)."""


@dataclass(frozen=True, slots=True)
class StateMetrics(Collector):
    """`store`: the file of the store."""

    health: Callable[[], Health]
    counters: Counters
    store: Path

    def collect(self) -> Iterator[Metric]:
        health = self.health()
        yield _gauge("build_info", "The version that runs.", [((health.version, platform.python_version()), 1.0)])
        yield from _networks(health)
        yield from _outbox(health)
        yield _gauge("store_size_bytes", "Disk space that the store takes.", [((), _size(self.store))])
        if health.free:
            yield _gauge("disk_free_bytes", "Free space on the disk of the store.", [((), health.free)])
        yield _gauge("event_loop_lag_seconds", "How late the event loop was at the last look.", [((), health.lag)])
        yield _gauge(
            "config_last_reload_successful",
            "1 if the config file was loaded when it changed last; 0 if it has a problem, and the config before it"
            " still holds.",
            [((), float(self.counters.reloads_work))],
        )
        yield _gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the config that holds was loaded.",
            [((), self.counters.config_since)],
        )


_LABELS = {
    "build_info": ("version", "python"),
    "network_up": ("network", "type"),
    "network_here": ("network",),
    "network_last_receive_timestamp_seconds": ("network",),
    "ghosts": ("network",),
    "network_puppets": ("network",),
    "link_up": ("link",),
    "outbox_deliveries": ("network", "state"),
    "outbox_oldest_age_seconds": ("network",),
}


def _gauge(name: str, help_text: str, values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """The gauge, with each combination of labels and its value."""
    metric = GaugeMetricFamily(f"quackbridge_{name}", help_text, labels=_LABELS.get(name, ()))
    for labels, value in values:
        metric.add_metric(labels, value)
    return metric


def _networks(health: Health) -> Iterator[Metric]:
    networks = health.networks
    up = [((name, network.type), float(network.check.ok)) for name, network in networks.items()]
    heard = [((name,), network.heard) for name, network in networks.items() if network.heard is not None]
    links = [((name,), float(check.ok)) for name, check in health.links().items()]
    yield _gauge("network_up", "1 while we are logged in and the server answers, else 0.", up)
    here = [((name,), float(network.worker == health.worker)) for name, network in networks.items()]
    yield _gauge("network_here", "1 if this worker runs the network, 0 if another does.", here)
    yield _gauge("network_last_receive_timestamp_seconds", "When the network gave the last sign of life.", heard)
    ghosts = [((name,), float(each.ghosts)) for name, each in networks.items() if each.ghosts is not None]
    yield _gauge("ghosts", "People on IRC who have an account of their own on the Matrix network.", ghosts)
    faces = [((name,), float(network.puppets)) for name, network in networks.items() if network.type == "irc"]
    yield _gauge("network_puppets", "Members who have a connection of their own on the IRC network.", faces)
    yield _gauge("link_up", "1 while all rooms of the link can hear and be told, else 0.", links)


def _outbox(health: Health) -> Iterator[Metric]:
    queues = [(name, health.queues.get(name, Queue())) for name in health.networks]
    counted = [((name, "queued"), float(queue.queued)) for name, queue in queues]
    counted += [((name, "dead"), float(queue.dead)) for name, queue in queues]
    ages = [((name,), _age(queue, health.now)) for name, queue in queues]
    yield _gauge("outbox_deliveries", "Deliveries that wait (queued), or can never be sent (dead).", counted)
    yield _gauge("outbox_oldest_age_seconds", "How long the oldest delivery waits; 0 if none does.", ages)


def _age(queue: Queue, now: float) -> float:
    return max(0.0, now - queue.oldest) if queue.oldest is not None else 0.0


def _size(store: Path) -> float:
    size = 0
    for ending in _FILES:
        with suppress(OSError):
            size += store.with_name(store.name + ending).stat().st_size
    return float(size)
