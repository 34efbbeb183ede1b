"""The figures of the benchmark count correctly."""

import pytest

from benchmarks.figures import Burst, Latency


def test_percentiles_are_in_milliseconds() -> None:
    latency = Latency.of([number / 1000 for number in range(101)])
    assert latency.p50 == pytest.approx(50.0)
    assert latency.p90 == pytest.approx(90.0)


def test_a_whole_burst_counts_lines_and_not_the_messages_that_they_came_in() -> None:
    burst = Burst.of(4, ["<bob> line 0 of x\n<bob> line 1 of x", "<bob> line 2 of x", "<bob> line 3 of x"], 2.0, 0.008)
    assert burst == Burst(2.0, lost=0, doubled=0, in_order=True, posts=3, cpu=2.0)
    assert burst.whole


def test_a_lost_a_doubled_and_a_late_line_are_told_apart() -> None:
    assert Burst.of(3, ["line 0", "line 2"], 1.0, 0.0).lost == 1
    assert Burst.of(2, ["line 0", "line 1", "line 0"], 1.0, 0.0) == Burst(2.0, 0, 1, True, 3, 0.0)
    assert not Burst.of(3, ["line 0", "line 2", "line 1"], 1.0, 0.0).in_order


def test_line_1_is_not_heard_in_line_12() -> None:
    assert Burst.of(2, ["line 12"], 1.0, 0.0).lost == 1
