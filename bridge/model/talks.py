"""Talks: the private conversations of a member on Matrix with a person on IRC, and the ids of their rooms. Pure.

A talk has one room on each network, and nothing else takes such an id apart:

- on IRC, `Room("libera", "alice>bob")`: the puppet of the user alice, and the person whose nick is bob;
- on Matrix, `Room("home", "@alice:example.org>libera/bob")`: the same, as the member sees it.

An event in either is `private`. Its `mentioned` names the one to whom it is said, once the gate has seen it: on IRC the
user whom the nick must prove to be when the words are written there. An adapter that hears an event in a talk's room
may help: from IRC, `Message.mentions` has the Matrix id by which the puppet's owner speaks; from Matrix, it has
`NETWORK/ACCOUNT`, the services account of the person who is meant, if that is known.
"""

from dataclasses import dataclass
from typing import Self

from bridge.model.event import BOTS, Room
from bridge.model.text import folded

_BETWEEN = ">"
"""In no Matrix server's name, and in no nick: an adapter gives nobody an address with it (see `has_address`)."""
_NEVER_IN_NICK = frozenset(" \t\r\n\0,*?!@>/")


def has_address(nick: str) -> bool:
    """Whether a person of that nick can be reached in private: no room of theirs looks like one of a talk."""
    return _BETWEEN not in nick


def _may_be_user(name: str) -> bool:
    """Whether no channel and no Matrix room begins as that name does: any other sign may be a server's for channels."""
    return (name[:1].isalnum() or name[:1] == "_") and "/" not in name


def _is_nick(text: str) -> bool:
    return bool(text) and text.isprintable() and _NEVER_IN_NICK.isdisjoint(text)


@dataclass(frozen=True, slots=True)
class IrcTalk:
    """A talk as the IRC network `network` has it. `user` is the name of the puppet's owner in the allowlist, and `nick`
    that of the other person; both folded, the nick by the network's casemapping."""

    network: str
    user: str
    nick: str

    @classmethod
    def of(cls, network: str, user: str, nick: str) -> Self | None:
        """The talk of a user with somebody whose nick is folded; None if there can be none between them."""
        talk = cls(network, folded(user), nick)
        return talk if irc_talk(talk.room) == talk else None

    @property
    def room(self) -> Room:
        return Room(self.network, f"{self.user}{_BETWEEN}{self.nick}")


@dataclass(frozen=True, slots=True)
class MatrixTalk:
    """A talk as the Matrix network `network` has it: `member` is the owner's Matrix id; `other` is the IRC network, and
    `nick` the folded nick there."""

    network: str
    member: str
    other: str
    nick: str

    @classmethod
    def of(cls, network: str, member: str, other: str, nick: str) -> Self | None:
        """The talk of a member with somebody whose nick is folded; None if there can be none between them."""
        talk = cls(network, member, other, nick)
        return talk if matrix_talk(talk.room) == talk else None

    @property
    def room(self) -> Room:
        return Room(self.network, f"{self.member}{_BETWEEN}{self.other}/{self.nick}")


def irc_talk(room: Room) -> IrcTalk | None:
    """The talk whose room on IRC that is; None if it is another room."""
    user, between, nick = room.id.rpartition(_BETWEEN)
    is_one = between and _may_be_user(user) and _is_nick(nick)
    return IrcTalk(room.network, user, nick) if is_one and not _is_of_bots(room) else None


def matrix_talk(room: Room) -> MatrixTalk | None:
    """The talk whose room on Matrix that is; None if it is another room."""
    member, between, person = room.id.rpartition(_BETWEEN)
    other, slash, nick = person.partition("/")
    is_one = between and slash and other and member.startswith("@") and ":" in member and _is_nick(nick)
    return MatrixTalk(room.network, member, other, nick) if is_one and not _is_of_bots(room) else None


def is_talk(room: Room) -> bool:
    """Whether a room is one of a talk."""
    return _BETWEEN in room.id and (irc_talk(room) is not None or matrix_talk(room) is not None)


def _is_of_bots(room: Room) -> bool:
    return room.network.partition("@")[0] == BOTS
