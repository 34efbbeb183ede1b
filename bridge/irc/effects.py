"""Effects: what a session wants the shell to do after a line came or time passed."""

from dataclasses import dataclass

from bridge.irc.wire.line import Unwritable, compose
from bridge.model.event import Event, Room
from bridge.network import SendError, Typing


@dataclass(frozen=True, slots=True)
class Write:
    """Write one whole line, which has passed the write gate. `is_secret`: no more than its command is logged."""

    data: bytes
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Somebody said or did something in one of our rooms, or said something to us. `msgid` is the server's id for it,
    '' if it has none."""

    event: Event
    msgid: str


@dataclass(frozen=True, slots=True)
class Typed:
    """Somebody types in one of our rooms, or has stopped."""

    signal: Typing


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
    """We caught up in a room: what was said while we were away has been told, and from now on all is heard.

    `time`: when we joined (seconds since the epoch, by the server). `server` identifies the server and its run. What
    was said after `since` may be missing, because the server does not remember it; None if nothing is missing."""

    room: Room
    time: float
    since: float | None
    server: str = ""


@dataclass(frozen=True, slots=True)
class Left:
    """We left a room, or were removed; it is joined again after `pause` seconds."""

    room: Room
    reason: str
    pause: float


@dataclass(frozen=True, slots=True)
class Barred:
    """A room could not be joined; tried again after `pause` seconds. `news`: the reason is a new one."""

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
    """The network has a post; it knows it as `remote_id`."""

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
class NetworkFound:
    """The number that the bouncer has for the network that is configured; '' to forget it. The next connection is for
    that network."""

    netid: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server does not accept something in the configuration; `reason` says what, `key` where it is there (as
    `Refused.key`)."""

    reason: str
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """This connection must end; the next is tried after `pause` seconds (None: the usual backoff). `turned_away`: the
    server said that it does not want us; `by_server`: it has ended the connection; `everywhere`: the network's other
    servers will not take us either."""

    reason: str
    pause: float | None = None
    turned_away: bool = False
    by_server: bool = False
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The server wants TLS, on this port (IRCv3 STS): this connection must end, and the next is made there at once."""

    port: int


@dataclass(frozen=True, slots=True)
class Pledged:
    """The server says for how many seconds it wants TLS only (IRCv3 STS); 0: no longer."""

    duration: int


Effect = (
    Write
    | Heard
    | Typed
    | Online
    | Joined
    | CaughtUp
    | Left
    | Barred
    | MaySpeak
    | Proved
    | Failed
    | Notable
    | NetworkFound
    | Rejected
    | Broken
    | Upgrade
    | Pledged
)


def written(command: str, *params: str) -> tuple[Write, ...]:
    """The line to write; empty if the words do not make one. They may be a server's, and then deserve no answer."""
    try:
        return (Write(compose(command, *params)),)
    except Unwritable:
        return ()
