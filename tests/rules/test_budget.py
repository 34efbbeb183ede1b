"""Budgets: a burst, then a rate; that one is empty is news once."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.rules.budget import Allowance, Budget


def test_a_budget_allows_a_burst_then_a_rate_to_each_spender() -> None:
    budget = Budget(Allowance(2, per_minute=6))
    asked = []
    for now in (0.0, 0.0, 0.0, 9.0, 10.0, 10.0, 20.0):
        asked.append(budget.has("al", now))
        if asked[-1]:
            budget.spend("al", now)
    assert asked == [True, True, False, False, True, False, True]
    assert budget.has("bob", 20.0)


def test_an_empty_budget_is_news_once_until_it_was_full_again() -> None:
    budget = Budget(Allowance(1, per_minute=1))
    budget.spend("al", 0.0)
    assert [budget.news("al", now) for now in (1.0, 2.0, 59.0)] == [True, False, False]
    budget.spend("al", 60.0)
    assert budget.news("al", 61.0)


def test_a_crowd_of_spenders_takes_a_bounded_number_of_buckets() -> None:
    budget = Budget(Allowance(1, per_minute=1), limit=3)
    for spender in ("al", "bob", "carol", "dave"):
        budget.spend(spender, 0.0)
    assert budget.has("al", 0.0)
    assert not budget.has("carol", 0.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40).map(sorted))
def test_no_more_questions_are_allowed_in_any_time_than_burst_and_rate_allow(times: list[float]) -> None:
    budget = Budget(Allowance(3, per_minute=30))
    spent = []
    for now in times:
        if budget.has("al", now):
            budget.spend("al", now)
            spent.append(now)
    for first in spent:
        for last in spent:
            assert sum(first <= now <= last for now in spent) <= 3 + (last - first) * 0.5 + 1e-6 or first > last
