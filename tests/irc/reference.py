"""A second opinion on who is in our channels: the same lines, read as simply as can be, without any care for cost."""

import unicodedata
from dataclasses import dataclass, field

from bridge.irc.wire.line import Line, Source, parse

_STRICT = str.maketrans("[]\\", "{}|")
_HISTORIES = ("chathistory", "znc.in/playback")
_CAPS = ("extended-join", "account-notify")


@dataclass
class Known:
    """What is known of a person. `ranks`: in each channel that they share with us."""

    nick: str
    user: str = ""
    host: str = ""
    account: str | None = None
    realname: str = ""
    away: bool = False
    ranks: dict[str, set[str]] = field(default_factory=dict)


class Reference:
    """`rooms`: the configured channels. Call `hears` with each line after registration."""

    def __init__(self, rooms: list[str], us: str = "duck", caps: str = "") -> None:
        self.us = us
        self.rooms = rooms
        self.caps = {each for each in caps.split() if each in _CAPS}
        self.joined: set[str] = set()
        self.people: dict[str, Known] = {}
        self.casemapping = "rfc1459"
        self.signs = {"@": "o", "+": "v"}
        self.modes = ["beI", "k", "l", "aimnpqrst"]
        self.batches: dict[str, bool] = {}

    def fold(self, name: str) -> str:
        if self.casemapping == "rfc8265":
            return unicodedata.normalize("NFC", name.lower())
        lower = "".join(letter.lower() if letter.isascii() else letter for letter in name)
        if self.casemapping.startswith("rfc1459"):
            lower = lower.translate(_STRICT)
        return lower.replace("^", "~") if self.casemapping == "rfc1459" else lower

    def room(self, name: str) -> str:
        """The configured channel of that name that we are in; '' if there is none."""
        return next((room for room in self.joined if self.fold(room) == self.fold(name)), "")

    def is_us(self, nick: str) -> bool:
        return self.fold(nick) == self.fold(self.us)

    def find(self, nick: str) -> Known | None:
        return self.people.get(self.fold(nick))

    def hears(self, text: str) -> None:
        line = parse(text)
        if line is None or self.is_old(line):
            return
        self.sees(line.source)
        known = getattr(self, f"_{line.command.lower()}", None)
        if known is not None:
            known(line)

    def is_old(self, line: Line) -> bool:
        return line.command != "BATCH" and self.batches.get(line.tags.get("batch", ""), False)

    def sees(self, source: Source) -> None:
        """The person who has that nick now has this user and host: if they differ, it is another person."""
        person = self.find(source.nick)
        if person is None or not source.user or not source.host:
            return
        if person.user and person.host and (person.user, person.host) != (source.user, source.host):
            person.account, person.realname, person.away = None, "", False
        person.user, person.host = source.user, source.host

    def comes(self, source: Source, room: str, ranks: set[str]) -> None:
        person = self.people.setdefault(self.fold(source.nick), Known(source.nick))
        person.nick = source.nick
        self.sees(source)
        person.ranks[room] = ranks

    def goes(self, nick: str, room: str) -> None:
        person = self.find(nick)
        if person is not None:
            person.ranks.pop(room, None)
            self.forgets()

    def forgets(self) -> None:
        self.people = {key: each for key, each in self.people.items() if each.ranks}

    def empties(self, room: str) -> None:
        for person in self.people.values():
            person.ranks.pop(room, None)
        self.forgets()

    # Lines

    def _cap(self, line: Line) -> None:
        told = "account-notify" in self.caps
        for name in line.last.split():
            if line.param(1).upper() == "ACK" and name in _CAPS:
                self.caps.add(name)
            if line.param(1).upper() == "ACK":
                self.caps.discard(name.removeprefix("-") if name.startswith("-") else "")
            if line.param(1).upper() == "DEL":
                self.caps.discard(name.lstrip("-~="))
        if "account-notify" in self.caps and not told:
            for person in self.people.values():
                person.account = None

    def _005(self, line: Line) -> None:
        for token in line.params[1:]:
            name, _, value = token.partition("=")
            if name == "CASEMAPPING":
                self.compares(value)
            if name == "PREFIX":
                self.signs = {"": {}, "(ov)@+": {"@": "o", "+": "v"}, "(qo)~@": {"~": "q", "@": "o"}}[value]
            if name == "CHANMODES":
                self.modes = value.split(",")

    def compares(self, casemapping: str) -> None:
        self.casemapping = casemapping
        people: dict[str, list[Known]] = {}
        for person in self.people.values():
            people.setdefault(self.fold(person.nick), []).append(person)
        self.people = {key: same[0] for key, same in people.items() if len(same) == 1}

    def _join(self, line: Line) -> None:
        if line.is_of_server:
            return
        for name in line.param(0).split(","):
            if self.is_us(line.source.nick):
                self.empties(self.room(name))
                self.joined |= {room for room in self.rooms if self.fold(room) == self.fold(name)}
            if room := self.room(name):
                self.comes(line.source, room, set())
        person = self.find(line.source.nick)
        if "extended-join" in self.caps and len(line.params) > 1 and person is not None:
            person.account = "" if line.param(1) == "*" else line.param(1)
            person.realname = line.param(2)

    def _353(self, line: Line) -> None:
        room = self.room(line.params[-2]) if len(line.params) > 1 else ""
        for word in line.last.split(" ") if room else []:
            name, ranks = word, set()
            while name and name[0] in self.signs:
                ranks.add(self.signs[name[0]])
                name = name[1:]
            nick, _, mask = name.partition("!")
            user, _, host = mask.partition("@")
            if nick:
                self.comes(Source(nick, user, host), room, ranks)

    def _354(self, line: Line) -> None:
        if len(line.params) == 9 and line.param(1) == "271":
            _, _, _, user, host, nick, flags, account, realname = line.params
            self.sees(Source(nick, user, host))
            if (person := self.find(nick)) is not None:
                person.account = "" if account == "0" else account
                person.realname, person.away = realname, flags[:1] == "G"

    def _352(self, line: Line) -> None:
        if len(line.params) == 8:
            _, _, user, host, _, nick, flags, rest = line.params
            self.sees(Source(nick, user, host))
            if (person := self.find(nick)) is not None:
                person.realname, person.away = rest.partition(" ")[2], flags[:1] == "G"

    def _part(self, line: Line) -> None:
        for name in line.param(0).split(","):
            self.removed(line.source.nick, name)

    def _kick(self, line: Line) -> None:
        self.removed(line.param(1), line.param(0))

    def removed(self, nick: str, name: str) -> None:
        room = self.room(name)
        if room and self.is_us(nick):
            self.joined.discard(room)
            self.empties(room)
        elif room:
            self.goes(nick, room)

    def _quit(self, line: Line) -> None:
        self.people.pop(self.fold(line.source.nick), None)

    def _nick(self, line: Line) -> None:
        old, new = line.source.nick, line.param(0)
        if not new:
            return
        if self.is_us(old):
            self.us = new
        person = self.people.pop(self.fold(old), None)
        self.people.pop(self.fold(new), None)
        if person is not None:
            person.nick = new
            person.account = person.account if "account-notify" in self.caps else None
            self.people[self.fold(new)] = person

    def _account(self, line: Line) -> None:
        person = self.find(line.source.nick)
        if person is not None and line.params:
            person.account = "" if line.param(0) == "*" else line.param(0)

    def _away(self, line: Line) -> None:
        if (person := self.find(line.source.nick)) is not None:
            person.away = line.param(0) != ""

    def _setname(self, line: Line) -> None:
        if (person := self.find(line.source.nick)) is not None and line.params:
            person.realname = line.param(0)

    def _chghost(self, line: Line) -> None:
        person = self.find(line.source.nick)
        if person is not None and line.param(0) and line.param(1):
            person.user, person.host = line.param(0), line.param(1)

    def _mode(self, line: Line) -> None:
        room, ranks = self.room(line.param(0)), [*self.signs.values()]
        if self.is_us(line.param(0)) or not room:
            return
        words, on = [*line.params[2:]], True
        for letter in line.param(1):
            if letter in "+-":
                on = letter == "+"
                continue
            takes = letter in ranks or letter in self.modes[0] + self.modes[1] or (on and letter in self.modes[2])
            word = words.pop(0) if takes and words else ""
            person = self.find(word)
            if letter in ranks and person is not None and room in person.ranks:
                person.ranks[room] = person.ranks[room] | {letter} if on else person.ranks[room] - {letter}

    def _batch(self, line: Line) -> None:
        name = line.param(0)
        if name.startswith("+") and len(self.batches) < 100:
            outer = self.batches.get(line.tags.get("batch", ""), False)
            self.batches[name[1:]] = outer or line.param(1) in _HISTORIES
        elif name.startswith("-"):
            self.batches.pop(name[1:], None)
