"""Pauses that double up to a limit, with jitter."""

import random

from hypothesis import given
from hypothesis import strategies as st

from bridge.lib.backoff import Backoff


def test_the_pause_doubles_to_the_longest() -> None:
    backoff = Backoff(first_s=1.0, longest_s=10.0)
    assert [backoff.plain(failures) for failures in range(6)] == [1, 2, 4, 8, 10, 10]


def test_the_first_pause_is_never_longer_than_the_longest() -> None:
    assert Backoff(first_s=30.0, longest_s=10.0).plain(0) == 10


@given(st.integers(0, 10**9))
def test_the_pause_stays_within_its_bounds_for_any_number_of_failures(failures: int) -> None:
    assert 1.0 <= Backoff(1.0, 3600.0).plain(failures) <= 3600.0


@given(st.integers(0, 10**6), st.integers(0, 20))
def test_jitter_stays_between_its_bounds(seed: int, failures: int) -> None:
    plain = Backoff(1.0, 300.0).plain(failures)
    assert plain * 0.5 <= Backoff(1.0, 300.0).after(failures, random.Random(seed)) <= plain
    assert plain <= Backoff(1.0, 300.0, 1.0, 1.2).after(failures, random.Random(seed)) <= plain * 1.2 + 1e-9
