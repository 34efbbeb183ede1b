"""The books of the cache: within its bound whatever happens, and the least recently used go first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http import shelf
from bridge.http.shelf import Place, Shelf, cost

BLOCK = 4096


def put(books: Shelf, name: str, size: int = 1, bound: int = 8 * BLOCK) -> list[str] | None:
    """Write a file; the names of those that had to go, or None if it had no place."""
    found = books.reserve(name, size, bound)
    if found is None:
        return None
    assert books.settle(found[0])
    return list(found[1])


def test_the_least_recently_used_files_go_when_the_bound_is_reached() -> None:
    books = Shelf()
    for name in "abcdefgh":
        assert put(books, name) == []
    place = books.borrow("a")
    assert place is not None
    books.give_back(place)
    assert put(books, "i", 2 * BLOCK) == ["b", "c"]
    assert books.used == 8 * BLOCK
    assert list(books.names()) == ["d", "e", "f", "g", "h", "a", "i"]
    assert books.shrink(3 * BLOCK) == ["d", "e", "f", "g", "h"]
    assert books.shrink(0) == ["a", "i"]
    assert books.used == 0


def test_a_file_over_a_quarter_of_the_bound_has_no_place_and_nothing_goes_for_it() -> None:
    books = Shelf()
    put(books, "a")
    assert put(books, "b", 2 * BLOCK + 1) is None
    assert put(books, "b", 2 * BLOCK) == []
    assert "a" in books
    assert Shelf().reserve("a", 1, 0) is None


def test_what_is_being_read_or_written_stays_and_counts() -> None:
    books = Shelf()
    places = [books.reserve(name, 2 * BLOCK, 8 * BLOCK) for name in "abc"]
    assert books.reserve("a", 1, 8 * BLOCK) is None, "it is being written already"
    put(books, "d", 2 * BLOCK)
    read = books.borrow("d")
    assert read is not None
    assert books.reserve("e", 1, 8 * BLOCK) is None
    assert books.remove("d")
    assert books.used == 8 * BLOCK, "its space is free once it is read"
    assert books.reserve("e", 1, 8 * BLOCK) is None
    books.give_back(read)
    assert books.used == 6 * BLOCK
    for found in places:
        assert found is not None
        books.release(found[0])
    assert books.used == 0


def test_a_file_that_is_removed_while_it_is_written_is_not_settled() -> None:
    books = Shelf()
    found = books.reserve("a", 1, 8 * BLOCK)
    assert found is not None
    books.remove("a")
    again = books.reserve("a", 1, 8 * BLOCK)
    assert again is not None
    assert not books.settle(found[0])
    books.release(found[0])
    assert books.settle(again[0])
    assert books.used == BLOCK


def test_there_are_not_more_files_than_can_be_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_MOST", 3)
    books = Shelf()
    assert [put(books, name) for name in "abcd"] == [[], [], [], ["a"]]


_STEPS = st.tuples(st.sampled_from("abcde"), st.sampled_from("wsdrgxk"), st.integers(0, 9 * BLOCK))


@given(st.lists(_STEPS, max_size=60))
def test_the_bound_holds_and_no_byte_is_lost_whatever_happens(steps: list[tuple[str, str, int]]) -> None:
    books, bound = Shelf(), 16 * BLOCK
    writing: list[Place] = []
    reading: list[Place] = []
    for name, step, size in steps:
        match step:
            case "w":
                found = books.reserve(name, size, bound)
                writing += [] if found is None else [found[0]]
            case "r":
                read = books.borrow(name)
                reading += [] if read is None else [read]
            case "x":
                books.remove(name)
            case "k":
                books.shrink(size)
            case _:
                _end(books, step, writing, reading)
        assert 0 <= books.used <= bound
    for step, number in (("d", len(writing)), ("g", len(reading))):
        for _ in range(number):
            _end(books, step, writing, reading)
    books.shrink(0)
    assert (books.used, len(books)) == (0, 0)


def _end(books: Shelf, step: str, writing: list[Place], reading: list[Place]) -> None:
    """End what was begun last: writing (`s`: it is whole, `d`: given up), or reading (`g`)."""
    if step == "g" and reading:
        books.give_back(reading.pop())
    elif step in "sd" and writing:
        place = writing.pop()
        if step == "d" or not books.settle(place):
            books.release(place)


def test_a_file_costs_whole_blocks() -> None:
    assert [cost(size) for size in (0, 1, BLOCK, BLOCK + 1)] == [BLOCK, BLOCK, BLOCK, 2 * BLOCK]
