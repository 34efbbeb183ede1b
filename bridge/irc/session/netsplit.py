"""Netsplits: people who are gone because servers lost each other, and who come back with them."""

import re
from dataclasses import replace

from bridge.irc.wire.line import Line, Source
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping

SPLIT, JOIN = "netsplit", "netjoin"
"""Types of batches (https://ircv3.net/specs/batches/netsplit)."""
_HOST = r"[A-Za-z0-9*-]+(?:\.[A-Za-z0-9*-]+)+"
_SERVERS = re.compile(rf"{_HOST} {_HOST}")
"""The reason of a QUIT in a netsplit: the two servers, or `*.net *.split` where they are hidden. What people say
themselves begins with `Quit:` on most servers."""
_MOST = 5000
_BACK_WITHIN_S = 3600.0
_AT_ONCE_S = 3.0
"""Seconds: comings and goings so close to each other are told as one, which is nothing."""


class Netsplits:
    """Who was lost in a netsplit lately, by `nick!user@host`. Sans I/O."""

    def __init__(self) -> None:
        self._lost: LruDict[str, float] = LruDict(_MOST)

    def told(self, line: Line, batch: str, casemapping: Casemapping, now: float) -> Line:
        """A QUIT as it is told: in a netsplit, that is the reason for all, so that one line says it."""
        if batch != SPLIT and not _SERVERS.fullmatch(line.param(0)):
            self.forget(line.source, casemapping)
            return line
        self._lost[casemapping.fold(line.source.mask)] = now
        return replace(line, params=("netsplit",))

    def is_back(self, source: Source, batch: str, casemapping: Casemapping, now: float) -> bool:
        """Whether a JOIN is the end of a netsplit, which is not told."""
        lost_at = self._lost.peek(casemapping.fold(source.mask))
        if lost_at is None:
            return batch == JOIN
        return _AT_ONCE_S < now - lost_at <= _BACK_WITHIN_S

    def forget(self, source: Source, casemapping: Casemapping) -> None:
        """Somebody leaves by themselves."""
        self._lost.pop(casemapping.fold(source.mask))
