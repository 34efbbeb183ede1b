"""The content of a Matrix message as words: nothing said is lost silently, of whatever kind it is."""

import re

from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.dialect.files import MOST, is_gallery, kind_of, number_of
from bridge.matrix.dialect.html import FORMAT, LIMIT, Read, read
from bridge.model.identifiers import MATRIX_ID_LIMIT
from bridge.model.text import Span, Text, merge, plain, says_nothing, words

MESSAGES = ("m.room.message", "m.sticker")
_LOCATION = "m.location"
_GEO = re.compile(r"geo:(-?\d{1,3}(?:\.\d{1,12})?),(-?\d{1,3}(?:\.\d{1,12})?)(?![\d.])", re.ASCII)
"""Latitude and longitude of a `geo:` URI (RFC 5870)."""
_MAP = "https://www.openstreetmap.org/?mlat={0}&mlon={1}#map=16/{0}/{1}"
_NOT_SAID = frozenset({"m.key.verification.request"})
_SHORT = 2000  # characters
_NOBODY: frozenset[str] = frozenset()


def is_long(event: Json) -> bool:
    """Whether `event` is a message that takes more than a moment to read."""
    if word(event, "type") not in MESSAGES:
        return False
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


def readable(event: Json, said: Json, *, is_reply: bool, by_id: bool) -> Read | None:
    """The words of `said`, the content of `event` or what replaces it, and the people whom it links; None if it says
    nothing to people. Of a file it is the caption. `is_reply`: it may begin with a quotation for old clients. `by_id`:
    people are named by their ids."""
    found = _read(event, said, is_reply=is_reply, by_id=by_id)
    if found is not None and says_nothing(plain(found.text)):  # but a bare /me says its sender's name
        if kind_of(event, said) is not None:
            return Read((), found.people)
        return Read((), found.people) if word(said, "msgtype") == "m.emote" and not by_id else None
    return found


def text_under(said: Json, key: str) -> str:
    """The text under `key`, within what an event may have: the store is spared any more."""
    return _bounded(word(said, key).strip())


def relation(content: Json) -> str:
    """How the event relates to another (spec, "Forming relationships between events"); empty if it does not."""
    return word(table(content, "m.relates_to"), "rel_type")


def related(content: Json, kind: str) -> str:
    """The id of the event to which this one has a relation of that `kind`; empty if there is none."""
    return event_id(table(content, "m.relates_to"), "event_id") if relation(content) == kind else ""


def replied(content: Json) -> str:
    """The id of the event that this one replies to; empty if a thread has the reply for old clients only."""
    relates = table(content, "m.relates_to")
    if relates.get("is_falling_back") is True and relation(content) == "m.thread":
        return ""
    return event_id(table(relates, "m.in_reply_to"), "event_id")


def may_quote(content: Json) -> bool:
    """Whether the text may begin with a quotation for old clients: in a thread it may though it is no reply."""
    return bool(event_id(table(content, "m.relates_to", "m.in_reply_to"), "event_id"))


def event_id(source: Json, key: str) -> str:
    """The id of an event under `key`; empty if it is longer than ids are, which no event has."""
    found = word(source, key)
    return found if len(found.encode()) <= MATRIX_ID_LIMIT else ""


def _read(event: Json, said: Json, *, is_reply: bool, by_id: bool) -> Read | None:
    """The words of a message, and the people whom it links."""
    kind = word(said, "msgtype")
    if kind in _NOT_SAID:
        return None
    if word(event, "type") == "m.sticker":
        return Read((), _NOBODY)
    if kind == _LOCATION:
        return _location(said, is_reply=is_reply, by_id=by_id)
    if kind_of(event, said) is not None:
        if is_gallery(said):
            return _gallery(said, is_reply=is_reply, by_id=by_id)
        return _caption(said, text_under(said, "filename"), is_reply=is_reply, by_id=by_id)
    return _words(said, is_reply=is_reply, by_id=by_id)


def _words(said: Json, *, is_reply: bool, by_id: bool) -> Read:
    """The words of a text or a caption: those of its HTML, if it has any that can be read."""
    formatted = word(said, "formatted_body") if word(said, "format") == FORMAT else ""
    found = read(formatted, by_id=by_id) if formatted else None
    if found is not None and plain(found.text).strip():
        return found
    body = _bounded(word(said, "body"))
    return Read(words(_without_fallback(body) if is_reply else body), _NOBODY)


def _caption(said: Json, name: str, *, is_reply: bool, by_id: bool) -> Read:
    """The caption of a file (spec, "Media captions"): its body, only if that is not its name."""
    body = text_under(said, "body")
    if not body or not name or body == name:
        return Read((), _NOBODY)
    return _words(said, is_reply=is_reply, by_id=by_id)


def _gallery(said: Json, *, is_reply: bool, by_id: bool) -> Read:
    """The caption of several files (MSC4274): its body has no other use. Says so if there are more than are shown."""
    caption, number = _words(said, is_reply=is_reply, by_id=by_id), number_of(said)
    if number <= MOST:
        return caption
    before: Text = (*caption.text, Span(" ")) if plain(caption.text).strip() else ()
    return Read(merge((*before, Span(f"(the first {MOST} of {number:,} files)"))), caption.people)


def _location(said: Json, *, is_reply: bool, by_id: bool) -> Read:
    """What its sender says of a location (spec, `m.location`), its `geo:` URI, which some clients open, and a link to a
    map."""
    geo = text_under(said, "geo_uri")
    where = geo or text_under(said, "body")
    shown = words(f"[location: {where}]" if where else "[location]")
    if found := _GEO.match(geo):
        link = _MAP.format(*found.groups())
        shown = (*shown, Span(" "), Span(link, link=link))
    caption = _caption(said, geo, is_reply=is_reply, by_id=by_id)
    before: Text = (*caption.text, Span(" ")) if caption.text else ()
    return Read(merge((*before, *shown)), caption.people)


def _bounded(text: str) -> str:
    return text.encode()[:LIMIT].decode(errors="ignore")


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
