"""The posts that were on their way when a connection ended: whether they arrived is unknown, and one of them may be why
it ended (a word filter that kills us, a line that breaks the server)."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bridge.lib.lru import LruDict

_MOST = 1000
"""More posts than can be on their way at once."""
_EXPELLED, _CUT_OFF = 2, 3
"""A post is guilty if the server threw us out that often while it was on its way, or closed the connection that often
without a word (InspIRCd's filter does). Each time but the first, it has answered a PING just before."""
_FORGOTTEN_AFTER_S = 3600.0


@dataclass(slots=True)
class _Doubt:
    unknown: bool = True
    expelled: int = 0
    cut_off: int = 0
    reason: str = ""
    at: float = 0.0


class Doubts:
    """While there is a doubtful post, posts go one at a time (`turn`): so it shows which of them ends the connection.

    `clock`: seconds, not going back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._doubts: LruDict[str, _Doubt] = LruDict(_MOST)
        self._lock = asyncio.Lock()

    @property
    def any(self) -> bool:
        """Whether posts are to go one at a time."""
        while (oldest := next(iter(self._doubts), None)) is not None:
            doubt = self._doubts.peek(oldest)
            if doubt is None or self._clock() - doubt.at < _FORGOTTEN_AFTER_S:
                return True
            self._doubts.pop(oldest)  # it was dropped by hand, or its room is gone
        return False

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[bool, None]:
        """The turn of one post. True if no other may be on its way meanwhile: then stay until its fate is known."""
        alone = self.any
        if alone:
            await self._lock.acquire()
        try:
            yield alone
        finally:
            if alone:
                self._lock.release()

    def lost(self, post: str, reason: str, *, cut_off: bool, expelled: bool) -> None:
        """`post` was on its way when the connection ended. `cut_off`: the server ended it; `expelled`: and said that it
        throws us out."""
        doubt = self._doubts.get(post) or _Doubt()
        doubt.unknown, doubt.reason, doubt.at = True, reason, self._clock()
        doubt.expelled += expelled
        doubt.cut_off += cut_off
        self._doubts[post] = doubt

    def is_unknown(self, post: str) -> bool:
        """Whether `post` may have arrived."""
        doubt = self._doubts.get(post)
        return doubt is not None and doubt.unknown

    def told(self, post: str) -> None:
        """The caller knows that `post` is in doubt: if it comes again, it is to be sent again."""
        if (doubt := self._doubts.get(post)) is not None:
            doubt.unknown = False

    def guilt(self, post: str) -> str:
        """Why `post` may not be sent any more; '' if it may."""
        doubt = self._doubts.get(post)
        if doubt is None:
            return ""
        if doubt.expelled >= _EXPELLED:
            return f"the server threw us out {doubt.expelled} times when we sent it ({doubt.reason})"
        if doubt.cut_off >= _CUT_OFF:
            return f"the server cut us off {doubt.cut_off} times when we sent it ({doubt.reason})"
        return ""

    def is_suspect(self, post: str) -> bool:
        """Whether `post` may be why a connection ended."""
        doubt = self._doubts.get(post)
        return doubt is not None and doubt.cut_off > 0

    def settled(self, post: str) -> None:
        """The fate of `post` is known."""
        self._doubts.pop(post)
