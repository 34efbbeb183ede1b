"""Reads an answer of many events piece by piece: whole, one of 20,000 events takes a hundred megabytes. No I/O."""

import codecs
import json
import re
from collections.abc import Callable

from bridge.matrix.dialect.fields import Json

_BEGIN = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*"chunk"[ \t\r\n]*:[ \t\r\n]*\[[ \t\r\n]*')
_BETWEEN = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_END = re.compile(r"[ \t\r\n]*\]")
_STEP = 64 * 1024
"""Characters to wait for before the next try to read."""
_DECODER = json.JSONDecoder()


class Chunks:
    """Gives each object of the list `chunk` to `take`, if that list comes first in the answer. `rest` is what is not
    read that way: the whole answer, if it is another one."""

    def __init__(self, take: Callable[[Json], None]) -> None:
        self._take = take
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self._size = 0
        self._begun = self._over = False
        self._wanted = _STEP

    @property
    def rest(self) -> str:
        """Call it after `finish`."""
        return "".join(self._parts)

    def feed(self, data: bytes) -> None:
        """Read the next bytes. Raises what `take` raises."""
        self._keep(self._decoder.decode(data))
        if self._size >= self._wanted:
            self._read()
            # Doubled while nothing can be read, so that the time is linear whatever the server sends
            self._wanted = max(_STEP, 2 * self._size)

    def finish(self) -> bool:
        """There are no more bytes. Returns whether the list was there and complete."""
        self._keep(self._decoder.decode(b"", final=True))
        self._read()
        return self._over

    def _read(self) -> None:
        at, text = 0, self.rest
        self._parts = [text]
        if not self._begun:
            if (begin := _BEGIN.match(text)) is None:
                return
            at, self._begun = begin.end(), True
        while not self._over:
            if (end := _END.match(text, at)) is not None:
                at, self._over = end.end(), True
                break
            between = _BETWEEN.match(text, at)
            assert between is not None  # it may be empty
            try:
                found, after = _DECODER.raw_decode(text, between.end())
            except (ValueError, RecursionError):
                break  # it may go on in the next bytes
            if after == len(text):
                break
            at = after
            if isinstance(found, dict):
                self._take(found)
        self._parts, self._size = [text[at:]], len(text) - at

    def _keep(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
