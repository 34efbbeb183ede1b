"""The index of the cache: within its bound whatever happens, and the least recently used go first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http import cache_index
from bridge.http.cache_index import CachedFile, CacheIndex, cost

BLOCK = 4096


def put(index: CacheIndex, name: str, size: int = 1, bound: int = 8 * BLOCK) -> list[str] | None:
    """Write a file; the names of those that had to go, or None if it had no place."""
    found = index.reserve(name, size, bound)
    if found is None:
        return None
    assert index.commit(found[0])
    return list(found[1])


def test_the_least_recently_used_files_go_when_the_bound_is_reached() -> None:
    index = CacheIndex()
    for name in "abcdefgh":
        assert put(index, name) == []
    place = index.acquire("a")
    assert place is not None
    index.release(place)
    assert put(index, "i", 2 * BLOCK) == ["b", "c"]
    assert index.used == 8 * BLOCK
    assert list(index.names()) == ["d", "e", "f", "g", "h", "a", "i"]
    assert index.shrink(3 * BLOCK) == ["d", "e", "f", "g", "h"]
    assert index.shrink(0) == ["a", "i"]
    assert index.used == 0


def test_a_file_over_a_quarter_of_the_bound_has_no_place_and_nothing_goes_for_it() -> None:
    index = CacheIndex()
    put(index, "a")
    assert put(index, "b", 2 * BLOCK + 1) is None
    assert put(index, "b", 2 * BLOCK) == []
    assert "a" in index.names()
    assert CacheIndex().reserve("a", 1, 0) is None


def test_what_is_being_read_or_written_stays_and_counts() -> None:
    index = CacheIndex()
    places = [index.reserve(name, 2 * BLOCK, 8 * BLOCK) for name in "abc"]
    assert index.reserve("a", 1, 8 * BLOCK) is None, "it is being written already"
    put(index, "d", 2 * BLOCK)
    read = index.acquire("d")
    assert read is not None
    assert index.reserve("e", 1, 8 * BLOCK) is None
    assert index.remove("d")
    assert index.used == 8 * BLOCK, "its space is free once it is read"
    assert index.reserve("e", 1, 8 * BLOCK) is None
    index.release(read)
    assert index.used == 6 * BLOCK
    for found in places:
        assert found is not None
        index.cancel(found[0])
    assert index.used == 0


def test_a_file_that_is_removed_while_it_is_written_is_not_settled() -> None:
    index = CacheIndex()
    found = index.reserve("a", 1, 8 * BLOCK)
    assert found is not None
    index.remove("a")
    again = index.reserve("a", 1, 8 * BLOCK)
    assert again is not None
    assert not index.commit(found[0])
    index.cancel(found[0])
    assert index.commit(again[0])
    assert index.used == BLOCK


def test_there_are_not_more_files_than_can_be_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_index, "_MOST", 3)
    index = CacheIndex()
    assert [put(index, name) for name in "abcd"] == [[], [], [], ["a"]]


_STEPS = st.tuples(st.sampled_from("abcde"), st.sampled_from("wsdrgxk"), st.integers(0, 9 * BLOCK))


@given(st.lists(_STEPS, max_size=60))
def test_the_bound_holds_and_no_byte_is_lost_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    index, bound = CacheIndex(), 16 * BLOCK
    writing: list[CachedFile] = []
    reading: list[CachedFile] = []
    for name, step, size in steps:
        match step:
            case "w":
                found = index.reserve(name, size, bound)
                writing += [] if found is None else [found[0]]
            case "r":
                read = index.acquire(name)
                reading += [] if read is None else [read]
            case "x":
                index.remove(name)
            case "k":
                index.shrink(size)
            case _:
                _end(index, step, writing, reading)
        assert 0 <= index.used <= bound
    for step, number in (("d", len(writing)), ("g", len(reading))):
        for _ in range(number):
            _end(index, step, writing, reading)
    index.shrink(0)
    assert (index.used, index.names()) == (0, [])


def _end(index: CacheIndex, step: str, writing: list[CachedFile], reading: list[CachedFile]) -> None:
    """End what was begun last: writing (`s`: it is whole, `d`: given up), or reading (`g`)."""
    if step == "g" and reading:
        index.release(reading.pop())
    elif step in "sd" and writing:
        place = writing.pop()
        if step == "d" or not index.commit(place):
            index.cancel(place)


def test_a_file_costs_whole_blocks() -> None:
    assert [cost(size) for size in (0, 1, BLOCK, BLOCK + 1)] == [BLOCK, BLOCK, BLOCK, 2 * BLOCK]
