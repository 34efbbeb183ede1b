"""The bridge's own eyes on its puppets: which people in the channels they are, and which of their lines were seen."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.irc.dialect.convert import known_as
from bridge.irc.dialect.formatting import stripped
from bridge.irc.effects import Effect, Failed, Proved
from bridge.irc.puppets.book import Book
from bridge.irc.session.proof import ID_TAG
from bridge.irc.wire.line import Line, Source
from bridge.model.casemap import Casemapping
from bridge.network import TransientError

_ADDRESSED = re.compile(r"(\s*@?)([^\s:,]+)(?=[:,](?:\s|$))")
_SIGNS = re.compile(r"[:,\n]")
"""In a name, they would end it."""


class NotShown(TransientError):
    """A line of a puppet was surely not shown in the channel: the bridge may say it."""


@dataclass(slots=True)
class Face:
    """A puppet that is connected: its nick and user name now, and what its owner calls themselves ('': as the nick)."""

    nick: str
    username: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A line that a puppet has written, and that is not seen yet."""

    post: str
    face: Face
    target: str
    text: str


class Faces:
    """Tells what our puppets do from what others do: by the nick and the user name that their connections have now, and
    by what the `book` remembers. Never by a nick alone. Sans I/O."""

    def __init__(self, book: Book | None = None) -> None:
        self._book = Book({}) if book is None else book
        self._faces: list[Face] = []
        self._awaited: dict[str, _Awaited] = {}
        self.any = bool(self._book)
        """Whether there are puppets, or have been: else nothing has to be looked at."""

    def compare_by(self, casemapping: Casemapping) -> None:
        self._book.casemapping = casemapping

    def connected(self, face: Face) -> None:
        """The server has let a puppet in. Its nick may change; see `Face`."""
        self.any = True
        self._faces.append(face)

    def gone(self, face: Face) -> None:
        """The connection of a puppet is over. Its lines may still come."""
        self._faces = [each for each in self._faces if each is not face]

    def of(self, source: Source) -> Face | None:
        """The connected puppet that is the source of a line."""
        fold = self._book.casemapping.fold
        nick = fold(source.nick)
        for face in self._faces:
            if fold(face.nick) == nick and (not source.user or source.user.lstrip("~") == face.username):
                return face
        return None

    def owner(self, source: Source) -> str | None:
        """The user (casefolded) whose connected puppet is that source; None if it is none of ours."""
        face = self.of(source)
        return self._book.user_of(face.username) if face is not None else None

    def banned(self, mask: str) -> str | None:
        """The user (casefolded) whose puppet alone a ban of that mask is of."""
        return self._book.meant_by(mask)

    def is_ours(self, line: Line) -> bool:
        """Whether one of our puppets has said or done what a line tells."""
        if not self.any:
            return False
        return self.of(line.source) is not None or self.was_ours(line)

    def was_ours(self, line: Line) -> bool:
        """The same of a line of history, or of one that comes late."""
        return self.any and self._book.is_of_puppet(line.source, is_tagged=ID_TAG in line.tags)

    def written(self, post: str, face: Face, target: str, text: str) -> None:
        """A puppet is about to write a line. `seen` or `left` follows, unless it is forgotten."""
        self._awaited[post] = _Awaited(post, face, self._book.casemapping.fold(target), text)

    def forget(self, post: str) -> None:
        """Nobody waits for a line any more."""
        self._awaited.pop(post, None)

    def seen(self, line: Line) -> Iterator[Effect]:
        """We see a line of a puppet in a channel."""
        awaited = self._of(line)
        if awaited is not None:
            del self._awaited[awaited.post]
            yield Proved(awaited.post, known_as(line.tags.get("msgid", "")) or awaited.post)

    def _of(self, line: Line) -> _Awaited | None:
        """What a line proves: by its id, else by its words, else, as servers may change words, the oldest there."""
        fold = self._book.casemapping.fold
        nick, target = fold(line.source.nick), fold(line.param(0))
        if post := line.tags.get(ID_TAG):
            awaited = self._awaited.get(post)
            return awaited if awaited is not None and fold(awaited.face.nick) == nick else None
        there = [each for each in self._awaited.values() if fold(each.face.nick) == nick and each.target == target]
        said = stripped(line.param(1))
        same = (each for each in there if stripped(each.text) == said)
        return next(same, there[0] if there else None)

    def answered(self, text: str) -> str:
        """What somebody says on IRC, with the name of the member whom they answer as Matrix knows it, if it begins with
        the nick of a puppet: `alice_: yes` answers Alice."""
        found = _ADDRESSED.match(text) if self._faces else None
        if found is None:
            return text
        nick = self._book.casemapping.fold(found[2])
        names = (face.name for face in self._faces if self._book.casemapping.fold(face.nick) == nick)
        name = next(names, "")
        return f"{found[1]}{name}{text[found.end() :]}" if name and not _SIGNS.search(name) else text

    def renamed(self, line: Line) -> None:
        """We see that a puppet is called otherwise now."""
        if (face := self.of(line.source)) is not None and line.param(0):
            face.nick = line.param(0)

    def left(self, nick: str, channel: str = "") -> Iterator[Effect]:
        """We see that a puppet is gone from `channel`, '' for all. What it wrote there before was seen before."""
        fold = self._book.casemapping.fold
        for each in [*self._awaited.values()]:
            if fold(each.face.nick) == fold(nick) and (not channel or each.target == fold(channel)):
                del self._awaited[each.post]
                yield Failed(each.post, each.target, NotShown("the member's own connection has left the channel"))
