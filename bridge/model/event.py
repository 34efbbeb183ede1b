"""Events: an envelope around one of a few bodies. Also rooms and event keys."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, assert_never

from pydantic import Field

from bridge.lib.durations import clock_time
from bridge.lib.sizes import spelled
from bridge.model.people import Identity, Sender
from bridge.model.text import LINE_END, Span, Text, merge, words

BOTS = "bots"
VOICES = f"{BOTS}@"
"""How the network begins by which one worker's bots and desk speak, where several workers share a store: its name."""
"""The internal network whose rooms are the bots' inboxes ("ears"). No network of the config may have this name."""

DESK = "desk"
"""The ear for private commands to the bridge itself. No bot of the config may have this name."""


@dataclass(frozen=True, slots=True, order=True)
class Room:
    """A room, channel or private conversation on a network.

    Only the network's adapter reads `id`, and makes sure that a room has only one: for a configured room the string in
    the config (`#pond`, `#pond:example.org`), for a private conversation the person's address or the room's own id.
    """

    network: str
    id: str

    def __str__(self) -> str:
        return f"{self.network}/{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Room":
        """`network/id`, as the config and the command line write it. Raises ValueError if a part is missing."""
        network, slash, room = text.partition("/")
        if not (network and slash and room):
            raise ValueError(f"{text!r} is not NETWORK/ROOM")
        return cls(network, room)


@dataclass(frozen=True, slots=True)
class EventKey:
    """Identifies an event: its id is unique in its room."""

    room: Room
    id: str


class Kind(StrEnum):
    """The kind of a message: plain text, `/me`, or a notice, which no bot may answer (RFC 2812 section 3.3.2)."""

    TEXT = "text"
    ACTION = "action"
    NOTICE = "notice"


class Reach(StrEnum):
    """Which rooms of those that hear a message get it: all, those where it can be edited later, or only the others."""

    ALL = "all"
    EDITABLE = "editable"
    FIXED = "fixed"


class Origin(StrEnum):
    """Where an event comes from: heard live, replayed later from a network's history, or said by the bridge itself.

    Without a proof, the sender of a replayed event is unknown. Our own messages have no sender mark and never count as
    lost.
    """

    LIVE = "live"
    REPLAYED = "replayed"
    OURS = "ours"


class Change(StrEnum):
    """How a person's membership of a room changed. `PRESENT`: not at all, they were there when we came; nobody is told
    of it in words."""

    JOINED = "joined"
    PRESENT = "present"
    LEFT = "left"
    KICKED = "kicked"
    BANNED = "banned"
    RENAMED = "renamed"


FOREVER = 2**32 - 1
"""The value of `Media.until` for a link that never expires."""


@dataclass(frozen=True, slots=True)
class Media:
    """A file of a message. `size` is in bytes, `length` in seconds. Only the network that it came from reads `source`,
    which is '' if nobody can fetch the file.

    The gate sets `until`: when a link to the file expires (seconds since the epoch); 0: no link is made. The relay sets
    `link` before the message is rendered; it is not stored.
    """

    kind: Literal["image", "file", "audio", "video", "voice", "sticker"]
    name: str
    size: int | None
    mime: str
    source: str = field(repr=False)  # it may hold the key of an encrypted file
    length: float | None = None
    until: int = 0
    link: str = ""

    @property
    def described(self) -> str:
        """Kind, name, length and size: `[image: cat.png, 12 KB]`."""
        about = [self.name] if self.name else []
        about += [clock_time(self.length)] if self.length is not None else []
        about += [spelled(self.size)] if self.size is not None else []
        return f"[{self.kind}: {', '.join(about)}]" if about else f"[{self.kind}]"


@dataclass(frozen=True, slots=True)
class Message:
    """Somebody said something.

    `text` is the caption if there are `media`. `called` is the name by which the beginning of the text addresses our
    account; '' if the message mentions us elsewhere, None if not at all. `reply_to` and `thread` are events of the same
    room. `mentions` are addresses of people there. `reach`: of a bot's answer, which grows where that can be shown. The
    gate sets `bot`, the key of the one bot that the message calls ('': none in particular).
    """

    text: Text
    kind: Kind = Kind.TEXT
    called: str | None = None
    reply_to: EventKey | None = None
    thread: EventKey | None = None
    media: tuple[Media, ...] = ()
    mentions: tuple[str, ...] = ()
    reach: Reach = Reach.ALL
    bot: str = ""
    type: Literal["message"] = "message"


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` and `media` replace those of the message `target`. `kind`: as in `Message`."""

    target: EventKey
    text: Text
    kind: Kind = Kind.TEXT
    media: tuple[Media, ...] = ()
    type: Literal["edit"] = "edit"


@dataclass(frozen=True, slots=True)
class Redaction:
    """The event `target` is to be removed everywhere. `moderated`: the network vouches that the sender may remove what
    others say in the room of the event."""

    target: EventKey
    reason: str = ""
    moderated: bool = False
    type: Literal["redaction"] = "redaction"


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody reacts to `target` with `key` (mostly an emoji), or takes the reaction back if `removed`."""

    target: EventKey
    key: str
    removed: bool = False
    type: Literal["reaction"] = "reaction"


@dataclass(frozen=True, slots=True)
class Membership:
    """`person` joined, left or was renamed; `detail` is the reason or the new name. The gate adds `note`, which
    renderers show behind the new name (see `Sender`), and `quiet`: nobody is told in words, but who has an account of
    their own on the other side comes and goes there."""

    person: Sender
    change: Change
    detail: str = ""
    note: str = ""
    quiet: bool = False
    type: Literal["membership"] = "membership"


@dataclass(frozen=True, slots=True)
class Topic:
    """The room's topic is `text` now."""

    text: str
    type: Literal["topic"] = "topic"


class Act(StrEnum):
    """What somebody who runs a room does to somebody there."""

    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    QUIET = "quiet"
    UNQUIET = "unquiet"


@dataclass(frozen=True, slots=True)
class Moderation:
    """The sender does `act`, for that `reason`, to `person`, who is of another network and in the room by a face of
    their own (a puppet or a ghost). `key`: by what that network knows them who have proved nothing; '' if they have.

    The gate adds `identities`, what proves on other networks who they are, and `mirrored`: the same is to be done in
    the other rooms, as far as we may."""

    act: Act
    person: Sender
    reason: str = ""
    key: str = ""
    identities: tuple[Identity, ...] = ()
    mirrored: bool = False
    type: Literal["moderation"] = "moderation"


Body = Annotated[Message | Edit | Redaction | Reaction | Membership | Topic | Moderation, Field(discriminator="type")]
"""What happened. The `type` tag is stored, so that each body is read back as the same class."""


TYPES = ("message", "edit", "redaction", "reaction", "membership", "topic", "moderation")
"""The tags of all bodies."""


@dataclass(frozen=True, slots=True)
class Mentioned:
    """The user whom a message mentions by `address`, on the network of the message, and all that proves them."""

    address: str
    user: str
    identities: tuple[Identity, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a room: all that store, gate, delivery, notices and desk need to know.

    `time` is in seconds since the epoch, by the network's clock. `private`: in a conversation with one person.
    The gate sets `max_lines`, the most lines on a network where a message is made of lines (0: no limit);
    `text_until`, when a link to the whole text expires (seconds since the epoch) if that may be more (0: no link is
    made); `preview`, the address of a picture, sound or video in the text that is sent with it where files can be ('':
    none); and `mentioned`, the users among those whom the message mentions. The relay sets `text_link` before the
    message is rendered; it is not stored. `overtaken`: it could be read only after some that were said later.
    """

    id: str
    room: Room
    sender: Sender
    time: float
    body: Body
    private: bool = False
    origin: Origin = Origin.LIVE
    max_lines: int = 0
    mentioned: tuple[Mentioned, ...] = ()
    text_until: int = 0
    text_link: str = ""
    preview: str = ""
    overtaken: bool = False

    @property
    def key(self) -> EventKey:
        return EventKey(self.room, self.id)

    @property
    def text(self) -> Text:
        """The text of the event: the message with what files it has, reason, reaction, detail or topic."""
        match self.body:
            case Message() | Edit() as body:
                return described(body)
            case Redaction(reason=said) | Reaction(key=said) | Membership(detail=said) | Topic(text=said):
                return words(said)
            case Moderation(reason=said):
                return words(said)
            case _ as never:
                assert_never(never)

    @property
    def target(self) -> EventKey | None:
        """The event that this one edits, redacts or reacts to; None if there is none."""
        match self.body:
            case Edit(target=target) | Redaction(target=target) | Reaction(target=target):
                return target
            case Message() | Membership() | Topic() | Moderation():
                return None
            case _ as never:
                assert_never(never)

    @property
    def refers(self) -> tuple[EventKey, ...]:
        """The events that rendering this one needs to know of."""
        match self.body:
            case Message(reply_to=reply_to, thread=thread):
                return tuple(key for key in (reply_to, thread) if key is not None)
            case Edit(target=target) | Redaction(target=target) | Reaction(target=target):
                return (target,)
            case Membership() | Topic() | Moderation():
                return ()
            case _ as never:
                assert_never(never)


def described(body: Message | Edit) -> Text:
    """The text of `body`, and after it kind, name and size of each file."""
    return _after(body.text, [(Span(each.described),) for each in body.media], " ")


def with_links(body: Message | Edit) -> Text:
    """As `described`, with a link after each file that has one. After a text of several lines, files have one of their
    own: the last may be code, or of a list."""
    gap = "\n" if any(LINE_END.search(span.text) for span in _trimmed(body.text)) else " "
    return _after(body.text, [(Span(each.described), *_linked(each)) for each in body.media], gap)


def _linked(media: Media) -> Text:
    return (Span(" "), Span(media.link, link=media.link)) if media.link else ()


def _after(text: Text, media: list[Text], gap: str) -> Text:
    """`text`, and after the `gap` the `media`."""
    spans = [*(_trimmed(text) if media else text)]
    for number, each in enumerate(media):
        spans += (Span(" " if number else gap), *each) if spans else each
    return merge(spans)


def _trimmed(text: Text) -> Text:
    """`text` without white space at its end."""
    spans = [*text]
    while spans:
        last = spans.pop()
        if shown := last.text.rstrip():
            return (*spans, last.with_text(shown))
    return ()
