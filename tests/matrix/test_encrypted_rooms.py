"""The rooms that are encrypted (bridge.matrix.rooms.encrypted)."""

from bridge.matrix.rooms.encrypted import Encrypted, Period
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import Room

_HOUR, _WEEK = 3600.0, 7 * 86400.0


def test_a_room_stays_encrypted_over_restarts_and_whatever_is_said_of_it_later() -> None:
    rooms = Encrypted()
    rooms.note("!a", {"algorithm": "m.megolm.v1.aes-sha2"})
    kept = rooms.changes()
    assert rooms.changes()
    rooms.stored(kept)
    assert not rooms.changes()
    rooms.note("!a", {})
    assert "!a" in rooms
    assert not rooms.changes()
    later = Rooms("home")
    later.encrypted.recall({**kept, "access_token": "x"})
    assert later.add("!a", Room("home", "#a:hs")).encrypted
    assert not later.add("!b", Room("home", "#b:hs")).encrypted
    assert later.add_private("!a", "@ann:hs").encrypted
    assert not later.encrypted.changes()


def test_what_is_not_stored_is_told_again() -> None:
    rooms = Encrypted()
    rooms.note("!a", {})
    assert rooms.changes() == rooms.changes() != {}
    taken = rooms.changes()
    rooms.note("!b", {})
    rooms.stored(taken)
    assert [*rooms.changes()] == ["encrypted !b"]


def test_the_period_of_a_key_is_that_of_the_room_within_reason() -> None:
    rooms = Encrypted()
    for how, period in (
        ({}, (100, _WEEK)),
        ({"rotation_period_msgs": 7, "rotation_period_ms": 7_200_000}, (7, 2 * _HOUR)),
        ({"rotation_period_msgs": 0, "rotation_period_ms": 1}, (1, _HOUR)),
        ({"rotation_period_msgs": -5, "rotation_period_ms": -5}, (1, _HOUR)),
        ({"rotation_period_msgs": 2**50}, (10_000, _WEEK)),
        ({"rotation_period_msgs": "7", "rotation_period_ms": True}, (100, _WEEK)),
    ):
        rooms.note("!a", how)
        assert rooms.period("!a") == Period(*period)
