"""A model: known questions with their answers, free chat, and where both come from; to and from the content of a file.

Whatever is in a file, `unpacked` gives a model whose parts fit together, or a ModelError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from bots.trained import features, pool
from bots.trained.chat import Chat
from bots.trained.features import Reader
from bots.trained.grams import HASHED, Array, Rarity, Vocabulary
from bots.trained.known import Known
from bots.trained.modelfile import Contents, ModelError, grown, shrunk
from bots.trained.network import HIDDEN, Network
from bots.trained.ranker import Ranker
from bots.trained.towers import WIDE, WINDOWS, Towers

_GRAMS = 1 << 17
_QUESTIONS = 100_000
_ANSWERS = 1000
"""Answers to one question."""
_CHARACTERS = 4000
_TABLES = len(WINDOWS) + 1
_SHAPES = {
    "mean": (features.WIDTH,),
    "spread": (features.WIDTH,),
    "inner": (features.WIDTH, HIDDEN),
    "bias": (HIDDEN,),
    "outer": (HIDDEN,),
    "linear": (features.WIDTH,),
    "nothing": (1,),
}


@dataclass(frozen=True, slots=True)
class Model:
    """`answers`: some for each known question. `chat`: None if the corpora had too few conversations. `corpora`: what
    was read, as JSON. `curve`: at each precision, the part of lists in which the ranker spoke."""

    known: Known | None = None
    answers: tuple[tuple[str, ...], ...] = ()
    chat: Chat | None = None
    corpora: Mapping[str, Any] = field(default_factory=dict)
    curve: Mapping[str, float] = field(default_factory=dict)


def packed(model: Model) -> Contents:
    """The content of a file."""
    texts: dict[str, Any] = {"corpora": dict(model.corpora), "curve": dict(model.curve)}
    arrays: dict[str, Array] = {}
    if model.known is not None:
        texts |= {"questions": model.known.questions, "answers": model.answers, "threshold": model.known.threshold}
    if (chat := model.chat) is not None:
        texts |= {"grams": chat.ranker.reader.vocabulary.names, "messages": chat.messages}
        texts["chat threshold"] = chat.threshold
        arrays |= _arrays(chat)
    return Contents(arrays, texts)


def _arrays(chat: Chat) -> dict[str, Array]:
    ranker = chat.ranker
    found: dict[str, Array] = {
        "weights": ranker.reader.vocabulary.weights,
        "words": ranker.reader.words.steps,
        "pieces": ranker.reader.pieces.steps,
    }
    found |= {f"network {each.name}": getattr(ranker.network, each.name) for each in fields(Network)}
    for name, rows in (*((f"table {place}", table) for place, table in enumerate(ranker.towers.tables)),):
        found[name], found[f"{name} scales"] = shrunk(rows)
    found["messages"], found["messages scales"] = shrunk(chat.vectors)
    return found


def unpacked(contents: Contents) -> Model:
    """The model in a file. Raises ModelError."""
    texts = contents.texts
    known, answers = _known(texts) if "questions" in texts else (None, ())
    chat = _chat(contents) if "messages" in texts else None
    if known is None and chat is None:
        raise ModelError("it has neither questions nor messages")
    return Model(known, answers, chat, _mapping(texts, "corpora"), _mapping(texts, "curve"))


def _known(texts: Mapping[str, Any]) -> tuple[Known, tuple[tuple[str, ...], ...]]:
    questions = _strings(texts.get("questions"), "questions", _QUESTIONS)
    lists = texts.get("answers")
    if not isinstance(lists, list) or len(lists) != len(questions):
        raise ModelError("it has not as many answers as questions")
    answers = tuple(_strings(each, "answers", _ANSWERS) for each in lists)
    if not all(answers):
        raise ModelError("a question has no answer")
    return Known(questions, _number(texts, "threshold")), answers


def _chat(contents: Contents) -> Chat:
    names = _strings(contents.texts.get("grams"), "grams", _GRAMS)
    messages = _strings(contents.texts.get("messages"), "messages", pool.MOST)
    reader = Reader(
        Vocabulary(names, _array(contents, "weights", (len(names),))),
        Rarity(_array(contents, "words", (HASHED,), "|u1")),
        Rarity(_array(contents, "pieces", (HASHED,), "|u1")),
    )
    tables = tuple(_rows(contents, f"table {place}", len(names)) for place in range(_TABLES))
    network = Network(**{name: _array(contents, f"network {name}", shape) for name, shape in _SHAPES.items()})
    if not (network.spread > 0).all():
        raise ModelError("'network spread' must be above zero")
    vectors = _rows(contents, "messages", len(messages))
    return Chat(Ranker(reader, Towers(tables), network), messages, vectors, _number(contents.texts, "chat threshold"))


def _rows(contents: Contents, name: str, count: int) -> Any:
    small = _array(contents, name, (count, WIDE), "|i1")
    return grown(small, _array(contents, f"{name} scales", (count,)))


def _array(contents: Contents, name: str, shape: tuple[int, ...], kind: str = "<f4") -> Any:
    found = contents.arrays.get(name)
    if found is None or found.shape != shape or found.dtype.str != kind:
        raise ModelError(f"{name!r} is missing, or not of the shape that it must have")
    if kind == "<f4" and not (np.abs(found) < 1e6).all():  # also false for what is no number
        raise ModelError(f"{name!r} has numbers out of bounds")
    return found


def _strings(found: Any, name: str, most: int) -> tuple[str, ...]:
    if not isinstance(found, list) or not 0 < len(found) <= most:
        raise ModelError(f"{name!r} is no list, is empty, or is too long")
    if not all(isinstance(each, str) and len(each) <= _CHARACTERS for each in found):
        raise ModelError(f"{name!r} has what is no text, or too long")
    return tuple(found)


def _number(texts: Mapping[str, Any], name: str) -> float:
    found = texts.get(name)
    if not isinstance(found, float | int) or not abs(found) < 1e6:
        raise ModelError(f"{name!r} is no number, or out of bounds")
    return float(found)


def _mapping(texts: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Sequence[Any] | Mapping[str, Any] | None = texts.get(name)
    return found if isinstance(found, dict) else {}
