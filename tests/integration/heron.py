"""A bot and a brain of one's own, for a daemon of the tests: they tell what they know of what was said before."""

from collections.abc import Sequence

from bots.api import Question, Said, Turn
from bridge.model.text import plain, words


class Heron:
    """Tells who asks, and what was said before."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def answer(self, question: Question) -> Sequence[Said]:
        """See `bots.api.Bot`."""
        return [words(f"{question.user or 'a guest'} asks after {_told(question.turns)}")] if question.called else []


class Recall:
    """Answers `what was said?`, and leaves all else to the next brain."""

    async def reply(self, question: Question) -> Said | None:
        """See `bots.api.Brain`."""
        return words(_told(question.turns)) if plain(question.text) == "what was said?" else None


def _told(turns: Sequence[Turn]) -> str:
    return f"[{' / '.join(turn.text for turn in turns)}]"
