"""Who has joined, left and been renamed, in words (bridge.model.comings)."""

import pytest

from bridge.model.comings import comings
from bridge.model.event import Change, Event, Membership, Message, Room
from bridge.model.people import Sender
from bridge.model.text import words

_ROOM = Room("home", "#pond:hs")
_OP = Sender("home", "@op:hs", "op")


def _event(name: str, change: Change, detail: str = "", by: Sender | None = None) -> Event:
    who = Sender("home", f"@{name}:hs", name)
    return Event(f"${name}", _ROOM, by or who, 0.0, Membership(who, change, detail))


def _all(change: Change, names: str) -> list[Event]:
    return [_event(name, change) for name in names.split()]


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (_all(Change.JOINED, "alice"), "alice has joined"),
        (_all(Change.JOINED, "alice bob"), "alice and bob have joined"),
        (_all(Change.JOINED, "alice bob carol"), "alice, bob and carol have joined"),
        (_all(Change.LEFT, "alice bob c d e"), "alice, bob and 3 others have left"),
        (_all(Change.JOINED, "alice alice"), "alice has joined"),
        ([_event("alice", Change.LEFT, "good\nnight")], "alice has left (good night)"),
        ([_event("alice", Change.KICKED, "rude", _OP)], "alice was removed by op (rude)"),
        ([_event("alice", Change.BANNED, by=_OP)], "alice was banned by op"),
        ([_event("alice", Change.RENAMED, "al <x>")], "alice is now called al ‹x›"),
        ([*_all(Change.JOINED, "a b"), *_all(Change.LEFT, "c")], "a and b have joined; c has left"),
        ([], ""),
        ([Event("$1", _ROOM, _OP, 0.0, Message(words("x")))], ""),
    ],
)
def test_a_crowd_is_one_sentence(events: list[Event], told: str) -> None:
    assert comings(events) == told


def test_a_line_about_very_many_changes_stays_short() -> None:
    events = [_event(f"n{number}", (Change.JOINED, Change.LEFT)[number % 2]) for number in range(1000)]
    told = comings(events)
    assert len(told) < 500
    assert told.endswith("; and 991 more changes")
