"""Our configured nick while somebody else has it, or services took it from us: when to look, and when to ask for it."""

import math
from collections.abc import Iterable, Iterator

from bridge.irc.effects import Effect, written
from bridge.lib.backoff import Backoff

_TAKEN = Backoff(first_s=60.0, longest_s=3600.0)
"""Seconds after services have taken our nick in which we do not ask for it: longer each time, so that we do not rename
each other for ever."""
_GAP_S = 10.0
"""Seconds between two NICKs, whatever happens: servers disconnect those who ask for nicks all the time."""
_POLL_S, _WATCHED_POLL_S = 60.0, 600.0
"""Seconds between two ISON; the longer one where MONITOR tells us at once."""
_ANSWER_WITHIN_S = 5.0
"""Seconds after an ISON without an answer after which the nick is asked for without knowing."""
_FORGIVEN_AFTER_S = 7200.0
"""Seconds with our nick after which earlier renames no longer count."""


class Regain:
    """Decides when NICK is written. Sans I/O; times are seconds of a clock that does not go back. MONITOR
    (https://ircv3.net/specs/extensions/monitor) says when the nick is free; elsewhere ISON is asked now and then."""

    def __init__(self) -> None:
        self._watching = False
        self._asked_at: float | None = None
        self._next_poll = math.inf
        self._not_before = -math.inf
        self._taken = 0
        self._regained_at = 0.0

    def seek(self, nick: str, now: float, *, monitor: bool) -> Iterator[Effect]:
        """We are without our nick from now on."""
        self._next_poll = now + _POLL_S
        if monitor and not self._watching:
            self._watching = True
            yield from written("MONITOR", "+", nick)

    def found(self, nick: str, now: float) -> Iterator[Effect]:
        """We have it."""
        self._next_poll, self._asked_at, self._regained_at = math.inf, None, now
        if self._watching:
            self._watching = False
            yield from written("MONITOR", "-", nick)

    def taken(self, now: float) -> float:
        """Services have given us another nick; returns the seconds for which we leave it at that."""
        if now - self._regained_at > _FORGIVEN_AFTER_S:
            self._taken = 0
        pause = _TAKEN.plain(self._taken)
        self._taken += 1
        self._not_before = now + pause
        return pause

    def unwatched(self) -> None:
        """734 (ERR_MONLISTFULL), or there is no MONITOR: ISON is all that we have."""
        self._watching = False

    def free(self, nick: str, now: float) -> Iterable[Effect]:
        """Nobody has our nick at the moment."""
        self._asked_at = None
        if now < self._not_before:
            self._next_poll = min(self._next_poll, self._not_before)
            return ()
        self._not_before = now + _GAP_S
        return written("NICK", nick)

    def in_use(self) -> None:
        """Somebody has it."""
        self._asked_at = None

    def tick(self, nick: str, now: float) -> Iterable[Effect]:
        if self._asked_at is not None and now - self._asked_at >= _ANSWER_WITHIN_S:
            return self.free(nick, now)
        if now < max(self._next_poll, self._not_before):
            return ()
        self._next_poll = now + (_WATCHED_POLL_S if self._watching else _POLL_S)
        self._asked_at = now
        return written("ISON", nick)
