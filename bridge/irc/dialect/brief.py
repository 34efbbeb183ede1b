"""Texts of others made safe and short: for names, quotations and notices in one line."""

from collections.abc import Sequence

import regex

from bridge.model.text import printable, untabbed, visible

CUT = "…"
_GRAPHEME = regex.compile(r"\X")


def clean(text: str) -> str:
    """`text` without control and bidirectional characters, and fit for UTF-8."""
    text = printable(text)
    return text if text.isascii() else text.encode(errors="replace").decode()


def shortened(text: str, characters: int) -> str:
    """The beginning of `text` in one line of at most `characters` characters, cut after a word if there is one."""
    text = " ".join(clean(visible(untabbed(text[: 8 * characters]))).split())
    if len(text) <= characters:
        return text
    kept = text[:characters]
    words, _, _ = kept.rpartition(" ")
    if 2 * len(words) >= characters:
        return words.rstrip(" ,;:.…") + CUT
    return _whole_graphemes(text, characters - 1) + CUT


def fitted(text: str, size: int) -> str:
    """`text`, cut between graphemes if it has more than `size` bytes (UTF-8)."""
    if len(text.encode()) <= size:
        return text
    start = text.encode()[: max(size - len(CUT.encode()), 0)].decode(errors="ignore")
    return _whole_graphemes(text, len(start)) + CUT


def listed(names: Sequence[str], most: int) -> str:
    """`alice`, `alice and bob`, or `alice, bob and 30 others`: of more than `most` names, one less is shown."""
    if len(names) > most:
        left = len(names) - most + 1
        return f"{', '.join(names[: most - 1])} and {left} others" if most > 1 else f"{left} people"
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _whole_graphemes(text: str, characters: int) -> str:
    """At most the first `characters` characters of `text`, without a grapheme that is cut, unless it is the first."""
    end = 0
    for match in _GRAPHEME.finditer(text, 0, characters + 64):
        if match.end() > characters:
            break
        end = match.end()
    return text[: end or characters]
