"""The page about the lines of the log has all of them."""

import pytest

from tests.reference._meanings import ALARMS, COMPOSED, MEANINGS
from tests.reference.log_events import Line, found, in_source, without_a_constant


def test_each_event_has_a_meaning_and_each_meaning_an_event() -> None:
    events = {line.event for line in found() if line.event} | set(COMPOSED)
    assert events - set(MEANINGS) == set(), "write what it means into tests/reference/_meanings.py"
    assert set(MEANINGS) - events == set(), "the program does not write it any more"
    assert events >= ALARMS


def test_events_whose_names_are_put_together_are_listed_by_hand() -> None:
    """`Notable` of IRC commands, and the line of the shell that writes each `Notable`."""
    assert without_a_constant() == {"bridge/irc/connection.py": 1, "bridge/irc/session/commands.py": 2}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('log.info("sent", room="x")', [("sent", "info")]),
        ('log.exception(\n    "failed",\n    hint="x",\n)', [("failed", "error")]),
        ('say = log.error if bad else log.warning\nsay("offline")', [("offline", "error"), ("offline", "warning")]),
        ('log.warning("on" if x else "off")', [("on", "warning"), ("off", "warning")]),
        ('return (Notable("bouncer", said),)', [("bouncer", "info")]),
        ("log.info(name)", [("", "info")]),
        ('say("hello")\nmath.log("x")\nfile.write("x")', []),
    ],
)
def test_events_are_found_however_they_are_written(source: str, expected: list[tuple[str, str]]) -> None:
    assert [*in_source(source, "a.py")] == [Line(event, level, "a.py") for event, level in expected]
