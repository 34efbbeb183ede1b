"""Makes a model of corpora: known questions with their answers, and the threshold for them. Pure.

The threshold is learnt: each question is asked with slips while every fifth one is hidden: what nobody
knows is asked too.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from bots.trained.corpora import Corpus
from bots.trained.known import DEFAULT_THRESHOLD, Known, normalized, threshold
from bots.trained.modelfile import Contents

_ASKED = 2000
"""Questions that are asked with slips, at most."""


def train(corpora: Sequence[Corpus], precision: float = 0.95) -> Contents:
    """The model of `corpora`. Raises ValueError if they have no question and answer."""
    pairs: dict[str, tuple[str, str]] = {}
    for corpus in corpora:
        for talk in corpus.talks.values():
            if len(talk) == 2 and normalized(talk[0][1]):
                pairs.setdefault(normalized(talk[0][1]), (talk[0][1], talk[1][1]))
    if not pairs:
        raise ValueError("no question with an answer is in the corpora")
    questions = [question for question, _ in pairs.values()]
    summary: Mapping[str, Any] = {each.path.name: len(each.talks) for each in corpora}
    return Contents(
        {},
        {
            "questions": questions,
            "answers": [answer for _, answer in pairs.values()],
            "threshold": learnt(questions, precision),
            "corpora": summary,
        },
    )


def learnt(questions: Sequence[str], precision: float) -> float:
    """The threshold above which at least `precision` of what is found was meant."""
    chance = random.Random(0)  # noqa: S311 - no secret
    hidden = {number for number in range(len(questions)) if number % 5 == 4}
    kept = [each for number, each in enumerate(questions) if number not in hidden]
    known = Known(tuple(kept))
    asked = chance.sample(list(questions), min(_ASKED, len(questions)))
    found = [(known.nearest(slipped(slipped(each, chance), chance)), each) for each in asked]
    scored = [(near.score, kept[near.number] == each) for near, each in found if near is not None]
    return min(threshold(scored, precision), 2.0) if len(scored) >= 50 else DEFAULT_THRESHOLD


def slipped(text: str, chance: random.Random) -> str:
    """`text` with one slip: letters that are left out, doubled or swapped, words dropped or swapped, other case."""
    said, place = text.split(), 0
    kind = chance.randrange(4)
    if kind == 0 and len(said) > 2:
        del said[chance.randrange(len(said))]
        return " ".join(said)
    if kind == 1 and len(said) > 2:
        place = chance.randrange(len(said) - 1)
        said[place], said[place + 1] = said[place + 1], said[place]
        return " ".join(said)
    if kind == 2:
        return text.upper().rstrip("?!.？！。") or text
    letters = list(text)
    for _ in range(max(len(letters) // 10, 1)):
        place = chance.randrange(max(len(letters) - 1, 1))
        letters[place : place + 2] = chance.choice((letters[place : place + 2][::-1], letters[place : place + 1]))
    return "".join(letters) or text
