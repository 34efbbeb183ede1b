"""Casemapping: how a network compares names. All comparisons of nicks go through here."""

from enum import StrEnum
from types import MappingProxyType

_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_STRICT = _ASCII | dict(zip(map(ord, "[]\\"), map(ord, "{}|"), strict=True))
_TABLES = MappingProxyType(
    {"exact": {}, "ascii": _ASCII, "rfc1459-strict": _STRICT, "rfc1459": _STRICT | {ord("^"): ord("~")}}
)


class Casemapping(StrEnum):
    """ISUPPORT CASEMAPPING (https://modern.ircdocs.horse/#casemapping-parameter); `EXACT` is for Matrix, whose ids are
    compared as they are. `RFC1459` folds the most: names that differ under it differ under all."""

    EXACT = "exact"
    ASCII = "ascii"
    RFC1459 = "rfc1459"
    RFC1459_STRICT = "rfc1459-strict"

    def fold(self, name: str) -> str:
        """`name` in its compared form: two names are the same exactly if their folds are equal."""
        return name.translate(_TABLES[self.value])
