"""Whether the server is still there: pings it when it is silent, and matches its PONGs to our PINGs."""

from collections import deque
from collections.abc import Iterable, Iterator

from bridge.irc.effects import Broken, Effect, written
from bridge.irc.wire.line import Line

_REGISTER_WITHIN = 60.0
_IDLE, _ANSWER_WITHIN = 5.0, 70.0
"""Seconds. A silent link is pinged after 5 and given up after 70 more: a busy network may lag for half a minute."""
_SILENT = 12.0
"""Seconds of silence, with our PING in them, after which the server counts as dead, though the link is kept."""
_LATE = 3.0
"""Seconds without a tick after which we have slept ourselves: then silence proves nothing."""
_KEEPALIVE = "quackbridge"


class Liveness:
    """Detects a dead link. Sans I/O; times are seconds of a clock that does not go back."""

    def __init__(self, now: float) -> None:
        self._started = self._heard_at = self._ticked = self._awake_since = now
        self._asked_at: float | None = None
        self._pings: deque[str] = deque()  # about one per post in flight

    def heard(self, now: float) -> None:
        """Reset the silence: a line came, or none could because we did not read."""
        self._heard_at, self._asked_at = now, None

    def is_silent(self, now: float) -> bool:
        """Whether the server counts as dead: it has said nothing for long, and has not answered our PING."""
        listened = now - max(self._heard_at, self._awake_since)
        return self._asked_at is not None and listened > _SILENT and now - self._ticked <= _LATE

    def tick(self, now: float, *, online: bool) -> Iterator[Effect]:
        if now - self._ticked > _LATE:
            self._awake_since = now
        self._ticked = now
        if not online:
            if now - self._started > _REGISTER_WITHIN:
                yield Broken(f"the server did not let us in within {_REGISTER_WITHIN:.0f} s")
        elif self._asked_at is not None:
            if now - self._asked_at > _ANSWER_WITHIN:
                yield Broken("the server does not answer")
        elif now - self._heard_at > _IDLE:
            self._asked_at = now
            yield from self.ping(_KEEPALIVE)

    def ping(self, token: str) -> Iterable[Effect]:
        self._pings.append(token)
        return written("PING", token)

    def pong(self, line: Line) -> Iterator[str]:
        """The tokens of the PINGs that a PONG answers. PONGs come in the order of the PINGs; one without a known token
        answers the oldest."""
        token = line.last if line.last in self._pings else (self._pings[0] if self._pings else "")
        while self._pings:
            done = self._pings.popleft()
            yield done
            if done == token:
                return
