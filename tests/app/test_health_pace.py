"""How often the health is looked at."""

import pytest

from bridge.app.health import pause


@pytest.mark.parametrize(("rooms", "seconds"), [(0, 1.0), (2, 1.0), (400, 1.0), (800, 2.0), (2_000, 5.0), (9_000, 5.0)])
def test_many_rooms_are_looked_at_less_often_and_never_so_rarely_that_a_dead_one_is_told_late(
    rooms: int, seconds: float
) -> None:
    assert pause(rooms) == seconds
