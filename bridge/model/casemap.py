"""Casemapping: how a network compares names. All comparisons of nicks go through here."""

import unicodedata
from enum import StrEnum
from types import MappingProxyType

_ASCII = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_STRICT = _ASCII | dict(zip(map(ord, "[]\\"), map(ord, "{}|"), strict=True))
_RFC1459 = _STRICT | {ord("^"): ord("~")}
_TABLES = MappingProxyType({"exact": {}, "ascii": _ASCII, "rfc1459-strict": _STRICT, "rfc1459": _RFC1459})
_OF_PRECIS = ("rfc8265", "rfc7613", "rfc7700", "precis")
_WIDTHS = ("<wide>", "<narrow>")


class Casemapping(StrEnum):
    """ISUPPORT CASEMAPPING (https://modern.ircdocs.horse/#casemapping-parameter); `EXACT` is for Matrix, whose ids are
    compared as they are. Names that are equal under any of them are equal under `widest`."""

    EXACT = "exact"
    ASCII = "ascii"
    RFC1459 = "rfc1459"
    RFC1459_STRICT = "rfc1459-strict"
    RFC8265 = "rfc8265"

    @classmethod
    def named(cls, name: str | None) -> "Casemapping":
        """The casemapping that a server names; RFC 1459's if it names none. An unknown one is taken for `ascii`, whose
        letters every casemapping folds: servers write a name in one way, so folding too little costs hardly anything,
        and folding too much would make one person of two."""
        match (name or cls.RFC1459).lower():
            case cls.ASCII | cls.RFC1459 | cls.RFC1459_STRICT as known:
                return cls(known)
            case "strict-rfc1459":
                return cls.RFC1459_STRICT
            case known if known.startswith(_OF_PRECIS):
                return cls.RFC8265
            case _:
                return cls.ASCII

    def fold(self, name: str) -> str:
        """`name` in its compared form: two names are the same exactly if their folds are equal."""
        table = _TABLES.get(self.value, _ASCII)
        return name.translate(table) if self is not Casemapping.RFC8265 or name.isascii() else _precis(name)


def widest(name: str) -> str:
    """A key that is equal for names that are the same under any casemapping of IRC."""
    return Casemapping.RFC8265.fold(name).translate(_RFC1459)


def _precis(name: str) -> str:
    """The profile UsernameCaseMapped of PRECIS (RFC 8265, section 3.3), as Ergo compares names: width, lower case, NFC.
    Letter by letter, since Ergo knows no final sigma. The package `precis-i18n` knows one, and raises for names that
    the profile forbids; a server's names have to be compared, whatever they are."""
    normal = "".join(map(_narrowed, name))
    return unicodedata.normalize("NFC", "".join(map(str.lower, normal)))


def _narrowed(letter: str) -> str:
    """Fullwidth and halfwidth letters as the letters of usual width."""
    is_odd = unicodedata.decomposition(letter).startswith(_WIDTHS)
    return unicodedata.normalize("NFKC", letter) if is_odd else letter
