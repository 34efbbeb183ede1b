"""Events for tests, with everything that a test does not care about filled in."""

from dataclasses import replace

from bridge.model.casemap import Casemapping
from bridge.model.event import BOTS, Event, EventKey, Kind, Message, Origin, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import words
from bridge.users import User

HOME = Room("home", "#pond:hs")
LIBERA = Room("libera", "#pond")
OFTC = Room("oftc", "#pond")


def matrix(name: str, *, display: str | None = None) -> Sender:
    """Somebody on Matrix, whose id is always proof."""
    user = f"@{name}:hs"
    return Sender("home", user, display or name, (Identity(Proof.MATRIX, "", user),))


def irc(nick: str, account: str | None = None, *, network: str = "libera", bot: bool = False) -> Sender:
    """Somebody on IRC, logged in to services as `account` or not at all."""
    proofs = (Identity(Proof.IRC, network, account),) if account else ()
    return Sender(network, nick, nick, proofs, Casemapping.RFC1459, bot)


def said(
    room: Room,
    sender: Sender,
    text: str,
    event_id: str = "",
    *,
    kind: Kind = Kind.TEXT,
    private: bool = False,
    called: str | None = None,
    time: float = 1_000.0,
    reply_to: EventKey | None = None,
    origin: Origin = Origin.LIVE,
) -> Event:
    """`sender` said `text`; the id follows from the words unless it is given."""
    body = Message(words(text), kind, called, reply_to)
    return Event(event_id or f"${text}", room, sender, time, body, private, origin)


def body_of(event: Event) -> Message:
    """The message that `event` must be."""
    assert isinstance(event.body, Message)
    return event.body


def rebodied(event: Event, **changes: object) -> Event:
    """`event` with a message that differs in `changes`."""
    return replace(event, body=replace(body_of(event), **changes))  # type: ignore[arg-type]


def answer(ear: Room, text: str, *, private: bool = False) -> Event:
    """What a bot says into its ear."""
    return said(ear, Sender(BOTS, "duck", "Little Yellow Duck", bot=True), text, kind=Kind.NOTICE, private=private)


def asks_for_help(line: str, _user: User | None) -> bool:
    """The one command to the desk, for a gate without one."""
    return line.lstrip("!/").lower().split()[:1] == ["help"]
