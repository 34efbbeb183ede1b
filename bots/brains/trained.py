"""The trained brain: answers the known questions of a model file; leaves all else to the next brain."""

import asyncio
from pathlib import Path

from pydantic import ConfigDict

from bots.api import Question, Reply
from bots.trained import modelfile
from bots.trained.known import Known
from bridge.lib.settings import FilePath, Section
from bridge.model.text import plain


class Trained:
    """Answers a known question, also one with slips, if its score reaches the model's threshold."""

    class Settings(Section):
        """The settings of the trained brain."""

        model_config = ConfigDict(use_attribute_docstrings=True)

        model: FilePath
        """The model file."""
        shift: float = 0.0
        """Added to the model's threshold: above zero the brain is silent more often, below zero less."""

    def __init__(self, settings: Settings) -> None:
        """Reads the model. Raises ModelError."""
        self._shift = settings.shift
        self._known, self._answers = _read(settings.model)

    async def reply(self, question: Question) -> Reply | None:
        return await asyncio.to_thread(self._reply, plain(question.text))

    def _reply(self, text: str) -> Reply | None:
        found = self._known.answerable(text, self._shift)
        if found is None:
            return None
        return Reply(self._answers[found.number], f"{found.score:.2f} {self._known.questions[found.number]!r}")


def _read(path: Path) -> tuple[Known, tuple[str, ...]]:
    match modelfile.read(path).texts:
        case {"questions": [*questions], "answers": [*answers], "threshold": float(threshold)} if len(questions) == len(
            answers
        ) and all(isinstance(each, str) for each in (*questions, *answers)):
            return Known(tuple(questions), threshold), tuple(answers)
    raise modelfile.ModelError(f"{path}: it has no questions and answers")
