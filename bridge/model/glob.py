"""Globs: `*` matches anything and `?` one character. No pattern makes matching slow. Pure."""

import re
from functools import lru_cache


def matches(glob: str, text: str) -> bool:
    """Whether `glob` matches all of `text`.

    No backtracking: each piece between two `*` matches where it is first found. At most len(glob) * len(text) steps, in
    the runtime's own string search.
    """
    if "*" not in glob and "?" not in glob:
        return glob == text
    head, *pieces = glob.split("*")
    if not pieces:
        return _fits(head, text)
    tail = pieces.pop()
    if len(head) + len(tail) > len(text) or not _fits(head, text[: len(head)]):
        return False
    at, end = len(head), len(text) - len(tail)
    for piece in pieces:
        at = _after(piece, text, at, end)
        if at < 0:
            return False
    return _fits(tail, text[end:])


def names_anything(glob: str) -> bool:
    """Whether `glob` has no letter or digit, so that it would match everybody."""
    return not re.search(r"[^\W_]", glob)


def _fits(piece: str, text: str) -> bool:
    return len(piece) == len(text) and (piece == text if "?" not in piece else bool(_compiled(piece).match(text)))


def _after(piece: str, text: str, at: int, end: int) -> int:
    """Where the first `piece` in text[at:end] ends; -1 if there is none."""
    if "?" not in piece:
        found = text.find(piece, at, end)
        return found if found < 0 else found + len(piece)
    match = _compiled(piece).search(text, at, end)
    return match.end() if match else -1


@lru_cache(1024)
def _compiled(piece: str) -> re.Pattern[str]:
    """`piece` as a regular expression of fixed length, so that searching never backtracks."""
    return re.compile("".join("." if char == "?" else re.escape(char) for char in piece), re.DOTALL)
