"""Where a Matrix account resumes."""

import pytest

from bridge.matrix.hearing.position import SyncPosition


@pytest.mark.parametrize(
    ("kept", "position"),
    [
        ("s1_2 1795392000", SyncPosition("s1_2", 1_795_392_000.0)),
        ("s1_2", SyncPosition("s1_2")),
        ("s1_2 soon", SyncPosition("s1_2")),
        ("s1_2 -5", SyncPosition("s1_2")),
        ("s1_2 nan", SyncPosition("s1_2")),
    ],
)
def test_a_sync_position_is_read_as_it_was_written_by_this_and_by_earlier_versions(
    kept: str, position: SyncPosition
) -> None:
    assert SyncPosition.parse(kept) == position
    assert SyncPosition.parse(position.dump()) == position
