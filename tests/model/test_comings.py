"""Who came, went and changed their name, in words (bridge.model.comings)."""

import pytest

from bridge.model.casemap import Casemapping
from bridge.model.comings import steps, told
from bridge.model.event import Change, Event, Membership, Message, Room
from bridge.model.people import Sender
from bridge.model.text import words

_ROOM = Room("home", "#pond:hs")
_OP = Sender("home", "@op:hs", "op")
_JOINED, _LEFT = Change.JOINED, Change.LEFT


def _event(name: str, change: Change, detail: str = "", by: Sender | None = None) -> Event:
    return _of(Sender("home", f"@{name}:hs", name), change, detail, by)


def _of(who: Sender, change: Change, detail: str = "", by: Sender | None = None) -> Event:
    return Event("$1", _ROOM, by or who, 0.0, Membership(who, change, detail))


def _nick(old: str, new: str) -> Event:
    return _of(Sender("irc", old, old, casemapping=Casemapping.RFC1459), Change.RENAMED, new)


def _all(change: Change, names: str) -> list[Event]:
    return [_event(name, change) for name in names.split()]


def said(events: list[Event]) -> str:
    return told(steps(events))


@pytest.mark.parametrize(
    ("events", "line"),
    [
        (_all(_JOINED, "alice"), "alice has joined"),
        (_all(_JOINED, "alice bob"), "alice and bob have joined"),
        (_all(_JOINED, "a b c d e"), "a, b, c, d and e have joined"),
        (_all(_LEFT, "a b c d e f g"), "a, b, c, d and 3 others have left"),
        (_all(_JOINED, "alice alice"), "alice has joined"),
        ([_event("alice", _LEFT, "good\nnight")], "alice has left (good night)"),
        ([_event("alice", _LEFT, "split"), _event("bob", _LEFT, "split")], "alice and bob have left (split)"),
        ([_event("alice", Change.KICKED, "rude", _OP)], "alice was kicked by op (rude)"),
        ([_event("alice", Change.BANNED, by=_OP)], "alice was banned by op"),
        ([_event("alice", Change.RENAMED, "al <x>")], "alice is now known as al ‹x›"),
        ([*_all(_JOINED, "a"), *_all(_LEFT, "c"), *_all(_JOINED, "b")], "a and b have joined; c has left"),
        ([*_all(_JOINED, "a b"), *_all(_LEFT, "a")], "b has joined"),
        ([*_all(_LEFT, "a"), *_all(_JOINED, "a")], ""),
        ([*_all(_JOINED, "a"), *_all(_LEFT, "a"), *_all(_JOINED, "a")], "a has joined"),
        ([_nick("al", "al2"), _nick("AL2", "al3")], "al is now known as al3"),
        ([_nick("al", "al2"), _nick("al2", "al")], ""),
        ([], ""),
        ([Event("$1", _ROOM, _OP, 0.0, Message(words("x")))], ""),
    ],
)
def test_what_happened_to_each_in_all_is_one_line(events: list[Event], line: str) -> None:
    assert said(events) == line


def test_many_reasons_to_leave_are_left_out() -> None:
    assert said([_event(f"u{n}", _LEFT, f"reason {n}") for n in range(9)]) == "u0, u1, u2, u3 and 5 others have left"


def test_a_line_about_very_many_changes_stays_short() -> None:
    events = [_event(f"n{number}", Change.RENAMED, f"m{number}") for number in range(1000)]
    line = said(events)
    assert line.startswith("n0 is now known as m0; ")
    assert line.endswith("; and 994 others came, went or changed their names")
    assert len(said([_event("n" * 500, _LEFT, "x" * 5000)])) < 700
