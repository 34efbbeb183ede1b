"""The Little Yellow Duck: waits a moment, then says its brain's reply to the question."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from bots.api import Brain, Question, Said
from bots.hosting.growing import growing


@dataclass(frozen=True, slots=True)
class Duck:
    """A bot that waits `delay` seconds before each answer, so that people can read in peace."""

    name: str
    brain: Brain
    delay: float = 1.0

    @property
    def hears_all(self) -> bool:
        """Whether its brain wants to hear what nobody asked it."""
        return bool(getattr(self.brain, "hears", False))

    async def answer(self, question: Question) -> Sequence[Said]:
        """See `bots.api.Bot`."""
        if question.called:
            await asyncio.sleep(self.delay)
        reply = await self.brain.reply(question)
        return [reply] if reply else []

    @property
    def streams(self) -> bool:
        """Whether its answers come piece by piece."""
        return bool(getattr(self.brain, "streams", False))

    async def stream(self, question: Question) -> AsyncIterator[Said]:
        """See `bots.api.Streaming`."""
        if question.called:
            await asyncio.sleep(self.delay)
        async for said in growing(self.brain, question):
            yield said

    async def run(self) -> None:
        """Do what its brain does without a question, until cancelled."""
        if (run := getattr(self.brain, "run", None)) is not None:
            await run()
