"""Makes a model of corpora. Pure.

Of conversations, a tenth is never learnt from: `quackbridge duck eval` asks by these. Which, their ids tell.
"""

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bots.trained import ranker
from bots.trained.chat import Chat
from bots.trained.corpora import Corpus, Talk, joined
from bots.trained.known import DEFAULT_THRESHOLD, HIGHEST_THRESHOLD, LOWEST_THRESHOLD, Known, normalized, threshold
from bots.trained.model import Model
from bots.trained.pool import pool
from bots.trained.ranker import Ranker, drawn, scores
from bots.trained.slips import slipped
from bots.trained.talks import Talks, talks_of

Pairs = Mapping[str, tuple[str, ...]]
"""Known questions, each with its answers."""
KNOWN_PRECISION = 0.97
"""Asked of the questions that a threshold is learnt from, so that 0.95 is kept with others."""
CHAT_PRECISION = 0.9
_FEWEST = 200
"""Conversations without which there is no free chat: from fewer nothing is learnt."""
_FEWEST_QUESTIONS = 50
"""Questions without which no threshold is learnt."""
_ANSWERS = 20
"""Answers to one question that are kept."""
_ASKED = 2000
_CURVE = (0.5, 0.6, 0.7, 0.8, 0.9)


def train(corpora: Sequence[Corpus], tell: Callable[[float], None] = lambda _: None) -> Model:
    """The model of `corpora`. `tell` is called with the part that is done, 0 to 1. Raises ValueError if there is
    nothing to learn in them."""
    pairs, talks = questions(corpora), [talk for talk, held in conversations(corpora) if not held]
    enough = len(talks) >= _FEWEST
    if not pairs and not enough:
        raise ValueError(f"the corpora have no question with an answer, and fewer than {_FEWEST} conversations")
    chatter = [text for talk in talks for _, text in talk]
    known = _known([*pairs], random.Random(0).sample(chatter, min(_ASKED, len(chatter))))  # noqa: S311 - no secret
    chat, curve = _chat(talks, tell) if enough else (None, {})
    if known is None and chat is None:
        raise ValueError("no message of the conversations may be said: all are long, personal or rude")
    return Model(known, tuple(pairs.values()), chat, _summary(corpora), curve)


def questions(corpora: Sequence[Corpus]) -> Pairs:
    """The known questions of the corpora that have such: what follows a question in a conversation is its answer."""
    found: dict[str, tuple[str, list[str]]] = {}
    for talk in (talk for corpus in corpora if corpus.questions for talk in corpus.talks.values()):
        for (_, question), (_, answer) in itertools.pairwise(talk):
            answers = found.setdefault(normalized(question), (question, []))[1]
            if answer not in answers and len(answers) < _ANSWERS:
                answers.append(answer)
    return {question: tuple(answers) for question, answers in found.values()}


def conversations(corpora: Sequence[Corpus]) -> Iterator[tuple[Talk, bool]]:
    """The conversations of the other corpora, each once, and whether it is held back to measure by."""
    seen: set[tuple[str, ...]] = set()
    for corpus in corpora:
        for key, talk in () if corpus.questions else corpus.talks.items():
            said = tuple(joined(talk))
            if len(said) > 1 and said not in seen:
                seen.add(said)
                yield talk, int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10 == 0


def is_right(known: Known, pairs: Pairs, asked: str, number: int) -> bool:
    """Whether the question with `number` is the one that was asked, or has the same answers."""
    found = known.questions[number]
    return found == asked or pairs.get(found) == pairs.get(asked) is not None


def _known(asked: Sequence[str], chatter: Sequence[str]) -> Known | None:
    """All questions, with the threshold that is learnt from what others say, and from each question with slips."""
    if not asked:
        return None
    chance = random.Random(0)  # noqa: S311 - no secret
    hidden = set(chance.sample(range(len(asked)), len(asked) // 5))
    kept = [each for place, each in enumerate(asked) if place not in hidden]
    known = Known(tuple(kept))
    same = set(known.normal)
    strange = [each for each in chatter if normalized(each) not in same] or [asked[place] for place in hidden]
    found = [(known.nearest(slipped(each, chance)), each) for each in chance.sample(kept, min(_ASKED, len(kept)))]
    scored = [(near.score, kept[near.number] == each) for near, each in found if near is not None]
    scored += [(near.score, False) for each in strange if (near := known.nearest(each)) is not None]
    return Known(tuple(asked), known_threshold(scored) if len(kept) >= _FEWEST_QUESTIONS else DEFAULT_THRESHOLD)


def known_threshold(scored: Sequence[tuple[float, bool]]) -> float:
    """From which score on a known question is meant. `scored`: what was asked, and whether the right one was found."""
    return min(max(threshold(scored, KNOWN_PRECISION), LOWEST_THRESHOLD), HIGHEST_THRESHOLD)


def _chat(talks: Sequence[Talk], tell: Callable[[float], None]) -> tuple[Chat | None, Mapping[str, float]]:
    """Free chat; None if no message of the talks may be said. A twenty-fourth of them teaches the threshold alone."""
    messages = pool(talks)
    if not messages:
        return None, {}
    said = [joined(talk) for talk in talks]
    order = random.Random(1).sample(range(len(said)), len(said))  # noqa: S311 - no secret
    share = max(len(said) // 24, 2)
    learnt = ranker.train([said[place] for place in order[share:]], lambda part: tell(part * 0.9))
    thresholds = curve(learnt, talks_of([said[place] for place in order[:share]]))
    least = thresholds.get(CHAT_PRECISION, (max((each for each, _ in thresholds.values()), default=0.0), 0.0))[0]
    chat = Chat(learnt, tuple(messages), learnt.vectors(messages), least)
    tell(1.0)
    return chat, {f"{precision:.2f}": round(spoken, 3) for precision, (_, spoken) in thresholds.items()}


def curve(learnt: Ranker, talks: Talks) -> Mapping[float, tuple[float, float]]:
    """For each precision that is reached: the threshold for it, and in which part of the lists the ranker then speaks.
    Every other list has no right answer."""
    lists = drawn(talks.answers, seed=5, missing=2)
    found = scores(learnt, learnt.before(talks), learnt.answers(talks.answers), lists)
    best, right = found.max(1), (found.argmax(1) == 0) & lists.right
    reached = {}
    for precision in _CURVE:
        least = threshold([*zip(best.tolist(), right.tolist(), strict=True)], precision)
        if np.isfinite(least):
            reached[precision] = (float(least), float((best >= least).mean()))
    return reached


def _summary(corpora: Sequence[Corpus]) -> Mapping[str, Any]:
    """What was read: by the name of each file's folder, as a corpus may have hundreds of files."""
    files: Counter[str] = Counter()
    talks: Counter[str] = Counter()
    for corpus in corpora:
        name = corpus.path.resolve().parent.name or corpus.path.name
        files[name] += 1
        talks[name] += len(corpus.talks)
    return {name: f"{talks[name]} conversations in {count} files" for name, count in files.items()}
