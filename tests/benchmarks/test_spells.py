"""The figures of messages beside downloads count correctly."""

import pytest

from benchmarks.spells import ALONE, Spell, summaries


def spell(beside: str, seconds: float, answer: float = 0.001, rate: float = 0.0) -> Spell:
    return Spell(beside, [seconds] * 3, [2 * seconds] * 3, [answer] * 10, bytes_per_s=rate)


def test_each_spell_is_compared_to_the_one_before_it_and_the_median_counts() -> None:
    found = summaries(
        [
            *(spell(ALONE, 0.1), spell("fast", 0.2)),  # 2 times, in a quiet hour
            *(spell(ALONE, 0.4), spell("fast", 0.44)),  # 1.1 times
            *(spell(ALONE, 0.2), spell("fast", 0.3)),  # 1.5 times
        ]
    )
    assert found["fast"].to_irc.p50_times == pytest.approx(1.5)
    assert found["fast"].to_matrix.p90_times == pytest.approx(1.5)
    assert found["fast"].to_matrix.latency.p50 == pytest.approx(600.0)
    assert found[ALONE].to_irc.p50_times == 0.0


def test_the_longest_answer_and_the_rate_of_all_downloads_are_told() -> None:
    found = summaries([spell(ALONE, 0.1), spell("fast", 0.1, 0.002, rate=3e6), spell("fast", 0.1, 0.3, rate=5e6)])
    assert found["fast"].answers[2] == pytest.approx(300.0)
    assert found["fast"].megabytes_per_s == pytest.approx(4.0)
