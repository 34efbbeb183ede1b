"""The flood budget, with made-up time."""

from bridge.irc.flood import Flood, Pace
from bridge.irc.settings import FloodBudget


def test_a_burst_goes_out_at_once_then_the_steady_rate() -> None:
    flood: Flood[int] = Flood(3, 0.5)
    for ticket in range(6):
        flood.queue("room", ticket)
    assert flood.grant(0.0) == [0, 1, 2]
    assert flood.wait(0.0) == 2.0
    assert flood.grant(1.9) == []
    assert flood.grant(2.0) == [3]
    assert flood.grant(6.0) == [4, 5]
    assert flood.wait(6.0) is None


def test_rooms_take_turns_so_that_many_lines_in_one_do_not_delay_another() -> None:
    flood: Flood[str] = Flood(1, 1.0)
    for number in range(50):
        flood.queue("busy", f"busy {number}")
    flood.queue("quiet", "quiet")
    order = [ticket for second in range(4) for ticket in flood.grant(float(second))]
    assert order == ["busy 0", "quiet", "busy 1", "busy 2"]


def test_a_room_that_queues_again_after_each_line_still_takes_turns_with_the_others() -> None:
    flood: Flood[str] = Flood(1, 1.0)
    order = []
    flood.queue("a", "a")
    flood.queue("b", "b")
    for second in range(4):
        granted = flood.grant(float(second))
        order += granted
        for ticket in granted:
            flood.queue(ticket, ticket)
    assert order == ["a", "b", "a", "b"]


def test_lines_that_are_sent_without_waiting_delay_the_lines_that_are_queued() -> None:
    flood: Flood[int] = Flood(2, 1.0)
    for _ in range(100):
        flood.charge(0.0)
    flood.queue("room", 1)
    assert flood.grant(0.0) == []
    assert flood.wait(0.0) == 3.0
    assert flood.grant(3.0) == [1]


def test_a_line_that_has_time_goes_when_there_is_budget_and_messages_hold_it_up_for_two_of_them() -> None:
    flood: Flood[int] = Flood(2, 0.5)
    for now, may in ((0.0, True), (0.0, True), (0.0, False), (1.9, False), (2.0, True)):
        assert flood.may_go_aside(now) is may
        if may:
            flood.charge(now)
    flood.queue("room", 1)
    assert not flood.may_go_aside(5.0)
    assert flood.may_go_aside(6.0)


def test_a_ticket_that_was_withdrawn_costs_nothing() -> None:
    flood: Flood[int] = Flood(1, 1.0)
    flood.queue("room", 1)
    flood.queue("room", 2)
    flood.withdraw("room", 1)
    flood.withdraw("nowhere", 1)
    assert flood.grant(0.0) == [2]
    assert flood.drain() == []


def test_a_clock_that_is_set_back_neither_adds_nor_removes_budget() -> None:
    flood: Flood[int] = Flood(1, 1.0)
    flood.queue("room", 1)
    flood.queue("room", 2)
    assert flood.grant(100.0) == [1]
    assert flood.grant(0.0) == []
    assert flood.grant(0.9) == []
    assert flood.grant(1.0) == [2]


def test_after_the_announced_wait_the_next_line_is_granted_whatever_the_rounding() -> None:
    flood: Flood[int] = Flood(1, 0.3)
    now = 0.1
    for ticket in range(50):
        flood.queue("room", ticket)
    for ticket in range(50):
        wait = flood.wait(now)
        assert wait is not None
        now += wait
        assert flood.grant(now) == [ticket]


def test_the_pace_halves_after_a_disconnect_for_flooding_and_recovers_by_the_hour() -> None:
    pace = Pace(1000, 1000.0)
    pace.slow_down(40, 0.0)
    assert pace.budget(0.0) == (20, 2.0)
    pace.slow_down(24, 5.0)
    assert pace.budget(5.0) == (10, 1.0)
    assert pace.budget(3605.0) == (20, 2.0)
    assert pace.budget(1e6) == (1000, 1000.0)
    for _ in range(20):
        pace.slow_down(1, 5.0)
    assert pace.budget(5.0) == (1, 0.25)


def test_lines_written_in_the_last_ten_seconds_are_counted() -> None:
    flood: Flood[int] = Flood(10, 1.0)
    for ticket in range(3):
        flood.queue("pond", ticket)
    flood.grant(0.0)
    flood.charge(8.0)
    assert flood.lately(9.0) == 4
    assert flood.lately(15.0) == 1


def test_where_the_server_says_that_it_is_safe_nothing_waits() -> None:
    flood: Flood[int] = Flood(1, 0.5)
    for ticket in range(500):
        flood.queue(ticket % 3, ticket)
    assert len(flood.grant(0.0)) == 1
    flood.is_safe = True
    assert len(flood.grant(0.0)) == 499
    assert flood.wait(0.0) is None
    assert flood.spare(0.0)


def _penalties(each_s: float, at_most_s: float, lines: int) -> float:
    """The seconds that `lines` take. The server counts `each_s` for a line, and disconnects those who are more than
    `at_most_s` ahead of the clock (RFC 1459 section 8.10; InspIRCd's commandrate and threshold)."""
    budget = FloodBudget()
    flood: Flood[int] = Flood(budget.burst, budget.per_second)
    for ticket in range(lines):
        flood.queue("room", ticket)
    now, timer, worst, written = 0.0, 0.0, 0.0, 0
    while written < lines:
        for _ in flood.grant(now):
            timer = max(timer, now) + each_s
            written += 1
        worst = max(worst, timer - now)
        now += flood.wait(now) or 0.0
    assert worst <= at_most_s
    return now


def test_five_hundred_lines_at_the_default_budget_are_never_too_many_by_the_clocks_of_usual_servers() -> None:
    took = [_penalties(2.0, 10.0, 500), _penalties(1.0, 10.0, 500), _penalties(1.0, 5.0, 500)]
    assert all(985 < each < 995 for each in took)
