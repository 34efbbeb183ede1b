"""The users in a store that workers share: what one thread has not written to its end is nobody else's."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any

import pytest

from tests.shelves import Shelf, shelf

__all__ = ["shelf"]

pytestmark = pytest.mark.servers


class _Turn:
    """The lock of a text, which tells when another thread wants it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._ours = threading.get_ident()
        self.wanted = threading.Event()

    def __enter__(self) -> None:
        if threading.get_ident() != self._ours:
            self.wanted.set()
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()


def _while_a_write_fails(text: Any, do: Callable[[], Any]) -> Any:
    """What `do` returns in another thread, which begins when this one has written something that then is not sent."""
    own = text._turn
    turn = text._turn = _Turn(own)

    def done(_: Future[Any]) -> None:
        turn.wanted.set()

    with ThreadPoolExecutor(1) as pool, suppress(ZeroDivisionError), text.locked():
        text.write("never")
        text.append("never")
        seen = pool.submit(do)
        seen.add_done_callback(done)
        assert turn.wanted.wait(30)
        raise ZeroDivisionError
    text._turn = own
    return seen.result()


def test_what_is_not_written_to_its_end_is_read_by_no_other_thread(shelf: Shelf) -> None:
    text = shelf.users()
    with text.locked():
        text.write("kept")
    for read, kept in ((text.read, "kept"), (text.revision, text.revision()), (lambda: [*text.lines()], [])):
        assert _while_a_write_fails(text, read) == kept
    assert text.read() == "kept"


def test_a_line_of_another_thread_is_kept_though_a_write_fails(shelf: Shelf) -> None:
    text = shelf.users()
    _while_a_write_fails(text, lambda: text.append("somebody did something"))
    assert [*text.lines()] == ["somebody did something"]
    assert text.read() is None


def test_what_one_thread_writes_it_reads_itself_before_it_is_sent(shelf: Shelf) -> None:
    text, other = shelf.users(), shelf.users()
    with text.locked():
        text.write("first")
    before = text.revision()
    with text.locked():
        text.write("second")
        assert text.read() == "second"
        assert text.revision() != before
    assert other.read() == "second"
    assert other.revision() == text.revision() != before
