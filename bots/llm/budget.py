"""What a language model may cost in a day: tokens of each person and in each link, and money in all.

It is counted in the bot's memory, under the day (UTC), so that a restart gives nobody a new budget. Guests share one
budget in each link: whoever takes a new nick is no new person.
"""

import asyncio
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.api import Memory, Question

_PREFIX = "llm used "
_CHARACTERS = 4
"""Characters of a token, about: where the server does not say how many it used."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most tokens in a day of one person and of one link; most money in a day, in the currency of `price`, which is for
    a million tokens. None: no limit."""

    person: int | None = None
    link: int | None = None
    price: float = 0.0
    cost: float | None = None


class Budget:
    """Counts in `memory`. Questions that wait for an answer count as what they may need, so that many at once cannot
    cost more than one after the other."""

    def __init__(self, memory: Memory, limits: Limits) -> None:
        self._memory = memory
        self._limits = limits
        self._ahead: Counter[str] = Counter()
        self._changing = asyncio.Lock()

    async def refusal(self, question: Question, now: float, most: int) -> str | None:
        """Why the model cannot be asked, in words for the room. None if it can: then `most` tokens are reserved until
        `count` is called."""
        async with self._changing:
            reason = await self._reason(question, now)
            if reason is None:
                self._ahead.update(dict.fromkeys(_counted(question), most))
            return reason

    async def _reason(self, question: Question, now: float) -> str | None:
        limits = self._limits
        if _is_over(await self._used(now, _person(question)), limits.person):
            return "You have used up what you may ask my language model today. Tomorrow I can think again."
        if _is_over(await self._used(now, _link(question)), limits.link):
            return "What my language model may be asked here today is used up. Tomorrow I can think again."
        spent = await self._used(now, "all") * limits.price / 1_000_000
        if limits.cost is not None and spent >= limits.cost:
            return "What my language model may cost today is spent. Tomorrow I can think again."
        return None

    async def count(self, question: Question, now: float, tokens: int, reserved: int) -> None:
        """Count so many tokens in place of those that were reserved, and forget other days."""
        try:
            async with self._changing:
                for who in _counted(question):
                    await self._add(who, now, tokens)
        finally:
            self._ahead.subtract(dict.fromkeys(_counted(question), reserved))
            self._ahead = +self._ahead  # what is 0 is no entry

    async def _add(self, who: str, now: float, tokens: int) -> None:
        key = f"{_PREFIX}{_day(now)} {who}"
        before = await self._memory.get(key)
        if before is None:
            await self._forget(now)
        await self._memory.put(key, (before if isinstance(before, int) else 0) + tokens)

    async def _used(self, now: float, who: str) -> int:
        used = await self._memory.get(f"{_PREFIX}{_day(now)} {who}")
        return (used if isinstance(used, int) else 0) + self._ahead[who]

    async def _forget(self, now: float) -> None:
        for key in await self._memory.items(_PREFIX):
            if not key.startswith(f"{_PREFIX}{_day(now)} "):
                await self._memory.put(key, None)


def estimated(*texts: str) -> int:
    """How many tokens these are, about."""
    return sum(map(len, texts)) // _CHARACTERS + 1


def _is_over(used: int, limit: int | None) -> bool:
    return limit is not None and used >= limit


def _counted(question: Question) -> Set[str]:
    return {_person(question), _link(question), "all"}


def _person(question: Question) -> str:
    return f"user {question.user}" if question.user else f"guests of {_place(question)}"


def _link(question: Question) -> str:
    return f"in {_place(question)}"


def _place(question: Question) -> str:
    return question.link or "private"


def _day(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()
