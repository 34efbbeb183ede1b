"""The Little Yellow Duck: waits a moment, then says its brain's reply to the question."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bots.api import Brain, Question
from bridge.model.text import Text


@dataclass(frozen=True, slots=True)
class Duck:
    """A bot that waits `delay` seconds before each answer, so that people can read in peace."""

    name: str
    brain: Brain
    delay: float = 1.0

    async def answer(self, question: Question) -> Sequence[Text]:
        await asyncio.sleep(self.delay)
        reply = await self.brain.reply(question)
        return [reply] if reply else []
