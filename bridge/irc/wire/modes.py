"""Channel modes: which of them a MODE line sets and takes, and with which parameter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One mode of a MODE line. `on`: it is set, not taken. `param` is '' if it has none."""

    letter: str
    on: bool
    param: str = ""


def changes(words: Sequence[str], kinds: Sequence[str], ranks: str) -> Iterator[ModeChange]:
    """The changes of `+o-v+l alice bob 5`, given as words. `kinds` are the four groups of CHANMODES (lists, always with
    a parameter, with one when set, never with one), `ranks` the modes of PREFIX, which always name a person
    (https://modern.ircdocs.horse/#chanmodes-parameter)."""
    if not words:
        return
    letters, params = words[0], iter(words[1:])
    always = ranks + "".join(kinds[:2])
    when_set = "".join(kinds[2:3])
    on = True
    for letter in letters:
        if letter in "+-":
            on = letter == "+"
        else:
            has_param = letter in always or (on and letter in when_set)
            yield ModeChange(letter, on, next(params, "") if has_param else "")
