"""What is remembered of rooms of two (bridge.matrix.ghosts.talks.rooms)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.matrix.ghosts.talks.rooms import ERRAND, KEY, Do, Errand, TalkRoom, TalkRooms

_ROOM = TalkRoom("!talk", "@alice:hs", "@irc_libera_bob:hs", last="$1", at=5)


@given(st.text(), st.text(), st.text(), st.text(), st.integers())
def test_a_room_is_read_as_it_was_kept(member: str, ghost: str, removed: str, last: str, at: int) -> None:
    room = TalkRoom("!x", member, ghost, removed, last, at)
    assert TalkRoom.parse("!x", room.dump()) == room


@given(st.sampled_from(Do), st.booleans(), st.booleans())
def test_an_errand_is_read_as_it_was_kept(do: Do, direct: bool, encrypted: bool) -> None:
    errand = Errand("!x", "@irc_a:hs", do, "@alice:hs", direct, encrypted, "bye")
    assert Errand.parse("!x", errand.dump()) == errand
    assert errand.key == f"{ERRAND}!x"


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1,2]", '["a","b"]', "null", "[" * 100_000])
def test_what_cannot_be_read_is_left_out(text: str) -> None:
    assert TalkRoom.parse("!x", text) is None
    assert Errand.parse("!x", text) is None
    rooms = TalkRooms()
    rooms.recall({KEY + "!x": text})
    assert len(rooms) == 0


def test_two_people_have_one_room_and_a_removed_ghost_hears_nothing_there() -> None:
    rooms = TalkRooms()
    rooms.recall({KEY + _ROOM.id: _ROOM.dump(), "other": "x"})
    older = rooms.by_id("!talk")
    assert older == rooms.of("@alice:hs", "@irc_libera_bob:hs") == _ROOM
    assert older is not None
    newer = TalkRoom("!new", _ROOM.member, _ROOM.ghost, removed="banned by @alice:hs")
    rooms.add(newer)
    rooms.drop(TalkRoom(older.id, older.member, older.ghost))
    assert rooms.of(_ROOM.member, _ROOM.ghost) is newer
    assert rooms.by_id("!talk") is rooms.by_id("!new") is None
    rooms.drop(newer)
    assert len(rooms) == 0


def test_after_a_doubt_the_rooms_where_people_talked_last_are_looked_at_first() -> None:
    rooms = TalkRooms()
    for number in range(5):
        rooms.add(TalkRoom(f"!{number}", f"@a{number}:hs", "@irc_b:hs", at=number, checked=True, is_sure=True))
    assert rooms.unsure(9) == []
    rooms.doubt()
    assert [room.id for room in rooms.unsure(2)] == ["!4", "!3"]
    assert not any(room.checked for room in rooms.unsure(9))
