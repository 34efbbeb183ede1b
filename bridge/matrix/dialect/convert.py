"""Matrix events to events of ours: an envelope around the body that the type of the event makes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bridge.matrix.dialect import polls
from bridge.matrix.dialect.addresses import is_person
from bridge.matrix.dialect.content import event_id, may_quote, readable, related, replied, text_under
from bridge.matrix.dialect.fields import Json, number, table, tables, values, word
from bridge.matrix.dialect.files import files
from bridge.matrix.dialect.html import Read
from bridge.model.event import Body, Edit, Event, EventKey, Kind, Message, Origin, Reaction, Redaction, Room, Topic
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import addressed, one_line, plain, says_nothing, shown_name, words

_KINDS = {"m.text": Kind.TEXT, "m.notice": Kind.NOTICE, "m.emote": Kind.ACTION}
_MENTIONS = 50
"""People whom one message mentions at most: others are not pinged."""
_KEY = 50
"""Characters of a reaction at most: an emoji has up to some twenty; some people react with words."""
_TOPIC = 2000
"""Characters of a topic at most: more than any IRC network shows."""
_SHORTCODES = ("shortcode", "com.beeper.reaction.shortcode")
"""Where the name of a custom emoji is (MSC4027, and before it had a number)."""


@dataclass(frozen=True, slots=True)
class Us:
    """Our account: its full id, and the name that it shows."""

    user: str
    shown: str

    @property
    def names(self) -> Iterable[str]:
        """The names by which we may be addressed."""
        return dict.fromkeys((self.user, self.shown, self.user.removeprefix("@").partition(":")[0]))


def sender(network: str, user: str, displayname: str) -> Sender:
    """The person `user`, whose id a homeserver vouches for."""
    name = shown_name(displayname, fallback=user)
    return Sender(network, user, name, (Identity(Proof.MATRIX, "", user),))


def with_id(who: Sender) -> Sender:
    """`who`, their id behind their name, as Matrix clients tell people of one name apart."""
    return replace(who, name=f"{who.name} ({shown_name(who.address, fallback='?')})")


def said_at(event: Json) -> float:
    """When `event` was said, in seconds since the epoch, as its homeserver claims; 0 if it does not say."""
    return (number(event, "origin_server_ts") or 0) / 1000


def event(
    event: Json,
    room: Room,
    who: Sender,
    us: Us,
    *,
    private: bool = False,
    replayed: bool = False,
    moderated: Callable[[], bool] = lambda: False,
) -> Event | None:
    """What a room event (client format) says; None if it says nothing to people. `replayed`: it was said while we were
    away. `moderated`: whether its sender may remove what others said; only asked if they remove something. Never
    raises."""
    body = _body(event, room, us, private=private, moderated=moderated)
    return None if body is None else enveloped(event, room, who, body, private=private, replayed=replayed)


def enveloped(event: Json, room: Room, who: Sender, body: Body, *, private: bool = False, replayed: bool) -> Event:
    """`body` with the id and the time of `event`."""
    origin = Origin.REPLAYED if replayed else Origin.LIVE
    return Event(word(event, "event_id"), room, who, said_at(event), body, private, origin)


def _body(event: Json, room: Room, us: Us, *, private: bool, moderated: Callable[[], bool]) -> Body | None:
    match word(event, "type"):
        case "m.room.message" | "m.sticker":
            return _said(event, room, us, private=private)
        case kind if kind in polls.STARTS:
            return _asked(table(event, "content"), room, us)
        case "m.room.redaction":
            return _redaction(event, room, moderated)
        case "m.reaction":
            return _reaction(table(event, "content"), room)
        case "m.room.topic" if not private:
            return _topic(event)
        case _:
            return None


def _said(event: Json, room: Room, us: Us, *, private: bool) -> Body | None:
    """A message, or an edit. What an edit says is only in its `m.new_content`; its own body is for clients that know no
    edits (spec, "Event replacements")."""
    content = table(event, "content")
    if not content:
        return None
    edited = related(content, "m.replace")
    said = table(content, "m.new_content") if edited else content
    # in private, as in a command, a link to a person means their id, not the name shown
    read = readable(event, said, is_reply=may_quote(content), by_id=private)
    if read is None:
        return None
    media = files(event, said)
    if edited:
        return Edit(EventKey(room, edited), read.text, _kind(said), media)
    return replace(_spoken(room, said, read, us), media=media)


def _spoken(room: Room, content: Json, read: Read, us: Us) -> Message:
    """A message of its own."""
    mentioned = _mentioned(content, read)
    reply_to, root = replied(content), related(content, "m.thread")
    return Message(
        read.text,
        _kind(content),
        called=_called(plain(read.text), us, mentioned=us.user in mentioned),
        reply_to=EventKey(room, reply_to) if reply_to else None,
        thread=EventKey(room, root) if root else None,
        mentions=tuple(islice((user for user in mentioned if user != us.user and is_person(user)), _MENTIONS)),
    )


def _asked(content: Json, room: Room, us: Us) -> Message | Edit | None:
    """A poll (MSC3381), or an edit of one, in words."""
    edited = related(content, "m.replace")
    text = polls.question_line(table(content, "m.new_content") if edited else content)
    if not text:
        return None
    if edited:
        return Edit(EventKey(room, edited), words(text))
    return _spoken(room, content, Read(words(text), frozenset()), us)


def ended(end: Json, start: Json, text: str, room: Room) -> Message:
    """What tells that a poll has ended: `end` is the event, `start` the content of the poll, empty if unknown."""
    root = related(start, "m.thread")
    thread = EventKey(room, root) if root else None
    return Message(words(text), reply_to=EventKey(room, polls.ended_by(end)), thread=thread)


def _redaction(event: Json, room: Room, moderated: Callable[[], bool]) -> Redaction | None:
    """A removal (spec, "Redactions"): `redacts` is in the content since room version 11, before that beside it."""
    content = table(event, "content")
    target = event_id(content, "redacts") or event_id(event, "redacts")
    if not target:
        return None
    return Redaction(EventKey(room, target), text_under(content, "reason"), moderated())


def _reaction(content: Json, room: Room) -> Reaction | None:
    """A reaction (spec, "Event annotations and reactions"). A custom emoji, whose key is the address of an image, goes
    by its name; without one there is nothing that others could see."""
    target = related(content, "m.annotation")
    key = _line(word(table(content, "m.relates_to"), "key"), _KEY)
    if key.startswith("mxc://"):
        names = (_line(word(content, place), _KEY).strip(": ") for place in _SHORTCODES)
        name = next(filter(None, names), "")
        key = f":{name}:" if name else ""
    return Reaction(EventKey(room, target), key) if target and not says_nothing(key) else None


def _topic(event: Json) -> Topic | None:
    """The topic that was set (spec, `m.room.topic`), empty if it was removed; None if people see no difference."""
    text, before = _topic_of(table(event, "content")), _topic_of(table(event, "unsigned", "prev_content"))
    return Topic(text) if text != before else None


def _topic_of(content: Json) -> str:
    """`topic`, or the plain one of the representations in `m.topic` (MSC3765)."""
    plain_ones = (
        word(each, "body")
        for each in tables(content, "m.topic", "m.text")
        if word(each, "mimetype") in ("", "text/plain")
    )
    return _line(word(content, "topic") or next(plain_ones, ""), _TOPIC)


def _line(text: str, most: int) -> str:
    """The beginning of `text` in one line."""
    return " ".join(one_line(text, most).split())


def _kind(said: Json) -> Kind:
    return _KINDS.get(word(said, "msgtype"), Kind.TEXT)


def _mentioned(content: Json, read: Read) -> Sequence[str]:
    """Whom the sender mentions on purpose (spec, "User and room mentions"). Only old clients have no `m.mentions`: with
    them it is whom they link."""
    if "m.mentions" not in content:
        return sorted(read.people)
    named = values(table(content, "m.mentions"), "user_ids")
    return [*dict.fromkeys(user for user in named if isinstance(user, str))]


def _called(text: str, us: Us, *, mentioned: bool) -> str | None:
    for name in us.names:
        if addressed(text, (name,)) is not None:
            return name
    return "" if mentioned else None
