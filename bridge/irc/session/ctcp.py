"""CTCP: what clients ask ours in private (https://modern.ircdocs.horse/ctcp), answered within a budget. DCC is never
answered: it would make us connect to any address."""

from datetime import UTC, datetime

from bridge.lib.bucket import TokenBucket
from bridge.lib.lru import LruDict
from bridge.model.text import one_line

_EACH = (2, 1 / 15)
"""Answers at once to one person, and then per second."""
_ALL = (4, 0.5)
"""The same for all together: half of the default flood budget."""
_PEOPLE = 500
_PING_LIMIT = 64
_SOURCE = "the Python package quackbridge"
_KNOWN = ("CLIENTINFO", "PING", "SOURCE", "TIME", "VERSION")


class Ctcp:
    """Answers, within a budget for each person and one for all. Sans I/O; `now` is seconds of a clock that does not go
    back, `wall` seconds since the epoch."""

    def __init__(self) -> None:
        self._all = TokenBucket(*_ALL)
        self._each: LruDict[str, TokenBucket] = LruDict(_PEOPLE)

    def answer(self, text: str, who: str, now: float, wall: float) -> str | None:
        """The answer to the CTCP `text` of `who` (their host); None if there is none. Times are told in UTC: where we
        are is nobody's business."""
        name, _, rest = text.strip("\x01").partition(" ")
        name = name.upper()
        if name not in _KNOWN or not self._may(who, now):
            return None
        return f"\x01{name} {_answer(name, rest, wall)}\x01"

    def _may(self, who: str, now: float) -> bool:
        each = self._each.get(who)
        if each is None:
            each = self._each[who] = TokenBucket(*_EACH)
        if not each.has_token(now) or not self._all.has_token(now):
            return False
        each.spend(now)
        self._all.spend(now)
        return True


def _answer(name: str, rest: str, wall: float) -> str:
    match name:
        case "CLIENTINFO":
            return " ".join(("ACTION", *_KNOWN))
        case "PING":
            return one_line(rest, _PING_LIMIT)
        case "SOURCE":
            return _SOURCE
        case "TIME":
            return f"{datetime.fromtimestamp(wall, UTC):%Y-%m-%d %H:%M:%S} UTC"
        case _:
            return "quackbridge"
