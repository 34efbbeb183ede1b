"""Measures a model: by conversations that it never learnt from, by questions with slips, and by strangers' talk. Pure.

All is drawn with fixed seeds: the same model and corpora give the same figures.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz, process

from bots.trained import training
from bots.trained.chat import Chat
from bots.trained.corpora import Corpus, joined
from bots.trained.known import Known, normalized
from bots.trained.model import Model
from bots.trained.ranker import drawn, scores
from bots.trained.reply import answer
from bots.trained.slips import slipped
from bots.trained.talks import Talks, talks_of
from bots.trained.training import Pairs, is_right

OFF_TOPIC = Path(__file__).with_name("offtopic.txt")
_RECALLS = ((10, 5, 0), (10, 1, 0), (100, 5, 2000), (100, 1, 2000))
"""Of how many answers, after how many turns, and how many lists; 0: one for each answer."""
_STRANGERS = 2000
_TIMED = 500
_TIMES = 3
"""How often each question is asked, with other slips."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure, in words."""

    what: str
    figure: str

    def __str__(self) -> str:
        return f"{self.what:<62} {self.figure:>8}"


def evaluate(model: Model, corpora: Sequence[Corpus]) -> Iterator[Line]:
    """All figures of `model`. Only what training held back of the `corpora` is asked."""
    held = [joined(talk) for talk, held in training.conversations(corpora) if held]
    strangers = random.Random(0).sample([text for talk in held for text in talk], _count(held))  # noqa: S311
    if model.chat is not None and len(held) > 1:
        yield from _ranked(model.chat, talks_of(held))
        yield from _spoken(model.chat, talks_of(held))
        yield from _timed(model.chat, held)
    for folder in dict.fromkeys(each.path.parent for each in corpora if each.questions):
        pairs = training.questions([each for each in corpora if each.path.parent == folder])
        yield from known_questions(folder.name, pairs, strangers)


def _count(held: Sequence[Sequence[str]]) -> int:
    return min(_STRANGERS, sum(map(len, held)))


def _ranked(chat: Chat, talks: Talks) -> Iterator[Line]:
    """R@1: how often the right answer is before all others."""
    told = chat.ranker.answers(talks.answers)
    for length, turns, most in _RECALLS:
        lists = drawn(talks.answers, seed=length + turns, missing=0, length=length, most=most)
        found = scores(chat.ranker, chat.ranker.before(talks, turns), told, lists)
        right = (found[:, 0] > found[:, 1:].max(1)).mean()
        what = "the last turn alone" if turns == 1 else f"the last {turns} turns"
        yield Line(f"right answer first of {length}, {what} ({len(found)} lists)", f"{right:.3f}")


def _spoken(chat: Chat, talks: Talks) -> Iterator[Line]:
    """Silence: at which thresholds it answers chat, and what is off topic."""
    for precision, (_, spoken) in training.curve(chat.ranker, talks).items():
        what = f"lists of ten, half without the right answer: {precision:.0%} right, if it speaks in"
        yield Line(what, f"{spoken:.3f}")
    some = random.Random(11).sample(range(len(talks)), min(_TIMED, len(talks)))  # noqa: S311 - no secret
    asked = {"chat": [talks.turns[talks.at[place] - 1] for place in some], "off topic": off_topic()}
    for name, texts in asked.items():
        best_of = [_best(chat, text) for text in texts]
        for shift in (-1.0, -0.5, 0.0, 0.5, 1.0):
            least = chat.threshold + shift
            part = np.mean([score >= least for score in best_of])
            yield Line(f"{name} that it answers, threshold {least:.2f} (shift {shift:+})", f"{part:.3f}")


def _best(chat: Chat, text: str) -> float:
    found = chat.best([text])
    return -np.inf if found is None else found.score


def off_topic() -> list[str]:
    """Questions that small talk does not answer."""
    return OFF_TOPIC.read_text("utf-8").splitlines()


def _timed(chat: Chat, held: Sequence[Sequence[str]]) -> Iterator[Line]:
    chance = random.Random(3)  # noqa: S311 - no secret
    asked = [talk[: chance.randrange(1, len(talk) + 1)] for talk in chance.choices(held, k=_TIMED)]
    chat.best(asked[0])
    taken = [_cpu(lambda: chat.best(turns)) for turns in asked]  # noqa: B023 - called at once
    for part in (50, 95, 99):
        what = f"CPU of an answer among {len(chat.messages)} messages, p{part}"
        yield Line(what, f"{np.percentile(taken, part):.1f} ms")


def _cpu(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1000


def known_questions(folder: str, pairs: Pairs, strangers: Sequence[str]) -> Iterator[Line]:
    """The figures of known questions. `strangers`: what others say."""
    yield from _slips(folder, pairs)
    yield from _silence(folder, pairs, strangers)


def _slips(folder: str, pairs: Pairs) -> Iterator[Line]:
    """Known questions with two slips, and how rapidfuzz alone does on the same."""
    known = Known(tuple(pairs))
    asked = [(place, _slipped(each, turn)) for place, each in enumerate(pairs) for turn in range(_TIMES)]
    ours = np.mean([(near := known.nearest(text)) is not None and near.number == place for place, text in asked])
    theirs = np.mean([_fuzzy(known, text) == place for place, text in asked])
    yield Line(f"{folder}: {len(pairs)} questions with two slips, the right one first", f"{ours:.3f}")
    yield Line(f"{folder}: the same, by rapidfuzz alone", f"{theirs:.3f}")


def _slipped(question: str, turn: int) -> str:
    return slipped(question, random.Random(f"{question} {turn}"))  # noqa: S311 - no secret


def _fuzzy(known: Known, text: str) -> int:
    return int(process.extractOne(normalized(text), known.normal, scorer=fuzz.ratio)[2])


class Asked(NamedTuple):
    """What was asked: "known", "strangers" or "hidden"; the score of what was found, and whether it was meant."""

    kind: str
    score: float
    right: bool


def _silence(folder: str, pairs: Pairs, strangers: Sequence[str]) -> Iterator[Line]:
    """What is known is answered, and what is not, is not. A fifth of the questions is hidden; half of what is asked
    teaches the threshold, the other half is measured. What strangers ask word for word is known, and left out."""
    chance = random.Random(4)  # noqa: S311 - no secret
    hidden = set(chance.sample([*pairs], len(pairs) // 5))
    known = Known(tuple(each for each in pairs if each not in hidden))
    strange = [each for each in strangers if normalized(each) not in set(known.normal)]
    asked = [_asked(known, pairs, "known", _slipped(each, 7), each) for each in known.questions]
    asked += [_asked(known, pairs, "strangers", each, "") for each in strange]
    asked += [_asked(known, pairs, "hidden", each, "") for each in hidden]
    chance.shuffle(asked)
    learnt, measured = asked[::2], asked[1::2]
    least = training.known_threshold([each[1:] for each in learnt if each.kind != "hidden"])
    said = [each.right for each in measured if each.score >= least and each.kind != "hidden"]
    yield Line(f"{folder}: of its answers to known questions and strangers, right", f"{np.mean(said or [False]):.3f}")
    yield Line(f"{folder}: known questions with two slips that it answers rightly", _part(measured, "known", least))
    yield Line(f"{folder}: strangers' talk that it answers", _part(measured, "strangers", least))
    yield Line(f"{folder}: hidden questions that it answers; many have a twin", _part(measured, "hidden", least))


def _asked(known: Known, pairs: Pairs, kind: str, text: str, meant: str) -> Asked:
    near = known.nearest(text)
    return Asked(kind, near.score if near else 0.0, near is not None and is_right(known, pairs, meant, near.number))


def _part(asked: Sequence[Asked], kind: str, least: float) -> str:
    """The part of those of a kind that are answered; of known ones, rightly."""
    kept = [each.score >= least and (each.right or kind != "known") for each in asked if each.kind == kind]
    return f"{np.mean(kept or [False]):.3f}"


def mine(model: Model, pairs: Pairs) -> Iterator[str]:
    """One's own questions that the model does not answer as asked, each in a line, and at the end how many it does."""
    right = 0
    for question, answers in pairs.items():
        found = answer(model, [question])
        if found is not None and not {found.text, *found.others}.isdisjoint(answers):
            right += 1
        else:
            yield f"{question}: {'nothing' if found is None else f'{found.text!r}, {found.why}'}"
    yield f"{right} of {len(pairs)} questions are answered as asked"
