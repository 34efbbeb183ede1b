"""What kind of thing is said: a question, a greeting, laughter, yes or no, how long. Pure.

Nothing here tells how somebody writes (capitals, full stops, apostrophes): that recognises the writer, not the answer.
"""

from collections.abc import Sequence

import numpy as np

from bots.trained.grams import Floats

_QUESTION_WORDS = (
    "what",
    "why",
    "how",
    "who",
    "where",
    "when",
    "which",
    "do",
    "did",
    "are",
    "is",
    "have",
    "can",
    "would",
)
_LAUGHTER = frozenset({"haha", "lol", "hahaha", "lmao", "hehe", "hah", "xd", "jaja", "mdr"})
_GREETINGS = frozenset({"hi", "hello", "hey", "hiya", "yo", "sup", "morning", "greetings", "hola", "hallo", "salut"})
_FAREWELLS = frozenset({"bye", "goodbye", "later", "night", "goodnight", "cya", "adios"})
_YES = frozenset({"yes", "yeah", "yep", "yup", "ya", "sure", "yea", "definitely", "ok", "okay", "true", "totally"})
_NO = frozenset({"no", "nope", "nah", "not", "never"})
_THANKS = frozenset({"thanks", "thank", "thx", "gracias", "danke"})
_STATES = frozenset({"good", "great", "fine", "well", "ok", "okay", "tired", "bad", "alright"})
_REASONS = frozenset({"because", "cause", "cuz"})
_I = frozenset({"i", "im", "my"})
_YOU = frozenset({"you", "your", "youre"})

FORMS = 17
_PRODUCTS = (
    *((4, 8), (4, 9), (4, 0), (4, 4), (3, 13), (3, 0), (5, 5), (6, 6), (6, 15), (7, 7), (10, 10), (13, 14), (14, 13)),
    *((0, 0), (1, 1), (2, 2), (3, 11), (8, 3), (15, 15), (13, 13), (14, 14), (3, 12), (9, 9), (8, 8)),
)
PAIRED = FORMS + len(_PRODUCTS)


def forms(text: str, said: Sequence[str]) -> list[float]:
    """FORMS numbers about `text`; `said` are its words."""
    found, first = set(said), said[0] if said else ""
    return [
        *(min(float(np.log1p(len(said))), 4.0), float(len(said) <= 3), float(len(said) > 20)),
        *(float("?" in text or "？" in text), float(text.rstrip().endswith(("?", "？")))),
        *(float(bool(found & each)) for each in (_LAUGHTER, _GREETINGS, _FAREWELLS)),
        *(float(first in _YES), float(first in _NO), float(bool(found & _THANKS)), float(first in _QUESTION_WORDS)),
        *(float(any(each.isdecimal() for each in text)), float(bool(found & _I)), float(bool(found & _YOU))),
        *(float(bool(found & _STATES)), float(bool(found & _REASONS))),
    ]


def paired(before: Floats, answer: Floats) -> Floats:
    """PAIRED numbers a row: the answer's forms, and products of both sides' forms."""
    products = np.stack([before[:, a] * answer[:, b] for a, b in _PRODUCTS], 1)
    found: Floats = np.concatenate([answer, products], 1)
    return found
