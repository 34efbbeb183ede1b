"""Decides what a message gets besides its words: links to its files and its whole text, and a preview. Pure."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import regex

from bridge.model.event import FOREVER, Edit, Event, Media, Message
from bridge.model.readable import spelled_out
from bridge.model.text import Span, Style, Text, lines, plain, untabbed
from bridge.rules.link import Link

_SHORT = 200
"""Bytes of a line that are left for words at least, unless a name is very long."""
_CODES = 24
"""Bytes that formatting may take at most before words, and after them."""
_NAME = 64
"""Bytes of a nick at most."""
_BLANKS = re.compile("[^\\S\u00a0]+")
"""White space at which lines are wrapped."""
_WHOLE = regex.compile(r"[\p{M}\p{Cf}\p{Hangul}\p{RI}\p{So}\p{Sk}]")
"""Characters that may be part of a grapheme, which is never split."""
_ADDRESS = re.compile(r"(?<![a-z0-9])https?://[^\s<>\"]+", re.ASCII | re.IGNORECASE)
_LONGEST = 500
"""Characters of an address at most: as much as fits into a line of IRC."""
_AFTER = ".,;:!?)]}'`*_~|\u2026\u2019\u201d\u201c\u00bb\u00ab\u203a\u2039"
"""Characters that end a sentence, a quotation or mark-up rather than an address."""
_ENDING = r"(?:png|jpe?g|gif|webp|avif|mp4|webm|mov|ogv|mp3|m4a|aac|og[ga]|opus|flac|wav)"
"""Extensions of files that Matrix clients show: they are worth a fetch. Only the bytes tell what a file is."""
_FILE = re.compile(rf"\.{_ENDING}(?::[a-z]{{1,8}})?$", re.ASCII | re.IGNORECASE)
_FORMAT = re.compile(rf"(?:^|&)(?:format|fm|ext)={_ENDING}(?:&|$)", re.ASCII | re.IGNORECASE)
_HIDDEN = Style.SPOILER | Style.MONO


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
        preview=file_address(body.text) if may_show else "",
    )


def within_budget(event: Event, spend: Callable[[], bool]) -> Event:
    """`event` with the links and the preview that a budget allows: `spend` pays for one, or returns False."""
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
    """`event` without links and preview."""
    return within_budget(event, lambda: False)


def may_be_long(text: Text, most: int) -> bool:
    """Whether `text` may take more than `most` lines on a network whose lines have room for `_SHORT` bytes. True for
    some that take fewer, and for each that takes two more: what is said to whom goes before it. 0: there is no limit.
    """
    if not most or (len(text) == 1 and text[0].is_plain and len(text[0].text) < most):
        return False
    found = 0
    for line in lines(text):
        found += _most_lines(line)
        if found > most:
            return True
    return False


def _most_lines(line: Text) -> int:
    """The most lines of a network that `line` may take."""
    shown = untabbed(plain(spelled_out(line) if any(span.link or span.style for span in line) else line))
    if not shown.strip():
        return 0
    more = sum(map(_more, line))
    size = len(shown.encode(errors="replace")) + more
    room = _SHORT if all(map(_is_bare, line)) else _SHORT - _CODES
    if size <= room:
        return 1
    longest = max(len(word.encode(errors="replace")) for word in _BLANKS.split(shown))
    least = room // 2 if _WHOLE.search(shown) is None else room // 3
    return 1 + size // max(room - longest - more, least)


def _more(span: Span) -> int:
    """Bytes that `span` may take besides its text: formatting codes, and the nick of whom it mentions."""
    size = 0 if _is_bare(span) else _CODES
    return size + (2 * len(span.text.encode(errors="replace")) + _NAME if span.mention else 0)


def _is_bare(span: Span) -> bool:
    return not (span.style or span.fg or span.bg)


def file_address(text: Text) -> str:
    """The first address in `text` that names a picture, sound or video; '' if there is none. An address in a spoiler is
    not to be shown, and one in code is an example."""
    shown = "".join(" " if span.style & _HIDDEN else span.text for span in text)
    for found in _ADDRESS.finditer(shown):
        given = found[0].rstrip(_AFTER)
        if len(given) <= _LONGEST and _names_a_file(given):
            return given
    return ""


def _names_a_file(given: str) -> bool:
    try:
        parts = urlsplit(given)
    except ValueError:
        return False
    is_open = bool(parts.hostname) and "@" not in parts.netloc
    return is_open and bool(_FILE.search(parts.path) or _FORMAT.search(parts.query))


def _until(seconds: float, now: float) -> int:
    """When a link that works for so long expires; 0: none is made."""
    if not seconds:
        return 0
    return FOREVER if math.isinf(seconds) else math.ceil(now + seconds)


def _lasting(media: Media, until: int, largest: int) -> Media:
    is_small = media.size is None or media.size <= largest
    return replace(media, until=until if media.source and is_small else 0)
