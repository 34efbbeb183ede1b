"""Matrix events to messages: content of any kind becomes words, so that nothing said is lost silently."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.matrix.dialect.fields import Json, number, table, values, word
from bridge.matrix.dialect.html import FORMAT, LIMIT, Read, read
from bridge.model.event import Event, EventKey, Kind, Message, Origin, Redaction, Room
from bridge.model.people import Identity, Proof, Sender
from bridge.model.text import Text, addressed, plain, says_nothing, shown_name, words

_KINDS = {"m.text": Kind.TEXT, "m.notice": Kind.NOTICE, "m.emote": Kind.ACTION}
_FILES = {"m.image": "image", "m.file": "file", "m.audio": "audio", "m.video": "video", "m.location": "location"}
_NOT_SAID = frozenset({"m.key.verification.request"})
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


def said_at(event: Json) -> float:
    """When `event` was said, in seconds since the epoch, as its homeserver claims; 0 if it does not say."""
    return (number(event, "origin_server_ts") or 0) / 1000


def message(
    event: Json, room: Room, who: Sender, us: Us, *, private: bool = False, replayed: bool = False
) -> Event | None:
    """The message in a room event (client format); None if it says nothing to people. `replayed`: it was said while we
    were away. Never raises."""
    content = table(event, "content")
    if word(event, "type") == "m.room.redaction":
        return _redaction(event, room, who, private=private, replayed=replayed)
    if not content or word(event, "type") not in ("m.room.message", "m.sticker"):
        return None
    edited = table(content, "m.new_content") if _relation(content) == "m.replace" else {}
    said = edited or content
    # in private, as in a command, a link to a person means their id, not the name shown
    read = _read(event, said, is_reply=bool(_replied(content)), by_id=private)
    if read is not None and says_nothing(plain(read.text)):  # but a bare /me says its sender's name
        read = Read((), read.people) if word(said, "msgtype") == "m.emote" and not private else None
    if read is None:
        return None
    text = (*words("* "), *read.text) if edited else read.text
    mentions = [*values(table(said, "m.mentions"), "user_ids"), *read.people]
    replied = _replied(content)
    return Event(
        id=word(event, "event_id"),
        room=room,
        sender=who,
        time=said_at(event),
        body=Message(
            text,
            _KINDS.get(word(said, "msgtype"), Kind.TEXT),
            called=_called(plain(read.text), us, mentioned=us.user in mentions),
            reply_to=EventKey(room, replied) if replied else None,
        ),
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
        body=Redaction(EventKey(room, target), _short(word(content, "reason"))),
        private=private,
        origin=Origin.REPLAYED if replayed else Origin.LIVE,
    )


def _read(event: Json, said: Json, *, is_reply: bool, by_id: bool) -> Read | None:
    """The words of a message, and the people whom it links."""
    kind = word(said, "msgtype")
    if kind in _NOT_SAID:
        return None
    if word(event, "type") == "m.sticker":
        return Read(words(f"[sticker: {_short(word(said, 'body')) or 'no name'}]"), _NOBODY)
    if kind in _FILES:
        return Read(_file(_FILES[kind], said), _NOBODY)
    formatted = word(said, "formatted_body") if word(said, "format") == FORMAT else ""
    found = read(formatted, by_id=by_id) if formatted else None
    if found is not None and plain(found.text).strip():
        return found
    body = word(said, "body").encode()[:LIMIT].decode(errors="ignore")
    return Read(words(_without_fallback(body) if is_reply else body), _NOBODY)


def _file(kind: str, said: Json) -> Text:
    """Words for a file or a location: its name, and its caption (spec, "Media captions")."""
    body = _short(word(said, "body"))
    name = _short(word(said, "filename")) or _short(word(said, "geo_uri")) or body or "no name"
    if not body or body == name:
        return words(f"[{kind}: {name}]")
    return words(f"[{kind}: {name}] {body}")


def _short(text: str) -> str:
    return text.strip()[:4000]


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
