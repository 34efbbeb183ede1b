"""Showing on IRC that somebody types: seldom, and never at the cost of a message."""

from itertools import pairwise

from bridge.irc.flood import Flood
from bridge.irc.typing import TypingShown
from bridge.model.event import Room

_POND, _LAKE = Room("net", "#pond"), Room("net", "#lake")


def beats(shown: TypingShown, start: float, seconds: int) -> list[tuple[float, str, str]]:
    """What is written if it is looked once a second."""
    written = []
    for now in (start + second for second in range(seconds)):
        for room, what in shown.due(now):
            written.append((now, room.id, what))
            shown.wrote(room, what, now)
    return written


def test_typing_is_said_at_once_and_again_every_four_seconds_until_it_ends() -> None:
    shown = TypingShown()
    shown.change(_POND, 10.0, active=True)
    assert beats(shown, 10.0, 10) == [(10.0, "#pond", "active"), (14.0, "#pond", "active"), (18.0, "#pond", "active")]
    shown.change(_POND, 20.0, active=False)
    assert beats(shown, 20.0, 10) == [(21.0, "#pond", "done")]


def test_no_two_signals_in_a_channel_come_within_three_seconds_however_often_it_changes() -> None:
    shown, written = TypingShown(), []
    for step in range(100):
        shown.change(_POND, step / 10, active=step % 2 == 0)
        for room, what in shown.due(step / 10):
            written.append(step / 10)
            shown.wrote(room, what, step / 10)
    assert len(written) > 1
    assert all(later - earlier >= 3 for earlier, later in pairwise(written))


def test_typing_ends_by_itself_after_a_minute_without_news() -> None:
    shown = TypingShown()
    shown.change(_POND, 0.0, active=True)
    assert beats(shown, 0.0, 300)[-1][0] <= 64
    assert beats(shown, 0.0, 300)[-1:] == []


def test_after_a_message_of_ours_nothing_says_that_its_author_has_stopped() -> None:
    shown = TypingShown()
    shown.change(_POND, 0.0, active=True)
    shown.change(_LAKE, 0.0, active=True)
    beats(shown, 0.0, 1)
    shown.spoke(_POND)
    assert {room for _, room, _ in beats(shown, 1.0, 10)} == {"#lake"}


def test_an_end_of_what_nobody_saw_begin_is_not_said() -> None:
    shown = TypingShown()
    shown.change(_POND, 0.0, active=False)
    shown.change(_LAKE, 0.0, active=True)
    shown.change(_LAKE, 0.0, active=False)
    assert beats(shown, 0.0, 10) == []


def test_there_is_room_for_a_signal_only_while_the_whole_budget_is_there_and_nothing_waits() -> None:
    flood: Flood[str] = Flood(2, 1.0)
    assert flood.spare(0.0)
    flood.charge(0.0)
    assert not flood.spare(0.5)
    assert flood.spare(1.0)
    flood.queue(_POND, "ticket")
    assert not flood.spare(10.0)
    assert not Flood[str](1, 1.0).spare(0.0), "a message would have to wait for it"
