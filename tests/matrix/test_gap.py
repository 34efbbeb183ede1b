"""Gaps in a sync are fetched page by page, and again on errors (bridge.matrix.hearing.gap, .http.patience)."""

import random
from collections.abc import Mapping

import pytest

from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.hearing.gap import Missed
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room


class History(Homeserver):
    """A room with `count` events in pages of `size`; tokens count events from the newest. `troubles` come first."""

    def __init__(self, count: int, size: int = 10) -> None:
        super().__init__("http://localhost", "@duck:hs")
        self.asked: list[Mapping[str, str]] = []
        self.troubles: list[Exception] = []
        self.pauses: list[float] = []
        self._count = count
        self._size = size

    async def get(self, *path: str, query: Mapping[str, str] | None = None, within: float = 0) -> Json:
        assert path == ("rooms", "!r", "messages")
        assert query is not None
        if self.troubles:
            raise self.troubles.pop()
        self.asked.append(query)
        start = int(query["from"])
        chunk = [{"event_id": f"${self._count - number}"} for number in range(self._count)[start : start + self._size]]
        return {"chunk": chunk, **({"end": str(start + len(chunk))} if chunk else {})}

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def filled(history: History, since: str | None = "s1", past: frozenset[str] = frozenset()) -> list[list[str]]:
    joined = JoinedRoom("!r", Room("home", "#r:hs"))
    joined.enter(past)
    missed = Missed(history, Patience("home", random.Random(1), history.sleep), "@duck:hs", joined, since, "0")
    return [[word(event, "event_id") for event in page] async for page in missed.pages()]


@pytest.mark.parametrize("count", [0, 1, 10, 11, 95, 100, 101, 250, 1000])
async def test_a_gap_of_any_size_is_fetched_oldest_first_and_each_event_once(count: int) -> None:
    pages = await filled(History(count))
    assert [event for page in pages for event in page] == [f"${number}" for number in range(1, count + 1)]
    assert max((len(page) for page in pages), default=0) <= 10


async def test_a_gap_is_asked_for_from_our_last_position_and_without_our_own_events() -> None:
    history = History(5)
    await filled(history)
    assert {query["to"] for query in history.asked} == {"s1"}
    assert all('"not_senders": ["@duck:hs"]' in query["filter"] for query in history.asked)


async def test_a_small_gap_is_fetched_once_and_only_a_huge_one_twice() -> None:
    small, huge = History(90), History(300)
    await filled(small)
    assert len(small.asked) == 10  # the last is empty
    await filled(huge)
    assert len(huge.asked) == 31 + 21


async def test_a_room_that_we_have_just_joined_is_read_back_to_the_page_with_a_past_event() -> None:
    history = History(100)
    pages = await filled(history, None, frozenset({"$75"}))
    assert pages[0][0] == "$71"
    assert len(history.asked) == 3
    assert all("to" not in query for query in history.asked)


async def test_a_page_is_asked_for_again_until_it_comes() -> None:
    history = History(1)
    busy = ApiError(429, "M_LIMIT_EXCEEDED", "", 7.5)
    history.troubles = [*(Unreachable("gone") for _ in range(8)), busy]
    assert await filled(history) == [[], ["$1"]]
    pauses = history.pauses
    assert pauses[0] == 7.5
    assert all(0.5 <= pause <= 10 for pause in pauses[1:])
    assert pauses[-1] > 4


async def test_a_gap_that_the_homeserver_forbids_us_to_read_is_an_error() -> None:
    history = History(1)
    history.troubles = [ApiError(403, "M_FORBIDDEN", "no")]
    with pytest.raises(ApiError, match="M_FORBIDDEN"):
        await filled(history)
