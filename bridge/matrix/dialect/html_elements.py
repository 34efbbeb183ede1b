"""What single HTML elements say: the numbers of lists, images, colours."""

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborNode

_NUMBER = re.compile(r"-?[0-9]{1,6}")
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("m", "cm", "d", "cd", "c", "xc", "l", "xl", "x", "ix", "v", "iv", "i"),
        strict=True,
    )
)
_ONE_WORD = re.compile(r"[-+\u2212]?\w+|\[\S*\]|\(\S*\)")
_EMOJI = re.compile(r"[\w+-]+", re.ASCII)
_COLOUR = re.compile("#[0-9a-fA-F]{6}")
_NAMED = {
    "aqua": "#00ffff", "black": "#000000", "blue": "#0000ff", "fuchsia": "#ff00ff", "gray": "#808080",
    "green": "#008000", "grey": "#808080", "lime": "#00ff00", "maroon": "#800000", "navy": "#000080",
    "olive": "#808000", "orange": "#ffa500", "purple": "#800080", "red": "#ff0000", "silver": "#c0c0c0",
    "teal": "#008080", "white": "#ffffff", "yellow": "#ffff00",
}  # fmt: skip
"""The colours that HTML 4 has names for, and orange; for the `font` of old clients."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LARGEST_ROMAN = 3999


@dataclass(slots=True)
class Numbering:
    """What the next item of a numbered list is called. `kind` is one of `1aAiI`
    (https://html.spec.whatwg.org/multipage/grouping-content.html#the-ol-element)."""

    value: int
    step: int
    kind: str

    @classmethod
    def of(cls, items: LexborNode) -> "Numbering":
        """The numbering of the `ol` element `items`, before its first item."""
        attributes = items.attributes
        step = -1 if "reversed" in attributes else 1
        first = whole(attributes.get("start"))
        if first is None:
            first = 1 if step > 0 else sum(item.tag == "li" for item in items.iter())
        return cls(first, step, attributes.get("type") or "1")

    def next(self, said: int | None) -> str:
        """The numeral of the next item, whose own number is `said` if it has one."""
        value = self.value if said is None else said
        self.value = value + self.step
        return numeral(value, self.kind)


def whole(written: str | None) -> int | None:
    """The whole number in an attribute; None if there is none, or one that no list of people has."""
    return int(written) if written and _NUMBER.fullmatch(written) else None


def numeral(value: int, kind: str) -> str:
    """`value` as the lists of type `kind` show it: in letters or Roman numerals, if it has any; else in digits."""
    if value > 0 and kind in ("a", "A"):
        shown = _lettered(value)
    elif 0 < value <= _LARGEST_ROMAN and kind in ("i", "I"):
        shown = _roman(value)
    else:
        return str(value)
    return shown.upper() if kind.isupper() else shown


def _lettered(value: int) -> str:
    """a to z, aa to zz, aaa ..."""
    letters = ""
    while value:
        value, letter = divmod(value - 1, len(_LETTERS))
        letters = _LETTERS[letter] + letters
    return letters


def _roman(value: int) -> str:
    signs = ""
    for worth, sign in _ROMAN:
        count, value = divmod(value, worth)
        signs += sign * count
    return signs


def in_one_line(text: str | None) -> str:
    """The text of an attribute, if it has any, in one line."""
    return " ".join((text or "").split())


def pictured(image: LexborNode) -> str:
    """What is said of an image: its description, or the name of a custom emoji (MSC2545)."""
    attributes = image.attributes
    name = in_one_line(attributes.get("alt")) or in_one_line(attributes.get("title"))
    if "data-mx-emoticon" in attributes and _EMOJI.fullmatch(name):
        return f":{name}:"
    return name or "[image]"


def is_one_word(node: LexborNode) -> bool:
    """Whether what `node` contains is one word, in a few elements at most."""
    for _ in range(4):
        child = node.child
        if child is None or child.next is not None:
            return False
        if child.tag == "-text":
            return bool(_ONE_WORD.fullmatch(child.text_content or ""))
        node = child
    return False


def colour(written: str | None) -> str:
    """The colour in an attribute (spec: `#` and six hexadecimal digits); empty for none."""
    return written.lower() if written and _COLOUR.fullmatch(written) else ""


def named_colour(written: str | None) -> str:
    """The colour of a `font`, which may have a name."""
    return colour(written) or _NAMED.get((written or "").strip().lower(), "")
