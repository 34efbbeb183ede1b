"""A line that somebody said, as an event in no network's dialect."""

import re
from dataclasses import dataclass
from datetime import datetime

from bridge.casemap import Casemapping
from bridge.irc import formatting
from bridge.irc.wire import Line
from bridge.model import Identity, Kind, Message, Proof, Room, Sender, digest
from bridge.text import addressed, plain, shown_name

_BOT_TAGS = ("bot", "draft/bot", "inspircd.org/bot")
_ID_LIMIT = 128
_ACTION = "\x01ACTION"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of speech with where it belongs, before it is settled who spoke. `connection` is as in `Sender`."""

    line: Line
    room: Room
    private: bool
    id: str
    time: float
    connection: str = ""


def speech(line: Line) -> tuple[Kind, str] | None:
    """How it is said and the words; None for any other CTCP than ACTION."""
    text = line.param(1)
    kind = Kind.NOTICE if line.command == "NOTICE" else Kind.TEXT
    if not text.startswith("\x01"):
        return kind, text
    if kind is Kind.TEXT and text.startswith(_ACTION) and text[len(_ACTION) : len(_ACTION) + 1] in (" ", "\x01", ""):
        return Kind.ACTION, text[len(_ACTION) :].removesuffix("\x01").strip()
    return None


def spoken_at(line: Line, now: float) -> float:
    """Seconds since the epoch, by the server where it says so (IRCv3 server-time)."""
    stamp = line.tags.get("time")
    if not stamp:
        return now
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


def event_id(line: Line, origin: str, count: int) -> str:
    """The network's own id of the message; else one that follows from where in which connection it was heard."""
    msgid = line.tags.get("msgid", "")
    if msgid:
        return msgid if len(msgid) <= _ID_LIMIT else digest(msgid)
    return digest(origin, str(count), line.source.mask, line.param(1))


def message(
    spoken: Spoken, account: str, names: tuple[str, ...], casemapping: Casemapping, *, masks: bool
) -> Message | None:
    """The event; None where nothing was said. `names` are ours; with `masks`, a host mask proves something too."""
    said = speech(spoken.line)
    if said is None:
        return None
    kind, words = said
    text = formatting.parse(words)
    if not text:
        return None
    return Message(
        id=spoken.id,
        room=spoken.room,
        sender=_sender(spoken, account, casemapping, masks=masks),
        time=spoken.time,
        text=text,
        kind=kind,
        private=spoken.private,
        called=None if spoken.private else _called(plain(text), names),
    )


def _sender(spoken: Spoken, account: str, casemapping: Casemapping, *, masks: bool) -> Sender:
    network, source = spoken.room.network, spoken.line.source
    proofs = [Identity(Proof.IRC, network, account)] if account else []
    if masks and source.user and source.host:
        proofs.append(Identity(Proof.IRC_MASK, network, source.mask))
    return Sender(
        network=network,
        address=source.nick,
        name=shown_name(source.nick, "?"),
        proofs=tuple(proofs),
        casemapping=casemapping,
        bot=any(tag in spoken.line.tags for tag in _BOT_TAGS),
        mask=source.mask if source.user and source.host else "",
        connection=spoken.connection,
    )


def _called(text: str, names: tuple[str, ...]) -> str | None:
    lowered = text.lower()
    present = [name for name in names if name.lower() in lowered]
    for name in present:
        if addressed(text, (name,)) is not None:
            return name
    mentioned = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for name in present)
    return "" if mentioned else None
