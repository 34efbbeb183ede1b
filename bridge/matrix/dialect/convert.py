"""Matrix events to messages: content of any kind becomes words, so that nothing said is lost silently."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bridge.matrix.dialect.fields import Json, number, table, values, word
from bridge.matrix.dialect.html import FORMAT, LIMIT, Read, read
from bridge.model.event import Body, Edit, Event, EventKey, Kind, Message, Origin, Redaction, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import addressed, merge, plain, says_nothing, shown_name, words

_KINDS = {"m.text": Kind.TEXT, "m.notice": Kind.NOTICE, "m.emote": Kind.ACTION}
_FILES = {"m.image": "image", "m.file": "file", "m.audio": "audio", "m.video": "video", "m.location": "location"}
_NOT_SAID = frozenset({"m.key.verification.request"})
_SHORT = 2000  # characters
_NOBODY: frozenset[str] = frozenset()


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


def is_long(event: Json) -> bool:
    """Whether `event` takes more than a moment to read."""
    content = table(event, "content")
    texts = [
        word(part, key) for part in (content, table(content, "m.new_content")) for key in ("body", "formatted_body")
    ]
    return max(map(len, texts)) > _SHORT


def beginning(event: Json) -> Json:
    """`event` without formatting, and with no more than the beginning of its words: of people who are not carried, only
    the bots read that much."""
    content = table(event, "content")
    kept = {key: content[key] for key in ("m.relates_to", "m.mentions") if key in content}
    if new := table(content, "m.new_content"):
        kept["m.new_content"] = _beginning(new)
    return {**event, "content": {**kept, **_beginning(content)}}


def _beginning(content: Json) -> Json:
    return {"msgtype": word(content, "msgtype"), "body": word(content, "body")[:_SHORT]}


def with_id(who: Sender) -> Sender:
    """`who`, their id behind their name, as Matrix clients tell people of one name apart."""
    return replace(who, name=f"{who.name} ({shown_name(who.address, fallback='?')})")


def said_at(event: Json) -> float:
    """When `event` was said, in seconds since the epoch, as its homeserver claims; 0 if it does not say."""
    return (number(event, "origin_server_ts") or 0) / 1000


def message(
    event: Json, room: Room, who: Sender, us: Us, *, private: bool = False, replayed: bool = False
) -> Event | None:
    """The message or the edit in a room event (client format); None if it says nothing to people. `replayed`: it was
    said while we were away. Never raises.

    What an edit says is only in its `m.new_content`; its own body is for clients that know no edits (spec, "Event
    replacements")."""
    content = table(event, "content")
    if word(event, "type") == "m.room.redaction":
        return _redaction(event, room, who, private=private, replayed=replayed)
    if not content or word(event, "type") not in ("m.room.message", "m.sticker"):
        return None
    edited = _edited(content)
    said = table(content, "m.new_content") if edited else content
    # in private, as in a command, a link to a person means their id, not the name shown
    read = _read(event, said, is_reply=bool(_replied(content)), by_id=private)
    if read is not None and says_nothing(plain(read.text)):  # but a bare /me says its sender's name
        read = Read((), read.people) if word(said, "msgtype") == "m.emote" and not private else None
    if read is None:
        return None
    return Event(
        id=word(event, "event_id"),
        room=room,
        sender=who,
        time=said_at(event),
        body=_edit(room, edited, said, read) if edited else _spoken(room, said, read, us),
        private=private,
        origin=Origin.REPLAYED if replayed else Origin.LIVE,
    )


def _redaction(event: Json, room: Room, who: Sender, *, private: bool, replayed: bool) -> Event | None:
    """A removal (spec, "Redactions"): `redacts` is in the content since room version 11, before that beside it."""
    content = table(event, "content")
    target = word(content, "redacts") or word(event, "redacts")
    if not target:
        return None
    return Event(
        id=word(event, "event_id"),
        room=room,
        sender=who,
        time=said_at(event),
        body=Redaction(EventKey(room, target), _name(content, "reason")),
        private=private,
        origin=Origin.REPLAYED if replayed else Origin.LIVE,
    )


def _spoken(room: Room, content: Json, read: Read, us: Us) -> Body:
    """A message of its own."""
    mentions = [*values(table(content, "m.mentions"), "user_ids"), *read.people]
    replied = _replied(content)
    return Message(
        read.text,
        _kind(content),
        called=_called(plain(read.text), us, mentioned=us.user in mentions),
        reply_to=EventKey(room, replied) if replied else None,
    )


def _edit(room: Room, target: str, new: Json, read: Read) -> Body:
    return Edit(EventKey(room, target), read.text, _kind(new))


def _kind(said: Json) -> Kind:
    return _KINDS.get(word(said, "msgtype"), Kind.TEXT)


def _edited(content: Json) -> str:
    """The id of the event that this one replaces; empty if it is no edit."""
    return word(table(content, "m.relates_to"), "event_id") if _relation(content) == "m.replace" else ""


def _read(event: Json, said: Json, *, is_reply: bool, by_id: bool) -> Read | None:
    """The words of a message, and the people whom it links."""
    kind = word(said, "msgtype")
    if kind in _NOT_SAID:
        return None
    if word(event, "type") == "m.sticker":
        return Read(words(f"[sticker: {_name(said, 'body') or 'no name'}]"), _NOBODY)
    if kind in _FILES:
        return _file(_FILES[kind], said, is_reply=is_reply, by_id=by_id)
    return _words(said, is_reply=is_reply, by_id=by_id)


def _words(said: Json, *, is_reply: bool, by_id: bool) -> Read:
    """The words of a text or a caption: those of its HTML, if it has any that can be read."""
    formatted = word(said, "formatted_body") if word(said, "format") == FORMAT else ""
    found = read(formatted, by_id=by_id) if formatted else None
    if found is not None and plain(found.text).strip():
        return found
    body = _bounded(word(said, "body"))
    return Read(words(_without_fallback(body) if is_reply else body), _NOBODY)


def _file(kind: str, said: Json, *, is_reply: bool, by_id: bool) -> Read:
    """Words for a file or a location: its name, and its caption (spec, "Media captions": only if the body is not the
    name)."""
    body = _name(said, "body")
    name = _name(said, "filename") or _name(said, "geo_uri") or body or "no name"
    shown = words(f"[{kind}: {name}]")
    if not body or body == name:
        return Read(shown, _NOBODY)
    caption = _words(said, is_reply=is_reply, by_id=by_id)
    return Read(merge((*shown, *words(" "), *caption.text)), caption.people)


def _name(said: Json, key: str) -> str:
    return _bounded(word(said, key).strip())


def _bounded(text: str) -> str:
    """`text` within what an event may have: the store is spared any more."""
    return text.encode()[:LIMIT].decode(errors="ignore")


def _relation(content: Json) -> str:
    return word(table(content, "m.relates_to"), "rel_type")


def _replied(content: Json) -> str:
    """The id of the event that this one replies to; empty if a thread has the reply for old clients only."""
    relates = table(content, "m.relates_to")
    if relates.get("is_falling_back") is True and _relation(content) == "m.thread":
        return ""
    return word(table(relates, "m.in_reply_to"), "event_id")


def _without_fallback(body: str) -> str:
    """A reply without the quotation that older clients put before it (spec 1.12, "Fallbacks for rich replies")."""
    if not body.startswith(("> <", "> * <")):
        return body
    lines = body.split("\n")
    quoted = 0
    while quoted < len(lines) and lines[quoted].startswith("> "):
        quoted += 1
    if quoted == len(lines) or lines[quoted]:
        return body  # a quotation of one's own: the fallback ends with an empty line
    return "\n".join(lines[quoted + 1 :]) or body


def _called(text: str, us: Us, *, mentioned: bool) -> str | None:
    for name in us.names:
        if addressed(text, (name,)) is not None:
            return name
    return "" if mentioned else None
