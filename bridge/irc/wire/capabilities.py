"""IRCv3 capability negotiation: what the server offers, what we ask for, what is on."""

from collections.abc import Iterable, Iterator

from bridge.irc.wire import multiline
from bridge.irc.wire.line import Line

REDACTION = "draft/message-redaction"
RELAYMSG = "draft/relaymsg"
WANTED = (
    "message-tags",
    "server-time",
    "account-tag",
    "account-notify",
    "extended-join",
    "chghost",
    "setname",
    "echo-message",
    "batch",
    "labeled-response",
    "multi-prefix",
    "draft/chathistory",
    REDACTION,
    multiline.CAPABILITY,
    RELAYMSG,
)
SASL = "sasl"
_BOUNCERS = ("znc.in/", "soju.im/")
_AT_ONCE = 300
"""Bytes of names in one REQ: leaves room in the server's answer, which repeats them after a longer prefix."""
_MOST_OFFERED = 500
"""Most names that are remembered; a server offers some thirty."""


class Capabilities:
    """Negotiates capabilities. Sans I/O (https://ircv3.net/specs/extensions/capability-negotiation, version 302)."""

    def __init__(self, *, sasl: bool) -> None:
        self._wanted = frozenset(WANTED) | ({SASL} if sasl else frozenset())
        self._offered: dict[str, str] = {}
        self._asked: list[list[str]] = []
        self._listed = False
        self.enabled: set[str] = set()

    @property
    def settled(self) -> bool:
        """Whether the list is complete and everything that we asked for was answered."""
        return self._listed and not self._asked

    def offer(self, name: str) -> str | None:
        """The value with which the server offers `name`; None if it does not offer it."""
        return self._offered.get(name)

    @property
    def of_bouncer(self) -> bool:
        """Whether the server is a bouncer: then other clients may share our connection."""
        return any(name.startswith(_BOUNCERS) for name in self._offered)

    def heard(self, line: Line) -> Iterator[str]:
        """Take in one CAP line; yields the lists to REQ."""
        match line.param(1).upper():
            case "LS":
                self._offer(line.last.split())
                if line.param(2) != "*":
                    self._listed = True
                    yield from self._ask(self._offered)
            case "NEW":
                names = self._offer(line.last.split())
                yield from self._ask(names)
            case "ACK":
                self._acknowledged(line.last.split())
            case "NAK":
                yield from self._refused(line.last.split())
            case "DEL":
                for name in line.last.split():
                    self._offered.pop(name, None)
                    self.enabled.discard(name)

    def _offer(self, words: Iterable[str]) -> list[str]:
        names = []
        for word in words:
            name, _, value = word.partition("=")
            if len(self._offered) < _MOST_OFFERED:
                self._offered[name] = value
                names.append(name)
        return names

    def _ask(self, names: Iterable[str]) -> Iterator[str]:
        group: list[str] = []
        asked = {name for each in self._asked for name in each}
        for name in sorted(self._wanted.intersection(names) - self.enabled - asked):
            if sum(map(len, group)) + len(group) + len(name) > _AT_ONCE:
                yield self._request(group)
                group = []
            group.append(name)
        if group:
            yield self._request(group)

    def _request(self, group: list[str]) -> str:
        self._asked.append(group)
        return " ".join(group)

    def _acknowledged(self, names: Iterable[str]) -> None:
        for name in names:
            if name.startswith("-"):
                self.enabled.discard(name[1:])
            elif name in self._wanted:
                self.enabled.add(name)
        self._asked = [left for group in self._asked if (left := [name for name in group if name not in self.enabled])]

    def _refused(self, names: list[str]) -> Iterator[str]:
        """All of a REQ is refused for one name in it: ask for each alone, and give up what is refused alone. Servers
        answer in order, and not all repeat the names word for word."""
        if not self._asked:
            return
        refused = {name.lower() for name in names}
        group = next((group for group in self._asked if refused.intersection(group)), self._asked[0])
        self._asked.remove(group)
        if len(group) > 1:
            for name in group:
                yield self._request([name])
