"""Netsplits: all who are gone are told in one line, and those who come back with their server are not told."""

import pytest

from bridge.model.comings import steps, told
from bridge.model.event import Change, Membership
from tests.irc.test_session import Talk

_PEOPLE = [f"p{number}" for number in range(40)]


def crowd(caps: str = "batch message-tags account-tag") -> Talk:
    talk = Talk().welcomed(caps)
    talk.hears(*(f":{nick}!u@{nick}.example JOIN #pond" for nick in _PEOPLE))
    return talk


def changes(talk: Talk, since: int) -> list[tuple[Change, str]]:
    bodies = [event.body for event in talk.events[since:]]
    return [(body.change, body.detail) for body in bodies if isinstance(body, Membership)]


@pytest.mark.parametrize("reason", ["*.net *.split", "hub.example.org leaf.example.net", "a-1.b c.d"])
def test_a_netsplit_is_one_line_however_many_are_gone(reason: str) -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(*(f":{nick}!u@{nick}.example QUIT :{reason}" for nick in _PEOPLE))
    assert changes(talk, before) == [(Change.LEFT, "netsplit")] * 40
    assert told(steps(talk.events[before:])) == "p0, p1, p2, p3 and 36 others have left (netsplit)"


def test_two_netsplits_at_once_are_one_line() -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(":p1!u@p1.example QUIT :a.b c.d", ":p2!u@p2.example QUIT :a.b e.f")
    assert told(steps(talk.events[before:])) == "p1 and p2 have left (netsplit)"


def test_a_batch_says_that_it_is_a_netsplit_whatever_the_reason() -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(":irc BATCH +x netsplit a.b c.d", "@batch=x :p1!u@p1.example QUIT :what happened", ":irc BATCH -x")
    assert changes(talk, before) == [(Change.LEFT, "netsplit")]


@pytest.mark.parametrize("reason", ["Quit: a.b c.d", "see example.org", "a.b c.d e.f", "bye", "", "a. b.c"])
def test_what_people_say_when_they_go_is_no_netsplit(reason: str) -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(f":p1!u@p1.example QUIT :{reason}")
    assert changes(talk, before) == [(Change.LEFT, reason)]
    talk.passes(10)
    talk.hears(":p1!u@p1.example JOIN #pond")
    assert changes(talk, before)[1:] == [(Change.JOINED, "")]


def test_those_who_come_back_with_their_server_are_not_told_and_others_are() -> None:
    talk = crowd()
    talk.hears(*(f":{nick}!u@{nick}.example QUIT :*.net *.split" for nick in _PEOPLE))
    talk.passes(20)
    before = len(talk.events)
    talk.hears(":P1!u@P1.example JOIN #pond", ":p2!mallory@elsewhere JOIN #pond", ":new!u@h JOIN #pond")
    assert [event.sender.address for event in talk.events[before:]] == ["p2", "new"]
    talk.hears(":P1!u@P1.example PRIVMSG #pond :back")
    assert talk.heard[-1].sender.address == "P1"


def test_a_netjoin_is_known_by_its_batch_too() -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(":irc BATCH +x netjoin a.b c.d", "@batch=x :late!u@h JOIN #pond", ":irc BATCH -x")
    assert len(talk.events) == before


def test_whoever_is_back_and_goes_again_comes_like_anybody_else() -> None:
    for left in ("PART #pond", "QUIT :bye"):
        talk = crowd()
        talk.hears(":p1!u@p1.example QUIT :*.net *.split")
        talk.passes(20)
        talk.hears(":p1!u@p1.example JOIN #pond", f":p1!u@p1.example {left}")
        before = len(talk.events)
        talk.hears(":p1!u@p1.example JOIN #pond")
        assert changes(talk, before) == [(Change.JOINED, "")]


def test_a_netsplit_that_ends_at_once_is_nothing_and_one_of_yesterday_is_forgotten() -> None:
    talk = crowd()
    before = len(talk.events)
    talk.hears(":p1!u@p1.example QUIT :*.net *.split", ":p1!u@p1.example JOIN #pond")
    assert steps(talk.events[before:]) == []
    talk.hears(":p1!u@p1.example QUIT :*.net *.split")
    talk.now += 4000
    before = len(talk.events)
    talk.hears(":p1!u@p1.example JOIN #pond")
    assert changes(talk, before) == [(Change.JOINED, "")]
