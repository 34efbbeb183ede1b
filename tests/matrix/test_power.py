"""Who may do what in a room (bridge.matrix.rooms.power)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.dialect.fields import Json
from bridge.matrix.rooms.power import INFINITE, Power

_ANN, _BOB, _CAROL = "@ann:hs", "@bob:hs", "@carol:hs"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


def _create(version: str | None, sender: str = _ANN, **content: object) -> Json:
    named = {} if version is None else {"room_version": version}
    return {"type": "m.room.create", "sender": sender, "content": named | content}


def _power(levels: Json | None, version: str = "10") -> Power:
    return Power.of_room(_create(version, creator=_ANN), levels)


def test_without_power_levels_only_the_creator_has_power_and_everybody_may_send_state() -> None:
    power = _power(None)
    assert (power.of(_ANN), power.of(_BOB)) == (100, 0)
    assert (power.may_redact(_ANN), power.may_redact(_BOB)) == (True, False)
    assert power.may_send_state(_BOB, "m.room.tombstone")
    assert power.may_send(_BOB, "m.room.message")
    assert (power.may_notify_room(_ANN), power.may_notify_room(_BOB)) == (True, False)


def test_levels_that_are_not_named_have_the_defaults_of_the_specification() -> None:
    power = _power({"users": {_BOB: 50, _CAROL: 49}})
    assert power.of(_ANN) == 0  # the creator of an old room is powerful only by being listed
    for may in (power.may_redact, power.may_notify_room):
        assert (may(_BOB), may(_CAROL)) == (True, False)
    assert (power.may_send_state(_BOB, "m.room.name"), power.may_send_state(_CAROL, "m.room.name")) == (True, False)
    assert power.may_send(_ANN, "m.room.message")


def test_levels_that_are_named_count() -> None:
    levels = {
        "users": {_BOB: 60},
        "users_default": 10,
        "redact": 61,
        "state_default": 10,
        "events_default": 11,
        "events": {"m.room.tombstone": 61, "m.room.topic": 60, "m.reaction": 0},
        "notifications": {"room": 10},
    }
    power = _power(levels)
    assert (power.of(_BOB), power.of(_CAROL)) == (60, 10)
    assert not power.may_redact(_BOB)
    assert not power.may_send_state(_BOB, "m.room.tombstone")
    assert power.may_send_state(_BOB, "m.room.topic")
    assert power.may_send_state(_CAROL, "m.room.name")
    assert not power.may_send(_CAROL, "m.room.message")
    assert power.may_send(_CAROL, "m.reaction")
    assert power.may_notify_room(_CAROL)
    assert power.with_levels({"redact": 0}).may_redact(_CAROL)


@pytest.mark.parametrize("version", ["12", "13", "org.matrix.hydra.11"])
def test_creators_have_infinite_power_since_room_version_12_also_those_who_were_added(version: str) -> None:
    create = _create(version, additional_creators=[_BOB, 7, None], creator=_CAROL)
    power = Power.of_room(
        create, {"users": {_ANN: 0, _CAROL: 100}, "redact": 2**53, "events": {"m.room.tombstone": 150}}
    )
    assert power.of(_ANN) == power.of(_BOB) == INFINITE
    assert power.may_redact(_BOB)
    assert power.may_send_state(_ANN, "m.room.tombstone")
    assert power.of(_CAROL) == 100  # `creator` says nothing any more
    assert not power.may_send_state(_CAROL, "m.room.tombstone")


@pytest.mark.parametrize("version", ["1", "9", "10", "11", "org.example.own", "12345678901234567890", "١٢"])
def test_before_version_12_and_in_unknown_versions_no_power_is_infinite(version: str) -> None:
    power = Power.of_room(_create(version, additional_creators=[_BOB]), {})
    assert power.of(_ANN) == power.of(_BOB) == 0


def test_the_creator_is_named_until_version_10_and_the_sender_since_version_11() -> None:
    assert Power.of_room(_create(None, creator=_BOB), None).of(_BOB) == 100
    assert Power.of_room(_create("10", creator=_BOB), None).of(_ANN) == 0
    assert Power.of_room(_create("11", creator=_BOB), None).of(_BOB) == 0
    assert Power.of_room(_create("11", creator=_BOB), None).of(_ANN) == 100


@pytest.mark.parametrize(
    ("value", "level"),
    [("100", 100), (" +50 ", 50), ("-1", -1), ("007", 7), (50.0, 50), (50.9, 50), (-0.5, 0), (10**30, 2**53)],
)
def test_old_rooms_may_have_levels_in_strings_and_fractions(value: object, level: int) -> None:
    assert _power({"users": {_BOB: value}}, "9").of(_BOB) == level
    if not isinstance(value, int):
        assert _power({"users": {_BOB: value}}, "10").of(_BOB) == 0


@pytest.mark.parametrize(
    "value", [True, False, None, [], {}, "", "x", "1_000", "١", "1" * 99, "1e3", math.nan, math.inf, "0x10", "5 0"]
)
def test_a_malformed_level_counts_as_absent(value: object) -> None:
    for version in ("1", "9", "10", "12"):
        power = _power({"users": {_BOB: value, _CAROL: 50}, "users_default": 3, "redact": value}, version)
        assert power.of(_BOB) == 3
        assert power.may_redact(_CAROL)
        assert not _power({"users": {_CAROL: 49}, "redact": value}, version).may_redact(_CAROL)
        assert not _power({"notifications": value, "events": value, "users": value}, version).may_notify_room(_CAROL)


@given(
    st.dictionaries(st.sampled_from(["users", "users_default", "redact", "events", "notifications"]), JSON), JSON, JSON
)
def test_nothing_that_anybody_writes_raises(levels: Json, version: object, creators: object) -> None:
    create: Json = {"sender": _ANN, "content": {"room_version": version, "additional_creators": creators}}
    for power in (Power.of_room(create, levels), Power.of_room({}, levels).with_levels(levels)):
        for may in (power.may_redact, power.may_notify_room):
            assert may(_BOB) in (True, False)
        assert power.may_send_state(_BOB, "m.room.tombstone") in (True, False)
        assert not math.isnan(power.of(_BOB))
