"""Whether members are away, as their own network says, and their puppets show it (RFC 2812 section 4.1). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.irc.effects import Write, written

REASON = "not on Matrix right now"
_SPOKE_S = 120.0
"""Seconds after their words in which nobody is away, whatever their homeserver says."""


@dataclass(slots=True)
class Absence:
    """What is known of one member. `seen`: they were there once since we look: a homeserver that tells of nobody says
    that all are away. `shown`: the puppet's connection says that they are away."""

    seen: bool = False
    shown: bool = False

    def connected(self) -> None:
        """A new connection says nothing of it."""
        self.shown = False

    def looked(self, *, away: bool | None, silent_s: float) -> Sequence[Write]:
        """The lines that show how it is now. `away`: what their network says, None if it does not; `silent_s`: seconds
        since their last words."""
        if away is None:
            return ()
        self.seen = self.seen or not away
        is_away = self.seen and away and silent_s > _SPOKE_S
        if is_away is self.shown:
            return ()
        self.shown = is_away
        return written("AWAY", REASON) if is_away else written("AWAY")

    def spoke(self) -> Sequence[Write]:
        """They say something: the line that shows that they are there."""
        shown, self.shown = self.shown, False
        return written("AWAY") if shown else ()
