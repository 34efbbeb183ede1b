"""Writes log lines from a thread of its own: a full disk, or a pipe that nobody reads, neither blocks nor ends the
daemon."""

import os
import queue
import threading
import time
from collections.abc import Callable, Hashable
from typing import TextIO

from bridge.lib.lru import LruDict

_MOST = 2000
"""Lines that wait to be written; what comes then is lost and counted."""
_SAME, _WINDOW_S, _KINDS = 30, 60.0, 500
"""Lines of one kind in so many seconds, before the rest is only counted; and kinds that are remembered."""


class Output:
    """A text stream that takes lines at once. Lines that could not be written are counted, and told of before the next
    one that can."""

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = stream.fileno()
        self._lines: queue.SimpleQueue[str | threading.Event] = queue.SimpleQueue()
        self._lost = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str) -> int:
        if self._lines.qsize() < _MOST:
            self._lines.put(text)
        else:
            self._lost += 1
        return len(text)

    def flush(self) -> None:
        """The thread flushes."""

    def drain(self, within_s: float) -> None:
        """Wait until everything is written, for so long at most."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(within_s)

    def _run(self) -> None:
        while True:
            text = self._lines.get()
            if isinstance(text, threading.Event):
                text.set()
                continue
            lost = self._lost
            try:
                self._put(
                    f'{{"event": "log_lines_lost", "lines": {lost}, "level": "warning"}}\n{text}' if lost else text
                )
                self._lost -= lost
            except OSError:
                self._lost += 1

    def _put(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]


class Repeats:
    """Folds log lines of one kind: after some, the others are only counted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kinds: LruDict[Hashable, tuple[float, int]] = LruDict(_KINDS)

    def fold(self, kind: Hashable) -> int | None:
        """Whether a line of that kind is left out: None. If not, how many were left out before it."""
        now = self._clock()
        begun, count = self._kinds.get(kind) or (now, 0)
        if now - begun >= _WINDOW_S:
            left_out = max(0, count - _SAME)
            self._kinds[kind] = (now, 1)
            return left_out
        self._kinds[kind] = (begun, count + 1)
        return 0 if count < _SAME else None
