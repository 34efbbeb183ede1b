"""Host masks, indexed by host: of ten thousand, only a few are tried for a sender."""

import re
from collections.abc import Iterable, Iterator

from bridge.model.glob import matches
from bridge.users.contract import User

_WILD = re.compile(r"[*?]")
_Held = tuple[int, tuple[str, str, str], User]


class Masks:
    """Masks and the users who hold them; masks are folded as the network compares names. The first match wins.

    The key of a mask is the literal beginning or end of its host, whichever is longer. So ten thousand masks cost one
    lookup for each key length (some tens), not ten thousand comparisons.
    """

    def __init__(self, held: Iterable[tuple[str, User]]) -> None:
        self._heads: dict[str, list[_Held]] = {}
        self._tails: dict[str, list[_Held]] = {}
        for order, (mask, user) in enumerate(held):
            parts = _parts(mask)
            literal = _WILD.split(parts[2])
            head, tail = literal[0], literal[-1]
            table, key = (self._heads, head) if len(head) > len(tail) else (self._tails, tail)
            table.setdefault(key, []).append((order, parts, user))
        self._head_lengths = sorted({len(head) for head in self._heads})
        self._tail_lengths = sorted({len(tail) for tail in self._tails})

    def find(self, real: str) -> User | None:
        """The user who holds a mask that matches `real` (`nick!user@host`), or None."""
        parts = _parts(real)
        for _order, mask, user in sorted(self._candidates(parts[2]), key=_order_of):
            if all(map(matches, mask, parts)):
                return user
        return None

    def _candidates(self, host: str) -> Iterator[_Held]:
        for length in self._head_lengths:
            yield from self._heads.get(host[:length], ())
        for length in self._tail_lengths:
            if length <= len(host):
                yield from self._tails.get(host[len(host) - length :], ())


def _parts(mask: str) -> tuple[str, str, str]:
    """Split a mask into nick, user and host. These are compared one by one, so that no `*` spans two of them."""
    nick, _, rest = mask.partition("!")
    user, _, host = rest.rpartition("@")
    return nick, user, host


def _order_of(held: _Held) -> int:
    return held[0]
