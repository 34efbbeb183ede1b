"""The checker of the fault tests finds planted errors."""

import pytest

from tests.faults.checker import Said, Seen, check

SAID = [Said(number, float(number), number + 0.1) for number in range(5)]


def seen(*numbers: int, late: float = 0.5) -> list[Seen]:
    return [Seen(number, index + late) for index, number in enumerate(numbers)]


def test_messages_that_all_arrive_once_and_in_order_pass() -> None:
    verdict = check(SAID, seen(0, 1, 2, 3, 4))
    assert (verdict.owed, verdict.lost, verdict.doubled, verdict.out_of_order) == (5, (), (), ())


@pytest.mark.parametrize(
    ("arrived", "lost", "doubled", "out_of_order"),
    [
        pytest.param((0, 1, 4), (2, 3), (), (), id="acknowledged before it was committed"),
        pytest.param((0, 1, 2, 1, 2, 3, 4), (), (1, 2), (), id="no dedupe"),
        pytest.param((0, 0, 0, 1, 2, 3, 4), (), (0, 0), (), id="counted as often as it came"),
        pytest.param((0, 2, 3, 1, 4), (), (), (1,), id="one overtaken"),
        pytest.param((0, 4, 1, 2, 3), (), (), (1, 2, 3), id="one that overtook"),
        pytest.param((0, 1, 3, 1, 2), (4,), (1,), (2,), id="all at once"),
    ],
)
def test_planted_errors_are_counted_as_lost_doubled_or_out_of_order(
    arrived: tuple[int, ...], lost: tuple[int, ...], doubled: tuple[int, ...], out_of_order: tuple[int, ...]
) -> None:
    verdict = check(SAID, seen(*arrived))
    assert (verdict.lost, verdict.doubled, verdict.out_of_order) == (lost, doubled, out_of_order)


def test_a_message_that_was_not_acknowledged_is_not_owed_but_may_arrive() -> None:
    said = [*SAID, Said(5, 5.0)]
    assert check(said, seen(0, 1, 2, 3, 4)).lost == ()
    assert check(said, seen(0, 1, 2, 3, 4, 5)).doubled == ()


def test_a_message_that_was_said_twice_may_arrive_twice() -> None:
    said = [Said(0, 0.0, 1.0, times=2)]
    assert check(said, seen(0, 0)).doubled == ()
    assert check(said, seen(0, 0, 0)).doubled == (0,)


def test_a_message_that_nobody_said_counts_as_doubled() -> None:
    assert check(SAID, seen(0, 1, 2, 3, 4, 77)).doubled == (77,)


def test_recovery_is_measured_from_the_return_of_the_server() -> None:
    arrivals = [Seen(0, 0.5), Seen(1, 12.0), Seen(2, 13.0), Seen(3, 14.0), Seen(4, 15.0)]
    verdict = check(SAID, arrivals, back=2.5)
    assert (verdict.first, verdict.whole) == (9.5, 10.5)


def test_a_backlog_that_is_partly_lost_has_no_recovery_time() -> None:
    assert check(SAID, [Seen(0, 0.5), Seen(2, 9.0)], back=2.5).whole is None


def test_the_verdict_as_text_names_the_lost_and_the_doubled_messages() -> None:
    text = str(check(SAID, seen(0, 1, 1, 3)))
    assert text.startswith("5 owed, 2 lost (2, 4), 1 doubled (1), 0 out of order;")
