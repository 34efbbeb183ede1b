"""Events for tests, with everything that a test does not care about filled in."""

from bridge.model.casemap import Casemapping
from bridge.model.event import BOTS, Kind, Message, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import words

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
) -> Message:
    """`sender` said `text`; the id follows from the words unless it is given."""
    return Message(event_id or f"${text}", room, sender, time, words(text), kind, private, called)


def answer(ear: Room, text: str, *, private: bool = False) -> Message:
    """What a bot says into its ear."""
    return said(ear, Sender(BOTS, "duck", "Little Yellow Duck", bot=True), text, kind=Kind.NOTICE, private=private)
