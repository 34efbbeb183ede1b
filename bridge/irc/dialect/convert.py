"""Converts a line of speech into an event, which is in no network's dialect."""

import re
from dataclasses import dataclass
from datetime import datetime

from bridge.irc.dialect import formatting
from bridge.irc.wire.line import Line
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.event import Event, Kind, Message, Origin, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import addressed, plain, says_nothing, shown_name

_BOT_TAGS = ("bot", "draft/bot", "inspircd.org/bot")
_ID_LIMIT = 128
_ACTION = "\x01ACTION"
_ALIKE = 5000
"""Different lines of one moment that are told apart from their repetitions."""
_OF_NICK = r"[\w\-\[\]\\`^{}|]"
"""A character that a nick may go on with: `duck-dev` is not called `duck` (RFC 2812 section 2.3.1)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of speech with its room, before its speaker's account is known. `connection` is as in `Sender`.
    `replayed`: the line is from a history; `present` then says whether the very same person is in the channel now."""

    line: Line
    room: Room
    private: bool
    id: str
    time: float
    connection: str = ""
    replayed: bool = False
    present: bool = True


def speech(line: Line) -> tuple[Kind, str] | None:
    """The kind of message and its words; None for any CTCP other than ACTION."""
    text = line.param(1)
    kind = Kind.NOTICE if line.command == "NOTICE" else Kind.TEXT
    if not text.startswith("\x01"):
        return kind, text
    verb, rest = text[: len(_ACTION)].upper(), text[len(_ACTION) :]
    if kind is Kind.TEXT and verb == _ACTION and rest[:1] in (" ", "\x01", ""):
        return Kind.ACTION, rest.removesuffix("\x01").strip()
    return None


def spoken_at(line: Line, now: float) -> float:
    """When the line was said, in seconds since the epoch: by the server (IRCv3 server-time), else `now`."""
    stamp = line.tags.get("time")
    if not stamp:
        return now
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError, OSError):
        return now


class EventIds:
    """Gives each line an event id; a line that a history repeats gets the same id, if it has a msgid or a time.
    `origin` differs for each connection."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._count = 0
        self._stamp = ""
        self._alike: LruDict[tuple[str, str, str], int] = LruDict(_ALIKE)

    def of(self, line: Line) -> str:
        """The network's msgid, if it gives one. Else a digest of time, speaker and words (and a count, so that repeats
        differ); if the server tells no time, a digest of the connection, the line's number in it, speaker and words."""
        msgid = line.tags.get("msgid", "")
        if msgid:
            return msgid if len(msgid) <= _ID_LIMIT else digest(msgid)
        said = (line.source.mask, line.param(0), line.param(1))
        stamp = line.tags.get("time", "")
        if not stamp:
            self._count += 1
            return digest(self._origin, str(self._count), *said)
        if stamp != self._stamp:
            self._stamp = stamp
            self._alike = LruDict(_ALIKE)
        count = self._alike[said] = (self._alike.get(said) or 0) + 1
        return digest(stamp, str(count), *said)


def event(
    spoken: Spoken, account: str, names: tuple[str, ...], casemapping: Casemapping, *, masks: bool
) -> Event | None:
    """The event; None if nothing was said. `names` are our names; with `masks`, a host mask counts as proof too."""
    said = speech(spoken.line)
    if said is None:
        return None
    kind, words = said
    text = formatting.parse(words)
    if says_nothing(plain(text)):
        if kind is not Kind.ACTION or spoken.private:
            return None
        text = ()  # a bare /me, which says its sender's name
    called = None if spoken.private else _called(plain(text), names)
    return Event(
        id=spoken.id,
        room=spoken.room,
        sender=_sender(spoken, account, casemapping, masks=masks),
        time=spoken.time,
        body=Message(text, kind, called),
        private=spoken.private,
        origin=Origin.REPLAYED if spoken.replayed else Origin.LIVE,
    )


def _sender(spoken: Spoken, account: str, casemapping: Casemapping, *, masks: bool) -> Sender:
    network, source = spoken.room.network, spoken.line.source
    proofs = [Identity(Proof.IRC, network, account)] if account else []
    if masks and spoken.present and source.user and source.host:
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
    alone = (rf"(?<!{_OF_NICK}){re.escape(name)}(?!{_OF_NICK})" for name in present)
    return "" if any(re.search(name, text, re.IGNORECASE) for name in alone) else None
