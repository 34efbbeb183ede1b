"""Downloads are spread over time, so that messages are handled between their pieces."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http import media
from bridge.http.throttle import Throttle
from tests.http.house import get
from tests.http.test_media import DATA, World, path


def test_pieces_follow_each_other_evenly_and_a_pause_is_not_made_good_by_a_burst() -> None:
    pace = Throttle(1_000)
    assert [pace.spend(100, 5.0) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    assert pace.spend(100, 5.1) == pytest.approx(0.2)
    assert [pace.spend(100, 99.0) for _ in range(2)] == pytest.approx([0.0, 0.1])


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 10)), min_size=1))
def test_no_more_passes_than_the_pace_allows_whoever_asks_and_when(turns: list[tuple[int, float]]) -> None:
    pace, now, sent = Throttle(1_000), 0.0, 0
    for size, later in turns:
        now += later
        begins = now + pace.spend(size, now)
        assert sent <= 1_000 * begins * (1 + 1e-9) + 1e-3
        sent += size


@pytest.mark.real_time
async def test_all_downloads_share_one_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "_PER_S", 2 * len(DATA))
    async with World().client() as http:
        began = time.monotonic()
        found = await asyncio.gather(*(get(http, path()) for _ in range(2)))
        assert time.monotonic() - began > 0.9
        assert [(status, body) for status, _, body in found] == [(200, DATA)] * 2
