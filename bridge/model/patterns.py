"""Patterns of people and words: a Matrix id, an IRC services account or host mask, or the text of a message. Pure.

Examples (`*` matches anything, `?` any one character):

    @*:spam.example          Matrix ids
    libera/spammer           a services account on the network libera
    libera/*!*@*.spam.net    host masks there, also of people who are logged in
    text:*buy followers*     words, in any letter case
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.model.glob import matches, names_anything
from bridge.model.people import Proof, Sender
from bridge.model.text import folded, visible

_LIMIT = 255
"""Characters of a pattern at most: more than any id or mask has."""
_TEXT = "text:"
_TEXT_LIMIT = 4096
"""Characters of a message that are compared: nobody reads further."""


_MOST_LINES = 100
"""Lines that are compared one by one."""


class Aspect(StrEnum):
    """What a pattern is compared with."""

    MATRIX = "matrix"
    ACCOUNT = "account"
    MASK = "mask"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of people or words. `network` is '' for Matrix ids and words. `glob` is in lower case."""

    aspect: Aspect
    network: str
    glob: str
    written: str

    def __str__(self) -> str:
        return self.written

    @classmethod
    def parse(cls, written: str) -> "Pattern":
        """Raises ValueError if it is not a pattern, or fits everybody: a typo must not silence a whole community."""
        if not written.isprintable() or not written.strip() or len(written) > _LIMIT:
            raise ValueError(f"a pattern has 1 to {_LIMIT} visible characters")
        aspect, network, glob = _parts(written)
        if names_anything(glob):
            raise ValueError(f"{written!r} would fit everybody: give at least one letter or digit")
        return cls(aspect, network, _folded(glob), written)

    def fits(self, sender: Sender, texts: Sequence[str] = ()) -> bool:
        """Whether the pattern matches `sender`, or one of `texts`, which are what `compared` gives."""
        match self.aspect:
            case Aspect.TEXT:
                return any(matches(self.glob, text) for text in texts)
            case Aspect.MASK:
                return sender.network == self.network and matches(self.glob, _folded(sender.mask))
            case Aspect.MATRIX | Aspect.ACCOUNT:
                kind = Proof.MATRIX if self.aspect is Aspect.MATRIX else Proof.IRC
                return any(
                    proof.kind is kind and proof.network == self.network and matches(self.glob, _folded(proof.value))
                    for proof in sender.proofs
                )


def compared(text: str) -> Sequence[str]:
    """What patterns compare of the text of a message: all of it and, if there are several, each line, as people see
    them (`bridge.model.text.folded`), with white space as single blanks."""
    lines, left = [], _TEXT_LIMIT
    for each in visible(text).splitlines():
        if line := " ".join(folded(" ".join(each.split())[:left]).split()):
            lines.append(line)
            left -= len(line)
        if left <= 0:
            break
    whole = " ".join(lines)
    return (whole,) if len(lines) < 2 else (whole, *dict.fromkeys(lines[:_MOST_LINES]))


def is_pattern(target: str) -> bool:
    """Whether `target` is a pattern, not the name of a user, which has no slash and no sigil."""
    return "/" in target or target.startswith(("@", _TEXT))


def _parts(written: str) -> tuple[Aspect, str, str]:
    if written.lower().startswith(_TEXT):
        return Aspect.TEXT, "", compared(written[len(_TEXT) :])[0]
    if written.startswith("@"):
        if ":" not in written:
            raise ValueError(f"{written!r} is no Matrix id: @name:server, where * and ? stand for anything")
        return Aspect.MATRIX, "", written
    network, slash, rest = written.partition("/")
    if not (network and slash and rest) or " " in written:
        raise ValueError(
            f"{written!r} is no pattern: @name:server, NETWORK/ACCOUNT, NETWORK/NICK!USER@HOST, or text:words"
        )
    return (Aspect.MASK if set("!@") & set(rest) else Aspect.ACCOUNT), network, rest


def _folded(name: str) -> str:
    """Ids are compared without regard to letter case, so that changing it does not evade a pattern."""
    return name.lower()
