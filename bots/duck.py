"""The Little Yellow Duck: it thinks for a moment, and says what its brain makes of the question."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bots.api import Brain, Question
from bridge.model.text import Text


@dataclass(frozen=True, slots=True)
class Duck:
    """A bot that lets a person read in peace: every answer comes `delay` seconds after its question."""

    name: str
    brain: Brain
    delay: float = 1.0

    async def answer(self, question: Question) -> Sequence[Text]:
        await asyncio.sleep(self.delay)
        reply = await self.brain.reply(question)
        return [reply] if reply else []
