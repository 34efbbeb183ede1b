"""Services say that the nick of a puppet is registered to somebody: whether they are services is asked of the server.

Where a network has no services, or calls them otherwise, anybody may have a nick that sounds like theirs. Sans I/O."""

import re
from collections.abc import Callable, Iterator

from bridge.irc.effects import Write, written
from bridge.irc.wire.line import Line

NUMERICS = frozenset({"312", "313", "318"})
"""Of an answer to WHOIS: the server where somebody is, that they run the network or are services, and its end."""
_SERVICES = re.compile(r"nickserv|services?|authserv", re.IGNORECASE)
_REGISTERED = re.compile(r"\bnick\w*\b.{0,80}\bis\b(?:(?!\bnot\b).){0,20}\b(?:registered|owned|protected)", re.I)
_OF_SERVICES = re.compile(r"services?\.", re.IGNORECASE)
"""How the names of the servers begin where services are."""
_MOST_ASKED = 10
"""Most questions of one connection: a stranger could make a puppet ask until the server throws it out."""


class Claims:
    """Those that one puppet's connection hears; `fold` folds nicks."""

    def __init__(self, fold: Callable[[str], str]) -> None:
        self._fold = fold
        self._asked_about = ""
        self._asked = 0
        self._is_proven = False

    def asked(self, nick: str) -> Iterator[Write]:
        """`nick` makes a claim: ask the server who that is. See `is_proven`."""
        if not self._asked_about and self._asked < _MOST_ASKED:
            self._asked += 1
            self._asked_about, self._is_proven = self._fold(nick), False
            yield from written("WHOIS", nick)

    def is_proven(self, line: Line) -> bool:
        """`line` is one of `NUMERICS`: whether the answer ends with it, and services have made the claim."""
        if not self._asked_about or self._fold(line.param(1)) != self._asked_about:
            return False
        if line.command == "318":
            self._asked_about = ""
            return self._is_proven
        self._is_proven |= line.command == "313" or _OF_SERVICES.match(line.param(2)) is not None
        return False


def sounds_like_services(nick: str) -> bool:
    """Whether services of some network are called so."""
    return _SERVICES.fullmatch(nick) is not None


def is_claim(line: Line) -> bool:
    """Whether a line says that the nick of who gets it is registered."""
    return line.command == "NOTICE" and _REGISTERED.search(line.param(1)) is not None
