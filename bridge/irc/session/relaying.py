"""RELAYMSG: each speaker has a nick of their own, such as `ann/matrix`, where the server lets us
(https://github.com/ircv3/ircv3-specifications/pull/417, `draft/relaymsg`)."""

import re

from bridge.irc.wire.capabilities import RELAYMSG, Capabilities
from bridge.irc.wire.line import Line
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping

_KIND = "matrix"
_SEPARATOR = "/"
_AGAIN_AFTER_S = 3600.0
"""Seconds after a refusal in which marks stand before the words instead."""
_MOST = 1000
_INVALID = "INVALID_NICK"


class Relaying:
    """Where we may relay, and which lines are ours. The server allows it to operators, or to whom it likes: after a
    refusal there, the mark is used. Sans I/O; times are seconds of a clock that does not go back."""

    def __init__(self, capabilities: Capabilities, *, on: bool) -> None:
        self._capabilities = capabilities
        self._on = on
        self._refused: LruDict[str, float] = LruDict(_MOST)
        self._invalid: LruDict[str, None] = LruDict(_MOST)
        self.casemapping = Casemapping.RFC1459

    def suffix(self, channel: str, now: float) -> str:
        """What a nick ends with that is relayed in `channel`: `/matrix`; '' if nothing is relayed there."""
        refused_at = self._refused.peek(self.casemapping.fold(channel))
        is_refused = refused_at is not None and now - refused_at < _AGAIN_AFTER_S
        return "" if not self._on or RELAYMSG not in self._capabilities.enabled or is_refused else self._suffix

    def nick(self, channel: str, speaker: str, now: float) -> str:
        """The nick of a speaker; '' if they have none there."""
        suffix = self.suffix(channel, now)
        is_invalid = self.casemapping.fold(speaker) in self._invalid
        return speaker + suffix if suffix and speaker and not is_invalid else ""

    def refused(self, line: Line, channel: str, speaker: str, now: float) -> None:
        """The server did not relay what `speaker` said."""
        if line.command == "FAIL" and line.param(1) == _INVALID:
            self._invalid[self.casemapping.fold(speaker)] = None
        else:
            self._refused[self.casemapping.fold(channel)] = now

    def promoted(self, channel: str) -> None:
        """We have another rank there now."""
        self._refused.pop(self.casemapping.fold(channel))

    def is_ours(self, line: Line, us: str) -> bool:
        """Whether we have relayed a line. The tag says who has. A history may lack it, and then the nick tells: it has
        a separator, which nobody else's may have."""
        if RELAYMSG not in self._capabilities.enabled:
            return False
        fold = self.casemapping.fold
        by = line.tags.get(RELAYMSG)
        if by:
            return fold(by) == fold(us)
        return fold(line.source.nick).endswith(fold(self._suffix))

    def answered(self, text: str) -> str:
        """What somebody says on IRC, with the name of whom they answer as Matrix knows it: `ann/matrix: yes` answers
        ann."""
        if RELAYMSG not in self._capabilities.enabled:
            return text
        return re.sub(rf"\A(\s*@?[^\s:,]+?){re.escape(self._suffix)}(?=[:,\s]|\Z)", r"\1", text, flags=re.IGNORECASE)

    @property
    def _suffix(self) -> str:
        return f"{(self._capabilities.offer(RELAYMSG) or _SEPARATOR)[0]}{_KIND}"
