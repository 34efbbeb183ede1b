"""Who is a bot, by WHOIS or WHO, and that we are one (https://ircv3.net/specs/extensions/bot-mode)."""

from collections.abc import Iterable

from bridge.irc.effects import Effect, written
from bridge.irc.hearing.people import People
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Source
from bridge.lib.lru import LruDict

_MOST = 5000
"""Most bots that are remembered."""


class Automata:
    """The bots in our channels. One is known by its connection, so that nobody inherits that with a nick. Sans I/O."""

    def __init__(self, people: People, supports: Isupport) -> None:
        self._people = people
        self._supports = supports
        self._known: LruDict[str, None] = LruDict(_MOST)

    def marks_us(self, nick: str) -> Iterable[Effect]:
        """Show others that we are a bot, where the server has a mode for that."""
        mode = self._supports.bot_mode
        return written("MODE", nick, f"+{mode}") if mode else ()

    def told(self, nick: str) -> None:
        """335 (RPL_WHOISBOT), or the tag: who has the nick now is a bot."""
        self._known[self._key(self._people.source(nick))] = None

    def flagged(self, source: Source, flags: str) -> None:
        """The flags of somebody in an answer to WHO."""
        mode, key = self._supports.bot_mode, self._key(source)
        if mode and mode in flags:
            self._known[key] = None
        elif mode:
            self._known.pop(key)

    def has(self, source: Source, connection: str = "") -> bool:
        """Whether a bot has said a line of now. `connection` is the speaker's; '' if they are in no channel of ours."""
        return (connection or source.mask) in self._known

    def _key(self, source: Source) -> str:
        return self._people.connection(source) or source.mask
