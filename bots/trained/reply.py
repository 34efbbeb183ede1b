"""What a model says: the answer of a known question, else what fits in free chat, else nothing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bots.trained.model import Model


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, why it was chosen, for `quackbridge chat --explain`, and others that are as good."""

    text: str
    why: str
    others: tuple[str, ...] = ()


def answer(model: Model, turns: Sequence[str], shift: float = 0.0) -> Said | None:
    """What to say after `turns`, oldest first, at least one. `shift` is added to the threshold of free chat."""
    if model.known is not None and (found := model.known.answerable(turns[-1])) is not None:
        first, *others = model.answers[found.number]
        asked = model.known.questions[found.number]
        return Said(first, f"known {found.score:.2f} of {model.known.threshold:.2f}: {asked!r}", tuple(others))
    if model.chat is not None and (best := model.chat.answer(turns, shift)) is not None:
        return Said(best.text, f"chat {best.score:.2f} of {model.chat.threshold + shift:.2f}")
    return None
