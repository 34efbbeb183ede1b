"""What a session wants done because of a line or the time: values for the shell to carry out."""

from dataclasses import dataclass

from bridge.irc.wire.line import Unwritable, compose
from bridge.model.event import Event, Room
from bridge.network import SendError


@dataclass(frozen=True, slots=True)
class Write:
    """One whole line, past the write gate."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody said something in one of our rooms or to us; the server knows it as `msgid`, '' where it gives none."""

    event: Event
    msgid: str


@dataclass(frozen=True, slots=True)
class Online:
    """We are logged in, as `nick`."""

    nick: str


@dataclass(frozen=True, slots=True)
class Joined:
    """We are in a room, and posts may go there."""

    room: Room


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """What was said in a room while we were away has been told, and from now on all is heard.

    `time` is when we came (seconds since the epoch, by the server), and `server` names which run of it this is. What
    was said after `since` may be missing, because the server does not remember it; None where nothing is missing."""

    room: Room
    time: float
    since: float | None
    server: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """We are out of a room that we were in; it is joined again after `pause` seconds."""

    room: Room
    reason: str
    pause: float


@dataclass(frozen=True, slots=True)
class Barred:
    """A room could not be joined; tried again after `pause` seconds. `news` where it was not so before."""

    room: Room
    reason: str
    hint: str
    pause: float
    news: bool


@dataclass(frozen=True, slots=True)
class MaySpeak:
    """A room that did not let us speak may do so now."""

    room: Room


@dataclass(frozen=True, slots=True)
class Proved:
    """The network has a post, as `remote_id`."""

    post: str
    remote_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The network did not take a post."""

    post: str
    target: str
    error: SendError


@dataclass(frozen=True, slots=True)
class Notable:
    """Something that the operator should read in the log."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server does not accept what the configuration says; `reason` says what."""

    reason: str


@dataclass(frozen=True, slots=True)
class Broken:
    """This connection is of no use any more; the next is tried after `pause` seconds, or as soon as usual. The server
    may have `turned_away` us, in its own words."""

    reason: str
    pause: float | None = None
    turned_away: bool = False


Effect = (
    Write
    | Heard
    | Online
    | Joined
    | CaughtUp
    | Left
    | Barred
    | MaySpeak
    | Proved
    | Failed
    | Notable
    | Rejected
    | Broken
)


def written(command: str, *params: str) -> tuple[Write, ...]:
    """The line to write; none where the words are no line, for they may be a server's: that is worth no answer."""
    try:
        return (Write(compose(command, *params)),)
    except Unwritable:
        return ()
