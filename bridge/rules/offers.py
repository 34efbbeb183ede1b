"""What is offered of a message besides its words: links to its files and its whole text, and a preview. Pure."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from bridge.model.event import FOREVER, Edit, Event, Media, Message
from bridge.model.text import Text, plain
from bridge.rules.link import Link

_SHORT = 200
"""Bytes that a line of a network mostly has for words at least."""
_ADDRESS = re.compile(r"https?://[^\s<>\"']{4,500}", re.ASCII | re.IGNORECASE)
_AFTER = ".,;:!?)]}"
"""What ends a sentence rather than an address."""
_FILE = re.compile(
    r"\.(?:png|jpe?g|gif|webp|avif|bmp|mp4|webm|mov|ogv|mp3|m4a|aac|og[ga]|opus|flac|wav)$", re.IGNORECASE
)


def offered(event: Event, link: Link, now: float, *, most: int) -> Event:
    """`event`, which is carried in `link`, with the time until which links to its files and its whole text work, and
    the address whose file is sent with it. `most`: its lines on a network of lines."""
    body, rules = event.body, link.rules
    if not isinstance(body, Message | Edit):
        return event
    until = _until(rules.files_last, now)
    if body.media:
        body = replace(body, media=tuple(_lasting(each, until, rules.largest_file) for each in body.media))
    may_show = rules.preview and isinstance(body, Message) and event.room in link.by_hand
    return replace(
        event,
        body=body,
        text_until=until if may_be_long(body.text, most) else 0,
        preview=address(body.text) if may_show else "",
    )


def within(event: Event, spend: Callable[[], bool]) -> Event:
    """`event` with as much of what is offered as there are means for: `spend` pays for one more, or returns False."""
    body = event.body
    if not isinstance(body, Message | Edit):
        return event
    media = tuple(replace(each, until=0) if each.until and not spend() else each for each in body.media)
    return replace(
        event,
        body=replace(body, media=media) if body.media else body,
        text_until=event.text_until if event.text_until and spend() else 0,
        preview=event.preview if event.preview and spend() else "",
    )


def without(event: Event) -> Event:
    """`event` with nothing offered."""
    return within(event, lambda: False)


def may_be_long(text: Text, most: int) -> bool:
    """Whether `text` may take more than `most` lines on a network of lines. 0: it has no limit."""
    if not most:
        return False
    words = plain(text)
    return words.count("\n") >= most or len(words.encode(errors="replace")) > most * _SHORT


def address(text: Text) -> str:
    """The first address in `text` that names a picture, sound or video; '' if there is none."""
    for found in _ADDRESS.finditer(plain(text)):
        given = found[0].rstrip(_AFTER)
        try:
            path = urlsplit(given).path
        except ValueError:
            continue
        if _FILE.search(path):
            return given
    return ""


def _until(seconds: float, now: float) -> int:
    """When a link that works for so long expires; 0: none is made."""
    if not seconds:
        return 0
    return FOREVER if math.isinf(seconds) else math.ceil(now + seconds)


def _lasting(media: Media, until: int, largest: int) -> Media:
    is_small = media.size is None or media.size <= largest
    return replace(media, until=until if media.source and is_small else 0)
