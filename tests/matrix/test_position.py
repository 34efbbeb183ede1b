"""Where a Matrix account resumes."""

import pytest

from bridge.matrix.hearing.position import Position


@pytest.mark.parametrize(
    ("kept", "position"),
    [
        ("s1_2 1795392000", Position("s1_2", 1_795_392_000.0)),
        ("s1_2", Position("s1_2")),
        ("s1_2 soon", Position("s1_2")),
        ("s1_2 -5", Position("s1_2")),
        ("s1_2 nan", Position("s1_2")),
    ],
)
def test_a_position_is_read_as_it_was_written_and_so_is_that_of_earlier_versions(kept: str, position: Position) -> None:
    assert Position.parse(kept) == position
    assert Position.parse(position.dump()) == position
