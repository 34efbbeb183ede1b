"""The stages of being in a room (bridge.matrix.rooms.joined)."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.rooms.joined import JoinedRoom, Rooms, Stage
from bridge.model.event import Room

_POND = Room("home", "#pond:hs")
_STEPS: tuple[Callable[[JoinedRoom], None], ...] = (
    JoinedRoom.arrive,
    JoinedRoom.enter,
    JoinedRoom.recall,
    JoinedRoom.hear,
    JoinedRoom.refuse,
    lambda joined: joined.leave("removed"),
)


def _joined() -> JoinedRoom:
    return JoinedRoom("!pond", _POND)


def test_a_new_room_is_joined_then_heard() -> None:
    joined = _joined()
    assert (joined.stage, joined.inside, joined.heard) == (Stage.ARRIVING, False, False)
    joined.enter(frozenset({"$old"}))
    assert (joined.stage, joined.inside, joined.heard, joined.past) == (Stage.NEW, True, False, frozenset({"$old"}))
    joined.hear()
    assert (joined.stage, joined.inside, joined.heard, joined.past) == (Stage.HEARD, True, True, frozenset())


def test_after_a_restart_a_room_is_heard_while_it_is_joined_again() -> None:
    joined = _joined()
    joined.recall()
    joined.arrive()
    assert (joined.stage, joined.inside, joined.heard) == (Stage.RECALLED, False, True)
    joined.refuse()  # its alias may be gone; we are in it nevertheless
    assert joined.heard
    joined.enter()
    assert joined.stage is Stage.HEARD


def test_a_room_that_we_were_removed_from_is_new_when_we_are_back() -> None:
    joined = _joined()
    joined.enter()
    joined.hear()
    joined.leave("removed by @op:hs")
    assert (joined.inside, joined.heard, joined.absence) == (False, False, "removed by @op:hs")
    joined.arrive()
    joined.enter(frozenset({"$meanwhile"}))
    assert (joined.stage, joined.past) == (Stage.NEW, frozenset({"$meanwhile"}))


def test_joining_again_changes_neither_the_stage_nor_the_past_of_a_room() -> None:
    joined = _joined()
    joined.enter(frozenset({"$old"}))
    joined.arrive()
    joined.enter()
    assert (joined.stage, joined.past) == (Stage.NEW, frozenset({"$old"}))
    joined.hear()
    joined.arrive()
    joined.enter(frozenset({"$new"}))
    assert (joined.stage, joined.past) == (Stage.HEARD, frozenset())


@given(st.lists(st.sampled_from(_STEPS)), st.lists(st.sampled_from(_STEPS)))
async def test_a_room_is_settled_except_while_arriving_and_once_closed_stays_closed(
    before: list[Callable[[JoinedRoom], None]], after: list[Callable[[JoinedRoom], None]]
) -> None:
    joined = _joined()
    for step in before:
        step(joined)
        waiting = asyncio.ensure_future(joined.settled())
        await asyncio.sleep(0)
        assert waiting.done() == (joined.stage is not Stage.ARRIVING)
        waiting.cancel()
    joined.close()
    for step in after:
        step(joined)
    assert joined.closed
    await asyncio.wait_for(joined.settled(), 1)


def test_one_warning_per_trouble_until_it_is_over() -> None:
    joined = _joined()
    assert [joined.warns_of("silent"), joined.warns_of("silent"), joined.warns_of("encrypted")] == [True, False, True]
    joined.is_over("silent")
    assert joined.warns_of("silent")


def test_a_second_name_of_the_same_room_is_refused_and_names_the_first() -> None:
    rooms = Rooms("home")
    joined = rooms.add("!pond", _POND)
    with pytest.raises(ValueError, match=r"the same room as #pond:hs"):
        rooms.add("!pond", Room("home", "#lake:hs"))
    assert rooms.of(_POND) is rooms.by_id("!pond") is joined
    rooms.remove(joined)
    assert rooms.of(_POND) is None
    assert joined.closed


def test_a_private_room_that_is_configured_later_is_no_longer_private() -> None:
    rooms = Rooms("home")
    private = rooms.add_private("!pond", "@ann:hs")
    assert rooms.private_with("@ann:hs") is private
    assert rooms.conversations == 1
    assert not rooms.add("!pond", _POND).private
    assert rooms.conversations == 0
