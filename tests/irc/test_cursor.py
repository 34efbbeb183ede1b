"""The cursor of an IRC network (bridge.irc.hearing.cursor): what is kept of it is what it was, and short."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.irc.hearing.cursor import Cursor, Position

T0 = 1_795_392_000.0
WAS = Cursor({"#Pond": Position(T0, "m0", T0 + 5)})
_NAMES = [f"#{number}" for number in range(40)]


@pytest.mark.parametrize(
    "text", [None, "", "{", "[1]", '{"#pond":3}', '{"#pond":["x","y",1]}', "null", "nonsense", '{"channels":{}}']
)
def test_an_unreadable_cursor_has_no_position(text: str | None) -> None:
    assert Cursor.parse(text).of("#pond") is None


def test_a_cursor_keeps_the_run_of_the_server_that_it_comes_from() -> None:
    cursor = Cursor({})
    cursor.caught_up("#pond", T0, "run", T0 + 1)
    assert cursor == Cursor({"#pond": Position(T0, "", T0 + 1, "run")})
    cursor.heard("#pond", T0 + 2, "m1", T0 + 3)
    cursor.present(["#pond"], T0 + 4)
    assert Cursor.parse(cursor.dump()) == Cursor({"#pond": Position(T0 + 2, "m1", T0 + 4, "run")})


def test_a_cursor_is_read_as_it_was_written_by_this_and_by_earlier_versions() -> None:
    assert Cursor.parse(WAS.dump()) == WAS
    assert Cursor.parse('{"#Pond":[1795392000,"m0",1795392005]}') == WAS
    assert Cursor.parse("1795392000.500 m1").of("#any") == Position(1795392000.5, "m1", 1795392000.5)


def test_channels_that_are_not_configured_any_more_are_forgotten_in_the_memory_too() -> None:
    cursor = Cursor.parse(WAS.dump(), {"at #lake": f'[{T0},"",{T0},""]'})
    assert cursor.of("#lake") == Position(T0, "", T0)
    assert cursor.only(["#lake", "#new"]) == {"at #Pond": None}
    assert cursor.of("#Pond") is None
    assert cursor.of("#new") is None


def test_a_line_in_one_of_a_thousand_channels_is_a_short_text() -> None:
    """All of it is written with each line."""
    names = [f"#channel-{number}" for number in range(1000)]
    cursor, memory = Cursor({}), dict[str, str]()
    for name in names:
        cursor.caught_up(name, T0, "run", T0)
    cursor.present(names, T0)
    memory |= cursor.spilled()
    assert len(memory) == 1000
    cursor.heard(names[7], T0 + 9, "m1", T0 + 10)
    cursor.present(names, T0 + 10)
    assert cursor.spilled() == {}
    text = cursor.dump()
    assert len(text) < 120
    again = Cursor.parse(text, memory)
    assert again.of(names[7]) == Position(T0 + 9, "m1", T0 + 10, "run")
    assert again.of(names[8]) == Position(T0, "", T0 + 10, "run")


_STEPS = st.one_of(
    st.tuples(st.just("hear"), st.sampled_from(_NAMES)),
    st.tuples(st.just("catch up"), st.sampled_from(_NAMES)),
    st.tuples(st.just("reach"), st.sampled_from(_NAMES)),
    st.tuples(st.just("be"), st.sets(st.sampled_from(_NAMES))),
    st.tuples(st.just("leave"), st.sets(st.sampled_from(_NAMES))),
    st.tuples(st.just("restart"), st.none()),
)


@given(st.lists(_STEPS, max_size=60))
def test_what_is_kept_after_any_step_is_where_the_cursor_is(steps: list[tuple[str, object]]) -> None:
    cursor, memory = Cursor({}), dict[str, str]()
    for number, (what, where) in enumerate(steps):
        now = T0 + number
        match what, where:
            case "hear", str():
                cursor.heard(where, now - 0.5, f"m{number}", now)
            case "catch up", str():
                cursor.caught_up(where, now, f"run{number}", now)
            case "reach", str():
                cursor.reached(where, now)
            case "be", set():
                cursor.present(where, now)
            case "leave", set():
                cursor.left(where)
            case _:
                cursor = Cursor.parse(cursor.dump(), memory)
        memory |= cursor.spilled()
        assert _all(Cursor.parse(cursor.dump(), memory)) == _all(cursor)


def test_a_channel_that_we_have_left_is_heard_no_further_after_a_restart() -> None:
    """Else what is said there meanwhile would be missed without a word."""
    cursor, names = Cursor({}), _NAMES[:20]
    for name in names:
        cursor.caught_up(name, T0, "run", T0)
    cursor.present(names, T0)
    memory = dict(cursor.spilled())
    again = Cursor.parse(cursor.dump(), memory)  # killed, and not yet back in all of them
    again.present(names[:1], T0 + 99)
    memory |= again.spilled()
    third = Cursor.parse(again.dump(), memory)
    assert third.of(names[0]) == Position(T0, "", T0 + 99, "run")
    assert third.of(names[1]) == Position(T0, "", T0, "run")


def _all(cursor: Cursor) -> Mapping[str, Position | None]:
    return {name: cursor.of(name) for name in cursor.channels}
