"""Whether the homeserver lives, also while it has nothing to say: a cheap question when nothing was answered lately.

A homeserver may take minutes for one sync, and a frozen one accepts connections: only its answers tell.
"""

import asyncio
from contextlib import suppress

from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable

_QUIET_S = 5.0
"""Seconds without an answer after which we ask."""
_LOOK_S = 1.0
_SILENT_S = 12.0
"""Seconds without any answer after which the homeserver counts as dead."""
_ASK_WITHIN_S = 10.0
"""Seconds for the answer: then we ask again, over another connection."""


class Pulse:
    """Asks, one question at a time, while other requests get no answers."""

    def __init__(self, homeserver: Homeserver) -> None:
        self._homeserver = homeserver
        self._asking_since: float | None = None

    @property
    def is_silent(self) -> bool:
        """Whether the homeserver counts as dead: we have asked, and it answers nothing."""
        since, heard = self._asking_since, self._homeserver.answered_at
        if since is None or heard > since:
            return False
        quiet_since = max(heard, since - _QUIET_S - _LOOK_S)  # not earlier: we may have slept ourselves
        return asyncio.get_running_loop().time() - quiet_since > _SILENT_S

    async def keep(self) -> None:
        """Ask whenever nothing was answered for a while. Does not return."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(_LOOK_S)
            if clock() - self._homeserver.answered_at <= _QUIET_S:
                self._asking_since = None
                continue
            if self._asking_since is None or self._homeserver.answered_at > self._asking_since:
                self._asking_since = clock()  # not earlier: we may have slept ourselves
            with suppress(ApiError, Unreachable):
                await self._homeserver.alive(_ASK_WITHIN_S)
