"""Counts what is carried, for the metrics: numbers in memory, which begin at 0 with the daemon. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from enum import StrEnum

from bridge.model.accounting import Cause
from bridge.model.health import Health

BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets of delivery times, in seconds."""


class DeliveryOutcome(StrEnum):
    """What became of a delivery (`sent`, `dead`), or of one try (`retried`, `unknown`)."""

    SENT = "sent"
    """The network has acknowledged all of it."""
    RETRIED = "retried"
    """A try failed, and is repeated."""
    DEAD = "dead"
    """It can never be sent, and is kept for the operator."""
    UNKNOWN = "unknown"
    """The connection was lost, and nobody knows whether the try arrived."""


class ConnectOutcome(StrEnum):
    """What happened to the connection with a network."""

    CONNECTED = "connected"
    LOST = "lost"


class Durations:
    """How long deliveries took: how many fell into each bucket of `BUCKETS_S`, the last one without a bound."""

    def __init__(self) -> None:
        self.numbers = [0] * (len(BUCKETS_S) + 1)
        self.total_s = 0.0

    def add(self, seconds: float) -> None:
        """Count a delivery that took so long."""
        self.numbers[bisect_left(BUCKETS_S, seconds)] += 1
        self.total_s += seconds


class Counters:
    """The numbers. Each has as many keys at most as the config has networks and links, times the values of an enum:
    nothing that people choose is a key. A link is '' for what is in none."""

    def __init__(self) -> None:
        self.received: Counter[tuple[str, str]] = Counter()
        """Events that were heard, by network and type of body."""
        self.refused: Counter[tuple[str, Cause]] = Counter()
        """Events that were not carried, by link and cause."""
        self.deliveries: Counter[tuple[str, str, DeliveryOutcome]] = Counter()
        """By network, link and outcome."""
        self.given_up: Counter[str] = Counter()
        """Deliveries that waited too long or were too many, by network."""
        self.durations: defaultdict[str, Durations] = defaultdict(Durations)
        """Of messages, by network."""
        self.connects: Counter[tuple[str, ConnectOutcome]] = Counter()
        """By network and outcome."""
        self.reloads_work = True
        """Whether the last reload of the config was successful."""
        self.config_since = 0.0
        """When the current config was loaded, in seconds since the epoch."""
        self._up: dict[str, bool] = {}

    def count_config_loaded(self, now: float) -> None:
        """The config that holds was loaded `now` (seconds since the epoch)."""
        self.reloads_work, self.config_since = True, now

    def count_config_refused(self) -> None:
        """The config file has a problem: the config before it still holds."""
        self.reloads_work = False

    def count_connects(self, health: Health) -> None:
        """Count the networks that came and went since the last call. A connection that is lost and back between two
        calls is not seen."""
        for name, network in health.networks.items():
            if network.check.ok is not self._up.get(name, False):
                outcome = ConnectOutcome.CONNECTED if network.check.ok else ConnectOutcome.LOST
                self.connects[name, outcome] += 1
        self._up = {name: network.check.ok for name, network in health.networks.items()}
