"""IRCv3 capability negotiation: what the server offers, what we ask for, what is on."""

from collections.abc import Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import TypeAlias

from bridge.irc.wire import multiline
from bridge.irc.wire.line import Line

REDACTION = "draft/message-redaction"
RELAYMSG = "draft/relaymsg"
WANTED = (
    "message-tags",
    "server-time",
    "account-tag",
    "account-notify",
    "away-notify",
    "extended-join",
    "chghost",
    "setname",
    "echo-message",
    "batch",
    "labeled-response",
    "multi-prefix",
    "userhost-in-names",
    "draft/chathistory",
    "draft/event-playback",
    "znc.in/playback",
    REDACTION,
    multiline.CAPABILITY,
    RELAYMSG,
)
SASL = "sasl"
_BOUNCERS = ("znc.in/", "soju.im/")
_ELDER: Mapping[str, str] = MappingProxyType({"znc.in/server-time-iso": "server-time", "znc.in/batch": "batch"})
"""What bouncers called a capability before it had the name of now; asked for where the new name is not offered."""
_AT_ONCE = 300
"""Bytes of names in one REQ: leaves room in the server's answer, which repeats them after a longer prefix."""
_MOST_OFFERED = 500
"""Most names that are remembered; a server offers some thirty."""
_ANSWER_WITHIN_S = 10.0
_MODIFIERS = "-~="

Answer: TypeAlias = tuple[str, str]
"""A subcommand of CAP and the names that go with it."""


class Capabilities:
    """Negotiates capabilities. Sans I/O (https://ircv3.net/specs/extensions/capability-negotiation, version 302)."""

    def __init__(self, *, sasl: bool, more: Set[str] = frozenset()) -> None:
        self._wanted = frozenset(WANTED) | ({SASL} if sasl else frozenset()) | more
        self._offered: dict[str, str] = {}
        self._asked: list[list[str]] = []
        self._asked_at: float | None = None
        self._on: set[str] = set()
        self._listed = False
        self.enabled: set[str] = set()

    @property
    def listed(self) -> bool:
        """Whether the server has told all that it offers."""
        return self._listed

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

    def heard(self, line: Line) -> Iterator[Answer]:
        """Take in one CAP line; yields what to answer."""
        words = line.last.split() if len(line.params) > 2 else []  # nothing follows `CAP * LS`
        more = line.param(2) == "*" and len(line.params) > 3  # the list goes on in the next line
        match line.param(1).upper():
            case "LS":
                self._offer(words)
                if not more:
                    self._listed = True
                    yield from self._ask(self._offered)
            case "NEW":
                yield from self._ask(self._offer(words))
            case "ACK":
                yield from self._acknowledged(words)
            case "NAK":
                yield from self._refused(words)
            case "LIST":
                self._are_on(words, more=more)
            case "DEL":
                self._withdrawn({_bare(word) for word in words})

    def tick(self, now: float) -> Iterator[Answer]:
        """Time passed. A REQ that is not answered is given up, and the server asked what is on."""
        if not self._asked:
            self._asked_at = None
        elif self._asked_at is None:
            self._asked_at = now
        elif now - self._asked_at > _ANSWER_WITHIN_S:
            self._asked, self._asked_at = [], None
            yield "LIST", ""

    def _offer(self, words: Iterable[str]) -> list[str]:
        names = []
        for word in words:
            name, _, value = word.lstrip(_MODIFIERS).partition("=")
            if name in self._offered or len(self._offered) < _MOST_OFFERED:
                self._offered[name] = value
                names.append(name)
        return names

    def _withdrawn(self, names: Set[str]) -> None:
        for name in names:
            self._offered.pop(name, None)
            self.enabled -= {name, _ELDER.get(name, name)}
        self._asked = [left for group in self._asked if (left := [name for name in group if name not in names])]

    def _are_on(self, words: Iterable[str], *, more: bool) -> None:
        """LIST: exactly these are on."""
        names = {_bare(word) for word in words}
        self._on |= self._wanted & names | {new for old, new in _ELDER.items() if old in names} | names & _ELDER.keys()
        if not more:
            self.enabled.intersection_update(self._on)
            self.enabled.update(self._on)
            self._on = set()

    def _ask(self, names: Iterable[str]) -> Iterator[Answer]:
        group: list[str] = []
        asked = {name for each in self._asked for name in each}
        elder = {old for old, new in _ELDER.items() if new not in self._offered}.intersection(names)
        for name in sorted((self._wanted.intersection(names) | elder) - self.enabled - asked):
            if sum(map(len, group)) + len(group) + len(name) > _AT_ONCE:
                yield self._request(group)
                group = []
            group.append(name)
        if group:
            yield self._request(group)

    def _request(self, group: list[str]) -> Answer:
        self._asked.append(group)
        return "REQ", " ".join(group)

    def _acknowledged(self, words: Iterable[str]) -> Iterator[Answer]:
        """ACK, with the modifiers of version 301: `-` is off, `=` stays on for good, `~` is on once we ACK it, too."""
        off = set()
        for word in words:
            name = _bare(word)
            if "-" in _modifiers(word):
                off.add(name)
                self.enabled -= {name, _ELDER.get(name, name)}
            elif name in self._wanted or name in _ELDER:
                self.enabled |= {name, _ELDER.get(name, name)}
                if "~" in _modifiers(word):
                    yield "ACK", name
        self._asked = [left for group in self._asked if (left := [name for name in group if name not in off])]
        self._asked = [left for group in self._asked if (left := [name for name in group if name not in self.enabled])]

    def _refused(self, names: list[str]) -> Iterator[Answer]:
        """All of a REQ is refused for one name in it: ask for each alone, and give up what is refused alone. Servers
        answer in order, and not all repeat the names word for word."""
        if not self._asked:
            return
        refused = {_bare(name).lower() for name in names}
        group = next((group for group in self._asked if refused.intersection(group)), self._asked[0])
        self._asked.remove(group)
        if len(group) > 1:
            for name in group:
                yield self._request([name])


def _modifiers(word: str) -> str:
    return word[: len(word) - len(word.lstrip(_MODIFIERS))]


def _bare(word: str) -> str:
    """The name without modifiers and value. No capability begins with one of these signs."""
    return word.lstrip(_MODIFIERS).partition("=")[0]
