"""Telling the services the password of our nick in a private message, for networks without SASL."""

from collections.abc import Iterator

from bridge.irc.effects import Effect, Notable, Write, written
from bridge.irc.settings import NickServ as NickServSettings
from bridge.irc.wire.line import compose

_FREED_AFTER_S = 3.0
"""Seconds in which the services free a nick that they were asked for."""


class NickServ:
    """Identifies us, once a connection, and gets our nick back if that is wanted. Sans I/O."""

    def __init__(self, settings: NickServSettings | None, nick: str) -> None:
        self._settings = settings
        self._nick = (settings.nick if settings is not None else None) or nick
        self._ask_at: float | None = None

    def welcomed(self, nick: str, now: float) -> Iterator[Effect]:
        """We are let in as `nick`. Raises `Unwritable` if the password does not fit into a line."""
        settings = self._settings
        if settings is None:
            return
        ours = nick.lower() == self._nick.lower()
        # without a nick where it is ours: old services know no other form
        yield self._say("IDENTIFY", *([] if ours else [self._nick]), settings.password)
        if not ours and settings.recover != "off":
            yield self._say(settings.recover.upper(), self._nick, settings.password)
            yield Notable("nick_recovering", f"{settings.service} was asked to free {self._nick}")
            self._ask_at = now + _FREED_AFTER_S

    def tick(self, now: float) -> Iterator[Effect]:
        """Time passed. REGAIN and some kinds of RECOVER rename us by themselves; then this changes nothing."""
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            yield from written("NICK", self._nick)

    def _say(self, *words: str) -> Write:
        assert self._settings is not None
        return Write(compose("PRIVMSG", self._settings.service, " ".join(words)))
