"""The trained brain: answers from a model file, see docs/bots-trained.md; leaves what it does not know to the next."""

import random
from collections.abc import Sequence
from itertools import groupby

from pydantic import ConfigDict

from bots.api import Question, Reply, Turn
from bridge.lib.settings import FilePath, Section
from bridge.model.text import plain, words

_WITHOUT = "the trained brain needs numpy, scipy, rapidfuzz and threadpoolctl: install quackbridge[trained]"


class Trained:
    """Answers known questions, also with slips, and small talk, where it is sure enough."""

    class Settings(Section):
        """The settings of the trained brain."""

        model_config = ConfigDict(use_attribute_docstrings=True)

        model: FilePath
        """The model file, made by `quackbridge duck train`."""
        shift: float = 0.0
        """Added to the model's threshold for small talk: above zero the brain is silent more often, below zero less."""

    def __init__(self, settings: Settings, chance: random.Random | None = None) -> None:
        """Reads the model. Raises ModelError; ValueError if packages are missing."""
        try:
            from bots.trained.engine import Engine  # slow, and an extra of its own
        except ImportError as error:
            raise ValueError(_WITHOUT) from error
        self._engine = Engine(settings.model, settings.shift)
        self._chance = chance or random.Random()  # noqa: S311 - which of some answers is no secret

    async def reply(self, question: Question) -> Reply | None:
        if not question.called:
            return None
        said = await self._engine.answer(_turns([*question.turns, Turn(question.asker.name, plain(question.text))]))
        if said is None:
            return None
        return Reply(words(self._chance.choice((said.text, *said.others))), said.why)


def _turns(said: Sequence[Turn]) -> list[str]:
    """What was said, oldest first; what one person said in a row is one turn."""
    return [" ".join(turn.text for turn in turns) for _, turns in groupby(said, lambda turn: (turn.ours, turn.name))]
