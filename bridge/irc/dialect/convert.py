"""Converts a line into an event, which is in no network's dialect: speech, reactions, removals, topics, memberships."""

import re
from dataclasses import dataclass, replace
from datetime import datetime

import regex

from bridge.irc.dialect import formatting
from bridge.irc.wire.line import Line, Source
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.event import (
    Body,
    Change,
    Event,
    EventKey,
    Kind,
    Membership,
    Message,
    Moderation,
    Origin,
    Reaction,
    Redaction,
    Room,
    Topic,
)
from bridge.model.people import Identity, Proof, Sender
from bridge.model.talks import has_address
from bridge.model.text import addressed, one_line, plain, says_nothing, shown_name

_BOT_TAGS = ("bot", "draft/bot", "inspircd.org/bot")
_ID_LIMIT = 128
_ACTION = "\x01ACTION"
_ALIKE = 5000
"""Different lines, of the last seconds, that are told apart from their repetitions."""
_SECOND = len("2026-11-23T00:00:00")
"""Characters of a time tag up to its seconds: a history may have no more (soju's files)."""
_REPLY_TAGS = ("+draft/reply", "+reply")
"""Before the specification was final, and since (https://ircv3.net/specs/client-tags/reply). Some clients send both."""
_REACT, _UNREACT = "+draft/react", "+draft/unreact"
_KEY_LIMIT = 40
"""Most characters of a reaction: the longest emoji sequences have some fifteen."""
_REASON_LIMIT = 300
_TOPIC_LIMIT = 2000
_SPEECH = frozenset({"PRIVMSG", "NOTICE"})
_CHANGES = {
    "JOIN": Change.JOINED,
    "353": Change.PRESENT,
    "PART": Change.LEFT,
    "QUIT": Change.LEFT,
    "KICK": Change.KICKED,
    "NICK": Change.RENAMED,
}
_OF_NICK = r"[\w\-\[\]\\`^{}|]"
"""A character that a nick may go on with: `duck-dev` is not called `duck` (RFC 2812 section 2.3.1)."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line with its room, before its speaker's account is known. `connection` is as in `Sender`. `replayed`: the line
    is from a history; `present` then says whether the very same person is in the channel now.

    `account` is the speaker's if it must not be asked for ('' for none, None: find it out). `moderated` is as in
    `Redaction`. `mentions` is as in `Message`. `person` is whose membership changes, if that is not the speaker. `act`:
    what the line does to one of our puppets.
    """

    line: Line
    room: Room
    private: bool
    id: str
    time: float
    connection: str = ""
    replayed: bool = False
    present: bool = True
    account: str | None = None
    moderated: bool = False
    person: Sender | None = None
    mentions: tuple[str, ...] = ()
    act: Moderation | None = None

    def to(self, identity: str) -> "Spoken":
        """The same, said in private to who has that Matrix id."""
        return replace(self, mentions=(identity,))


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


def known_as(msgid: str) -> str:
    """The id by which we know what the network calls `msgid`: itself, or a digest of one that is too long."""
    return msgid if len(msgid) <= _ID_LIMIT else digest(msgid)


def reply_to(line: Line, room: Room) -> EventKey | None:
    """What the line answers, by its tag; None if it has none."""
    msgid = next((value for tag in _REPLY_TAGS if (value := line.tags.get(tag))), "")
    return EventKey(room, known_as(msgid)) if msgid else None


def reaction(line: Line, room: Room) -> Reaction | None:
    """The reaction of a TAGMSG (https://ircv3.net/specs/client-tags/react): one sign that can be seen. None if it is no
    reaction, or one that is not carried."""
    target, added, removed = reply_to(line, room), line.tags.get(_REACT, ""), line.tags.get(_UNREACT, "")
    key = added or removed
    if target is None or (added and removed) or len(key) > _KEY_LIMIT:
        return None
    if not regex.fullmatch(r"\X", key) or says_nothing(key):
        return None
    return Reaction(target, key, removed=bool(removed))


def has_bot_tag(line: Line) -> bool:
    """Whether the line says that a bot has sent it (https://ircv3.net/specs/extensions/bot-mode)."""
    return any(tag in line.tags for tag in _BOT_TAGS)


class EventIds:
    """Gives each line an event id; a line that a history repeats gets the same id, if it has a msgid or a time.
    `origin` differs for each connection."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._count = 0
        self._alike: LruDict[tuple[str, ...], int] = LruDict(_ALIKE)

    def of(self, line: Line) -> str:
        """The network's msgid, if it gives one. Else a digest of second, nick and words, which is all that some
        histories have, and a count, so that repeats differ. If the server tells no time, a digest of the connection,
        the line's number in it, nick and words."""
        msgid = line.tags.get("msgid", "")
        if msgid:
            return known_as(msgid)
        said: tuple[str, ...] = (line.source.nick, line.param(0), line.param(1))
        if line.command not in _SPEECH:
            said = (*said, line.command, line.tags.get(_REACT, ""), line.tags.get(_UNREACT, ""))
        stamp = line.tags.get("time", "")
        if not stamp:
            self._count += 1
            return digest(self._origin, str(self._count), *said)
        alike = (stamp[:_SECOND], *said)
        count = self._alike[alike] = (self._alike.get(alike) or 0) + 1
        return digest(str(count), *alike)


def event(
    spoken: Spoken, account: str, names: tuple[str, ...], casemapping: Casemapping, *, masks: bool, bot: bool = False
) -> Event | None:
    """The event; None if nothing was said. `names` are our names; with `masks`, a host mask counts as proof too. `bot`:
    a bot has said it, by the line's tag or otherwise."""
    who = sender(
        spoken.room.network,
        spoken.line.source,
        account,
        spoken.connection,
        casemapping,
        masks=masks and spoken.present,
        bot=bot or has_bot_tag(spoken.line),
    )
    body = _message(spoken, names) if spoken.line.command in _SPEECH else _body(spoken, who)
    if body is None:
        return None
    return Event(
        id=spoken.id,
        room=spoken.room,
        sender=who,
        time=spoken.time,
        body=body,
        private=spoken.private,
        origin=Origin.REPLAYED if spoken.replayed else Origin.LIVE,
    )


def _message(spoken: Spoken, names: tuple[str, ...]) -> Message | None:
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
    return Message(text, kind, called, reply_to(spoken.line, spoken.room), mentions=spoken.mentions)


def _body(spoken: Spoken, who: Sender) -> Body | None:
    line = spoken.line
    if spoken.act is not None:
        return spoken.act
    match line.command:
        case "TAGMSG":
            return reaction(line, spoken.room)
        case "REDACT" if line.param(1):
            return Redaction(EventKey(spoken.room, known_as(line.param(1))), _reason(line.param(2)), spoken.moderated)
        case "TOPIC":
            return Topic(one_line(formatting.stripped(line.param(1)), _TOPIC_LIMIT))
        case "JOIN" | "353" | "PART" | "QUIT" | "KICK" | "NICK":
            return Membership(spoken.person or who, _CHANGES[line.command], _detail(line))
        case _:
            return None


def _detail(line: Line) -> str:
    """Why somebody left, or the new name of somebody renamed."""
    match line.command:
        case "NICK":
            return shown_name(line.param(0), "?")
        case "PART" | "QUIT" | "KICK":
            return _reason(line.param({"QUIT": 0, "PART": 1, "KICK": 2}[line.command]))
        case _:
            return ""


def _reason(text: str) -> str:
    return one_line(formatting.stripped(text), _REASON_LIMIT)


def sender(
    network: str,
    source: Source,
    account: str,
    connection: str,
    casemapping: Casemapping,
    *,
    masks: bool,
    bot: bool = False,
) -> Sender:
    """Somebody on `network` who has `account` ('' for none); with `masks`, their host mask counts as proof too."""
    proofs = [Identity(Proof.IRC, network, account)] if account else []
    if masks and source.user and source.host:
        proofs.append(Identity(Proof.IRC_MASK, network, source.mask))
    return Sender(
        network=network,
        address=source.nick if has_address(source.nick) else "?",
        name=shown_name(source.nick, "?"),
        proofs=tuple(proofs),
        casemapping=casemapping,
        bot=bot,
        mask=source.mask if source.user and source.host else "",
        connection=connection,
    )


def _called(text: str, names: tuple[str, ...]) -> str | None:
    lowered = text.lower()
    present = [name for name in names if name.lower() in lowered]
    for name in present:
        if addressed(text, (name,)) is not None:
            return name
    alone = (rf"(?<!{_OF_NICK}){re.escape(name)}(?!{_OF_NICK})" for name in present)
    return "" if any(re.search(name, text, re.IGNORECASE) for name in alone) else None
