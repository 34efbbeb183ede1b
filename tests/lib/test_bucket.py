"""Token buckets and sliding windows: a burst, a rate, and never more than these allow."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.lib.bucket import SlidingWindow, TokenBucket

_TIMES = st.lists(st.floats(0, 100), min_size=1, max_size=40).map(sorted)


def test_a_bucket_gives_a_burst_then_a_rate() -> None:
    bucket, granted = TokenBucket(2, per_second=0.1), []
    for now in (0.0, 0.0, 0.0, 9.0, 10.0, 10.0, 20.0):
        granted.append(bucket.has_token(now))
        if granted[-1]:
            bucket.spend(now)
    assert granted == [True, True, False, False, True, False, True]


def test_a_bucket_fills_up_to_its_burst() -> None:
    bucket = TokenBucket(2, per_second=1.0)
    bucket.spend(0.0)
    assert not bucket.is_full(0.5)
    assert bucket.is_full(1.0)
    for _ in range(2):
        bucket.spend(1000.0)
    assert not bucket.has_token(1000.0)


def test_a_bucket_says_how_long_to_wait() -> None:
    bucket = TokenBucket(1, per_second=0.5)
    assert bucket.wait_s(0.0) == 0
    bucket.spend(0.0)
    assert (bucket.wait_s(0.0), bucket.wait_s(1.5), bucket.wait_s(2.0)) == (2.0, 0.5, 0.0)


def test_a_bucket_owes_at_most_the_debt_that_is_allowed() -> None:
    bucket = TokenBucket(1, per_second=1.0)
    for _ in range(10):
        bucket.spend(0.0, debt=3.0)
    assert bucket.wait_s(0.0) == 4


def test_rounding_loses_no_token() -> None:
    bucket = TokenBucket(1, per_second=0.1)
    bucket.spend(0.0)
    for tenth in range(1, 100):
        bucket.has_token(tenth / 10)
    assert bucket.has_token(10.0)


def test_a_clock_that_is_set_back_costs_no_token_and_gives_none() -> None:
    bucket = TokenBucket(2, per_second=1.0)
    bucket.spend(1000.0)
    bucket.spend(1000.0)
    assert not bucket.has_token(0.0)
    assert bucket.has_token(1.0)


@given(_TIMES)
def test_no_more_tokens_are_spent_in_any_time_than_burst_and_rate_allow(times: list[float]) -> None:
    bucket, spent = TokenBucket(3, per_second=0.5), []
    for now in times:
        if bucket.has_token(now):
            bucket.spend(now)
            spent.append(now)
    for index, first in enumerate(spent):
        for number, last in enumerate(spent[index:], 1):
            assert number <= 3 + (last - first) * 0.5 + 1e-6


def test_a_sliding_window_allows_its_limit_within_any_hour() -> None:
    window, left = SlidingWindow(2, 3600.0), []
    for now in (0.0, 10.0, 20.0, 3599.9, 3600.0, 3601.0, 3610.0):
        left.append(window.left(now))
        if left[-1]:
            window.spend(now)
    assert left == [2, 1, 0, 0, 1, 0, 1]


@given(_TIMES)
def test_a_sliding_window_never_holds_more_than_its_limit(times: list[float]) -> None:
    window, spent = SlidingWindow(3, 10.0), []
    for now in times:
        if window.left(now):
            window.spend(now)
            spent.append(now)
    for last in spent:
        assert sum(last - 10.0 < time <= last for time in spent) <= 3


def test_a_bucket_goes_on_after_a_restart_as_it_was() -> None:
    before, after = TokenBucket(3, per_second=0.1), TokenBucket(3, per_second=0.1)
    assert before.level() is None
    for _ in range(3):
        before.spend(100.0)
    left = before.level()
    assert left is not None
    after.refill(*left)
    assert [after.has_token(now) for now in (100.0, 109.0, 110.0)] == [False, False, True]


def test_a_bucket_is_never_filled_above_its_burst_nor_below_nothing() -> None:
    bucket = TokenBucket(1, per_second=1.0)
    bucket.refill(1e9, 0.0)
    bucket.spend(0.0)
    assert not bucket.has_token(0.0)
    bucket.refill(-1e9, 0.0)
    assert bucket.has_token(1.0)
