"""The numbers for the metrics."""

import pytest

from bridge.model.counters import BUCKETS_S, ConnectOutcome, Counters, Durations
from tests.http.house import health_of

CONNECTED, LOST = ConnectOutcome


def test_a_network_that_comes_goes_and_comes_again_is_counted_each_time() -> None:
    counters = Counters()
    for home, pond in (("wait", "wait"), ("", "wait"), ("", "wait"), ("away", ""), ("", "")):
        counters.count_connects(health_of({"home": home, "pond": pond}))
    assert counters.connects == {("home", CONNECTED): 2, ("home", LOST): 1, ("pond", CONNECTED): 1}


def test_a_network_that_leaves_the_config_and_comes_back_has_connected_again() -> None:
    counters = Counters()
    for networks in ({"home": ""}, {}, {"home": ""}):
        counters.count_connects(health_of(networks))
    assert counters.connects == {("home", CONNECTED): 2}


@pytest.mark.parametrize(("seconds", "bucket"), [(0.0, 0), (0.05, 0), (0.051, 1), (300.0, 10), (301.0, 11)])
def test_a_bucket_holds_what_is_at_most_its_bound(seconds: float, bucket: int) -> None:
    durations = Durations()
    durations.add(seconds)
    assert durations.numbers.index(1) == bucket
    assert len(durations.numbers) == len(BUCKETS_S) + 1


def test_a_reload_that_fails_leaves_the_time_of_the_last_that_did_not() -> None:
    counters = Counters()
    counters.count_config_loaded(5.0)
    counters.count_config_refused()
    assert (counters.reloads_work, counters.config_since) == (False, 5.0)
    counters.count_config_loaded(9.0)
    assert (counters.reloads_work, counters.config_since) == (True, 9.0)
