"""The stem of a nick: what is left of it without what people add to it."""

import re
from functools import lru_cache

LONGEST = 64
"""Characters of a nick that are looked at."""
_SUFFIX = re.compile(r"(?:\|.*|[\[{]m[\]}]\d*|-m|[_`\d]+)\Z", re.DOTALL)
"""What people add to their nick when they are away, come a second time, or by another bridge."""


@lru_cache(maxsize=2_000)
def stem_of(nick: str) -> str:
    """A nick without what people add to it; the nick itself if nothing else is left."""
    stem = nick[:LONGEST]
    while match := _SUFFIX.search(stem):
        if match.start() == 0:
            return nick
        stem = stem[: match.start()]
    return stem
