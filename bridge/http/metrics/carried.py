"""Metrics of what is heard, refused and delivered, read from the relay's counters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge.model.accounting import Cause
from bridge.model.counters import BUCKETS_S, ConnectOutcome, Counters, DeliveryOutcome, Durations
from bridge.model.event import TYPES
from bridge.model.health import Health

_NO_LINK = ""
_BOUNDS = (*map(str, BUCKETS_S), "+Inf")


@dataclass(frozen=True, slots=True)
class CarriedMetrics(Collector):
    """Networks and links are those that `health` has, which come from the config: others have no series. Series that
    alerts depend on begin at 0."""

    counters: Counters
    health: Callable[[], Health]

    def collect(self) -> Iterator[Metric]:
        health = self.health()
        networks, links = [*health.networks], [*health.links(), _NO_LINK]
        yield self._received(networks)
        yield self._refused(links)
        yield self._deliveries(health)
        yield self._given_up(networks)
        yield self._durations(networks)
        yield self._connects(networks)

    def _received(self, networks: list[str]) -> Metric:
        metric = CounterMetricFamily(
            "quackbridge_events_received",
            "Events that were heard: messages, edits, removals, reactions, comings and goings, topics.",
            labels=["network", "kind"],
        )
        for network in networks:
            for kind in TYPES:
                metric.add_metric([network, kind], self.counters.received[network, kind])
        return metric

    def _refused(self, links: list[str]) -> Metric:
        metric = CounterMetricFamily(
            "quackbridge_events_refused",
            "Events that were heard and not carried. Private ones, and those in rooms of no link, have link=''.",
            labels=["link", "reason"],
        )
        for link in links:
            for cause in Cause:
                metric.add_metric([link, cause.value], self.counters.refused[link, cause])
        return metric

    def _deliveries(self, health: Health) -> Metric:
        metric = CounterMetricFamily(
            "quackbridge_deliveries",
            "Deliveries that were sent or are dead; and of tries, how many are retried, and of how many nobody knows"
            " whether they arrived.",
            labels=["network", "link", "outcome"],
        )
        ways = {(network, _NO_LINK): None for network in health.networks}
        ways |= {(room.room.network, room.link): None for room in health.rooms}
        for network, link in ways:
            for outcome in DeliveryOutcome:
                metric.add_metric([network, link, outcome.value], self.counters.deliveries[network, link, outcome])
        return metric

    def _given_up(self, networks: list[str]) -> Metric:
        metric = CounterMetricFamily(
            "quackbridge_deliveries_given_up",
            "Deliveries that are lost: they waited longer than outbox.max_age, or more waited than outbox.per_room.",
            labels=["network"],
        )
        for network in networks:
            metric.add_metric([network], self.counters.given_up[network])
        return metric

    def _durations(self, networks: list[str]) -> Metric:
        metric = HistogramMetricFamily(
            "quackbridge_delivery_duration_seconds",
            "Time from when a message was heard to when the network acknowledged all of it.",
            labels=["network"],
        )
        for network in networks:
            durations = self.counters.durations.get(network) or Durations()
            buckets = [*zip(_BOUNDS, map(float, accumulate(durations.numbers)), strict=True)]
            metric.add_metric([network], buckets, durations.total_s)
        return metric

    def _connects(self, networks: list[str]) -> Metric:
        metric = CounterMetricFamily(
            "quackbridge_network_connects",
            "How often the network came up (connected) and went away (lost), looked at once a second.",
            labels=["network", "outcome"],
        )
        for network in networks:
            for outcome in ConnectOutcome:
                metric.add_metric([network, outcome.value], self.counters.connects[network, outcome])
        return metric
