"""WHO: asking which accounts the people in a channel have (WHOX, https://ircv3.net/specs/extensions/whox)."""

from collections import deque
from collections.abc import Iterable

from bridge.irc.effects import Effect, written

WHOX_MARK = "271"
"""The token that marks the answers to our own questions (WHOX)."""


class WhoQueue:
    """The channels that we ask about with WHO, one at a time, so that many do not look like a flood."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()  # at most one per channel
        self._asking = ""

    def ask(self, channel: str) -> Iterable[Effect]:
        """Ask about `channel`, unless the answer is on its way."""
        if channel.lower() == self._asking.lower():
            return ()
        if channel not in self._waiting:
            self._waiting.append(channel)
        return () if self._asking else self.answered()

    def answered(self) -> Iterable[Effect]:
        """Ask the next question: the last one is answered, or there was none."""
        self._asking = self._waiting.popleft() if self._waiting else ""
        return written("WHO", self._asking, f"%tcuhnfar,{WHOX_MARK}") if self._asking else ()
