"""Kicks and bans in words (bridge.model.moderating)."""

from dataclasses import replace

import pytest

from bridge.model import moderating
from bridge.model.event import Act, Event, Moderation
from bridge.model.outbox import Delivery, Owed
from bridge.model.people import GUEST
from tests.events import HOME, LIBERA, irc

_BY = irc("carol", "carol")
_WHOM = irc("alice_")


def _event(act: Act, reason: str = "spam", *, mirrored: bool = True) -> tuple[Event, Moderation]:
    body = Moderation(act, _WHOM, reason, mirrored=mirrored)
    return Event("$1", LIBERA, _BY, 1_000.0, body), body


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (Act.KICK, "carol has kicked alice_ from libera/#pond: spam"),
        (Act.BAN, "carol has banned alice_ from libera/#pond: spam"),
        (Act.UNBAN, "carol has lifted the ban of alice_ from libera/#pond: spam"),
        (Act.QUIET, "carol has muted alice_ in libera/#pond: spam"),
        (Act.UNQUIET, "carol lets alice_ speak in libera/#pond again: spam"),
    ],
)
def test_it_is_said_who_has_done_what_to_whom_where_and_why(act: Act, words: str) -> None:
    event, body = _event(act)
    assert moderating.told(event, body) == words
    assert moderating.why(event, body) == "by carol on libera/#pond: spam"


def test_a_reason_is_one_short_line_and_a_guest_is_called_one() -> None:
    event, body = _event(Act.KICK, "one\r\nKICK #pond bob\0 " + "x" * 1_000)
    said = moderating.told(replace(event, sender=replace(_BY, note=GUEST)), body)
    assert said.startswith("carol (guest) has kicked alice_")
    assert not set(said) & set("\r\n\0")
    assert len(said) < 300


def test_a_late_kick_is_told_and_a_late_ban_is_done() -> None:
    done = []
    for act, mirrored, age in (
        (Act.KICK, True, 299.0),
        (Act.KICK, True, 301.0),
        (Act.BAN, True, 9e5),
        (Act.BAN, False, 0),
    ):
        event, body = _event(act, mirrored=mirrored)
        item = Owed(Delivery.of(event.key, HOME).id, HOME, event, age=age)
        done.append(moderating.is_done(item, body))
    assert done == [True, False, True, False]
