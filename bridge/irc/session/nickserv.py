"""Telling the services the password of our nick in a private message, for networks without SASL."""

import math
from collections.abc import Iterator

from bridge.irc.effects import Effect, Notable, Write, written
from bridge.irc.login_settings import NickServ as NickServSettings
from bridge.irc.wire.line import Line, compose
from bridge.model.text import one_line

_ANSWERS_WITHIN_S, _ANSWERS = 30.0, 5
"""Seconds in which an answer is one to us, and how many lines of it are logged."""
_REASON_LIMIT = 300
_FREED_AFTER_S = 3.0
"""Seconds in which the services free a nick that they were asked for."""


class NickServ:
    """Identifies us, once a connection, and gets our nick back if that is wanted. Sans I/O."""

    def __init__(self, settings: NickServSettings | None, nick: str) -> None:
        self._settings = settings
        self._nick = (settings.nick if settings is not None else None) or nick
        self._ask_at: float | None = None
        self._answers_until = -math.inf
        self._answers = 0

    def welcomed(self, nick: str, now: float) -> Iterator[Effect]:
        """We are let in as `nick`. Raises `Unwritable` if the password does not fit into a line."""
        settings = self._settings
        if settings is None:
            return
        self._answers_until, self._answers = now + _ANSWERS_WITHIN_S, 0
        ours = nick.lower() == self._nick.lower()
        # without a nick where it is ours: old services know no other form
        yield self._say("IDENTIFY", *([] if ours else [self._nick]), settings.password)
        if not ours and settings.recover != "off":
            yield self._say(settings.recover.upper(), self._nick, settings.password)
            yield Notable("nick_recovering", f"{settings.service} was asked to free {self._nick}")
            self._ask_at = now + _FREED_AFTER_S

    def answered(self, line: Line, now: float) -> Iterator[Effect]:
        """NOTICE: what the service says to that, for the log. 401: there is no such service."""
        settings = self._settings
        if settings is None or now > self._answers_until or self._answers >= _ANSWERS:
            return
        name = settings.service.partition("@")[0].lower()
        if line.command == "401" and line.param(1).lower() in (name, settings.service.lower()):
            self._answers_until = -math.inf
            yield Notable("not_identified", f"there is no {settings.service} on this network")
        elif line.command == "NOTICE" and line.source.nick.lower() == name:
            self._answers += 1
            said = one_line(line.last, _REASON_LIMIT).replace(settings.password, "[redacted]")
            yield Notable("services_answer", f"{line.source.nick}: {said}")

    def tick(self, now: float) -> Iterator[Effect]:
        """Time passed. REGAIN and some kinds of RECOVER rename us by themselves; then this changes nothing."""
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            yield from written("NICK", self._nick)

    def _say(self, *words: str) -> Write:
        assert self._settings is not None
        return Write(compose("PRIVMSG", self._settings.service, " ".join(words)))
