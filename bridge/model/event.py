"""What happened: one envelope, and one of a few bodies."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.people import Sender
from bridge.model.text import Text

BOTS = "bots"
"""The network whose rooms are the bots' ears; no network of the config may be called so."""


DESK = "desk"
"""The ear that takes what is asked of the bridge itself, in private; no bot of the config may be called so."""


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """Where people talk on a network. `id` is opaque to all but the network's adapter, which makes sure that one room
    has one id: for a configured room the very string of the config (`#pond`, `#pond:example.org`), for a private
    conversation the person's address or the room that it is held in."""

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Room":
        """`network/id`, as the config and the command line write it. ValueError where a part is missing."""
        network, slash, room = text.partition("/")
        if not (network and slash and room):
            raise ValueError(f"{text!r} is not NETWORK/ROOM")
        return cls(network, room)


class Kind(StrEnum):
    """How a message is said: plainly, as `/me`, or as a notice, which no bot may answer (RFC 2812 section 3.3.2). A
    reaction stands at what it replies to, where the network can (Matrix spec, `m.annotation`); else it is a notice."""

    TEXT = "text"
    ACTION = "action"
    NOTICE = "notice"
    REACTION = "reaction"


@dataclass(frozen=True, slots=True)
class EventKey:
    """An event's id is unique in its room."""

    room: Room
    id: str


@dataclass(frozen=True, slots=True)
class Message:
    """Somebody said something. `time` is seconds since the epoch by the network's clock.

    `called` is the name by which the text calls our own account at its head, '' where it mentions us elsewhere, None
    where it does not. `reply_to` names the event, in the same room, that this one replies to. `replayed` is what was
    said while we were away, as the network tells it later: without a proof nobody can tell by whom.
    """

    id: str
    room: Room
    sender: Sender
    time: float
    text: Text
    kind: Kind = Kind.TEXT
    private: bool = False
    called: str | None = None
    reply_to: EventKey | None = None
    replayed: bool = False

    @property
    def key(self) -> EventKey:
        return EventKey(self.room, self.id)

    @property
    def mark(self) -> str:
        """What each line of this message begins with where it is carried to, so that no line can pretend to be from
        somebody else; '' in a private conversation, where nobody else is carried."""
        if self.private:
            return ""
        return f"* {self.sender.name} " if self.kind is Kind.ACTION else f"<{self.sender.name}> "


Event = Message
"""What happened, in no network's dialect: a union that grows as more than messages is carried."""
