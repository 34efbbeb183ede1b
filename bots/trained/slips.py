"""Slips as people make them when they write, to learn and to measure how well known questions are found. Pure."""

import random
from collections.abc import Callable, Mapping

_MARKS = "?!.,;…？！。"
_LETTERS_A_SLIP = 10


def slipped(text: str, chance: random.Random, times: int = 2) -> str:
    """`text` with so many slips: mistyped letters, other case, a word left out, two swapped, other marks."""
    for _ in range(times):
        text = _KINDS[chance.choice([*_KINDS])](text, chance) or text
    return text


def _mistyped(text: str, chance: random.Random) -> str:
    """One letter in ten, at least one, is swapped with the next, left out, doubled, or another one."""
    letters = list(text)
    for _ in range(max(len(letters) // _LETTERS_A_SLIP, 1)):
        place = chance.randrange(len(letters)) if letters else 0
        two = letters[place : place + 2]
        letters[place : place + 2] = chance.choice((two[::-1], two[1:], two[:1] + two, [chance.choice(text), *two[1:]]))
    return "".join(letters)


def _other_case(text: str, chance: random.Random) -> str:
    return chance.choice((text.upper(), text.lower(), text.title()))


def _left_out(text: str, chance: random.Random) -> str:
    said = text.split()
    if len(said) < 3:
        return _mistyped(text, chance)
    del said[chance.randrange(len(said))]
    return " ".join(said)


def _swapped(text: str, chance: random.Random) -> str:
    said = text.split()
    if len(said) < 3:
        return _mistyped(text, chance)
    place = chance.randrange(len(said) - 1)
    said[place : place + 2] = said[place : place + 2][::-1]
    return " ".join(said)


def _other_marks(text: str, chance: random.Random) -> str:
    return text.rstrip(_MARKS) + chance.choice(("", "?", "??", "!", "...", "."))


_KINDS: Mapping[str, Callable[[str, random.Random], str]] = {
    "letters": _mistyped,
    "case": _other_case,
    "left out": _left_out,
    "swapped": _swapped,
    "marks": _other_marks,
}
