"""A chain of brains: the first that has an answer gives it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import NamedTuple

import structlog

from bots.api import Brain, CannotThink, Question, Reply, Said
from bots.hosting.growing import growing, within
from bots.hosting.working import for_ever
from bridge.lib.lru import LruDict
from bridge.model.text import words

log = structlog.get_logger()

_PATIENCE_S = 60.0
"""A brain may think this long; then the next one is asked."""
_QUIET_S = 3600.0
"""The same failure of a brain is logged again after so long."""
_FAILURES = 50
_UNKNOWN_S = 60.0
_ROOMS = 1000
_NONE = "no brain had an answer"
UNKNOWN = "I don't know. Say `help`, and I tell you what I can do."


class Link(NamedTuple):
    """A brain, and the name that the config has for it."""

    name: str
    brain: Brain


class Chain:
    """A brain of several, asked in order. What none of them knows is answered by `UNKNOWN`, at most once a minute in a
    room, if somebody asked. A brain that fails, or thinks for too long, is as one that has no answer."""

    hears_all = True

    def __init__(self, brains: Sequence[Link], *, steady: Callable[[], float] = time.monotonic) -> None:
        self.brains = tuple(brains)
        self._steady = steady
        self._failed: LruDict[tuple[str, str], float] = LruDict(_FAILURES)
        self._unknown: LruDict[str, float] = LruDict(_ROOMS)
        self._told: LruDict[tuple[str, str], float] = LruDict(_ROOMS)

    @property
    def hears(self) -> bool:
        """Whether one of them wants to hear what nobody asked it."""
        return any(_hears_all(link.brain) for link in self.brains)

    @property
    def streams(self) -> bool:
        """Whether one of them has answers that come piece by piece."""
        return any(hasattr(link.brain, "stream") for link in self.brains)

    async def reply(self, question: Question) -> Said | None:
        """See `bots.api.Brain`."""
        said: Said | None = None
        async for so_far in self.stream(question):
            said = so_far
        return said or None

    async def stream(self, question: Question) -> AsyncGenerator[Said, None]:
        """See `bots.api.Streaming`. The next brain's answer takes the place of what one has said before it failed; ''
        if there is none."""
        reasons: list[str] = []
        has_begun = False
        for link in self.brains:
            if not question.called and not _hears_all(link.brain):
                continue
            said: Reply | None = None
            try:
                async with aclosing(within(growing(link.brain, question), _PATIENCE_S)) as pieces:
                    async for piece in pieces:
                        if (said := _named(link.name, piece)) is not None:
                            has_begun = True
                            yield _after(reasons, said)
            except CannotThink as failed:
                reasons += [str(failed)] if self._is_news(question, str(failed)) else []
            except Exception as error:  # a brain may be foreign code: its errors must not stop the conversation
                self._failed_once(link.name, question, error)
            else:
                if said is not None:
                    return
        if (last := self._without_answer(question, reasons)) is not None or has_begun:
            yield last or ""

    def _without_answer(self, question: Question, reasons: Sequence[str]) -> Said | None:
        """What is said if no brain has an answer."""
        if reasons:
            return Reply(" ".join(reasons), _NONE)
        return self._do_not_know(question) if question.called else None

    def _failed_once(self, name: str, question: Question, error: Exception) -> None:
        kind, now = (name, type(error).__name__), self._steady()
        last = self._failed.peek(kind)
        if last is not None and now - last < _QUIET_S:
            return
        self._failed[kind] = now
        hint = "the next brain is asked; the same failure is logged again in an hour"
        log.error("brain_failed", brain=name, room=str(question.room), hint=hint, exc_info=error)

    def _is_news(self, question: Question, reason: str) -> bool:
        """Whether the reason has not been told in that room for an hour."""
        key, now = (str(question.room), reason), self._steady()
        last = self._told.peek(key)
        if not question.called or (last is not None and now - last < _QUIET_S):
            return False
        self._told[key] = now
        return True

    def _do_not_know(self, question: Question) -> Said | None:
        now, room = self._steady(), str(question.room)
        last = self._unknown.peek(room)
        if last is not None and now - last < _UNKNOWN_S:
            return None
        self._unknown[room] = now
        return Reply(UNKNOWN, _NONE)

    async def run(self) -> None:
        """Run what the brains do without a question, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for link in self.brains:
                if (run := getattr(link.brain, "run", None)) is not None:
                    group.create_task(for_ever(link.name, run))


def _named(name: str, said: Said) -> Reply | None:
    """What the brain `name` said; None if that is nothing. Raises TypeError if it is no words."""
    if said in ("", ()) or said is None:
        return None
    text = said.text if isinstance(said, Reply) else said
    if not isinstance(text, str | tuple):
        raise TypeError(f"a brain says a string, a text or a Reply, not {type(text).__name__}")
    why = f"{name}: {said.why}" if isinstance(said, Reply) and said.why else name
    return Reply(text, why)


def _after(reasons: Sequence[str], said: Reply) -> Reply:
    """What is said, after the reasons why others could not."""
    if not reasons:
        return said
    first = f"({' '.join(reasons)}) "
    return Reply(first + said.text if isinstance(said.text, str) else (*words(first), *said.text), said.why)


def _hears_all(brain: Brain) -> bool:
    return bool(getattr(brain, "hears_all", False))
