"""The host of the bots: one more network, whose rooms are the bots' ears and whose events are their answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from pydantic import TypeAdapter

from bots.api import Bot, Question
from bridge.model import BOTS, Event, Kind, Message, Owed, Post, Room, Sender, digest
from bridge.network import Batch, PermanentError
from bridge.text import Text, addressed, plain, words

log = structlog.get_logger()

_QUESTIONS = TypeAdapter(tuple[Event, ...])
_CURSOR = "answers"  # every answer is asked for anew after a crash, so there is nothing to resume from
_PATIENCE = 120.0  # seconds that a bot may think; after that its ear would hold up everybody who asks
_WAITING = 64  # batches of answers that may wait to be stored: one an ear is under way at a time


@dataclass(frozen=True, slots=True)
class Hosted:
    """A bot and the names that it listens to."""

    bot: Bot
    names: tuple[str, ...]


class BotHost:
    """The network `bots`. A question is sent when its answer is safely stored, so none is lost by a crash; the answer's
    id follows from the question's, so that a question put twice is answered once.

    While a bot thinks, `typing` of its ear is held open.
    """

    name = BOTS

    def __init__(
        self,
        bots: Mapping[str, Hosted],
        *,
        clock: Callable[[], float],
        typing: Callable[[Room], AbstractAsyncContextManager[None]],
    ) -> None:
        self._bots = bots
        self._clock = clock
        self._typing = typing
        self._answers: asyncio.Queue[tuple[Batch, asyncio.Future[None]]] = asyncio.Queue(_WAITING)

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """The answers, as they come. `cursor` does not matter: what was not stored is asked again."""
        while True:
            batch, stored = await self._answers.get()
            yield batch
            if not stored.cancelled():
                stored.set_result(None)

    def render(self, owed: Sequence[Owed]) -> Sequence[Post]:
        """All the questions that wait in one ear, as one post: they are thought about side by side."""
        payload = _QUESTIONS.dump_json(tuple(item.event for item in owed)).decode()
        return [Post.of(owed[0].room, tuple(item.delivery for item in owed), 0, payload)]

    async def send(self, post: Post) -> str:
        """Ask, and return when the answers are stored."""
        key = post.room.id.partition("@")[0]
        hosted = self._bots.get(key)
        if hosted is None:
            raise PermanentError(f"there is no bot called {key!r} in the config")
        questions = _QUESTIONS.validate_json(post.payload)
        async with self._typing(post.room):
            answers = await asyncio.gather(*(self._ask(hosted, question) for question in questions))
        events = [
            self._event(post.room, key, hosted.bot, question, part, text)
            for question, texts in zip(questions, answers, strict=True)
            for part, text in enumerate(texts)
        ]
        if events:
            stored = asyncio.get_running_loop().create_future()
            await self._answers.put((Batch(tuple(events), _CURSOR), stored))
            await stored
        return post.id

    async def ready(self) -> None:
        """The bots are always there."""

    async def _ask(self, hosted: Hosted, event: Event) -> Sequence[Text]:
        called = (event.called,) if event.called else ()
        said = addressed(plain(event.text), (*called, *hosted.names))
        text = event.text if said is None else words(said)
        question = Question(digest(str(event.room), event.id), text, event.sender, event.private)
        try:
            async with asyncio.timeout(_PATIENCE):
                return await hosted.bot.answer(question)
        except Exception:  # a bot is somebody else's program: whatever it does, the conversation goes on
            log.exception("bot failed", bot=hosted.bot.name, room=str(event.room))
            return ()

    def _event(self, ear: Room, key: str, bot: Bot, question: Event, part: int, text: Text) -> Event:
        return Message(
            id=digest("answer", key, str(question.room), question.id, str(part)),
            room=ear,
            sender=Sender(BOTS, key, bot.name, bot=True),
            time=self._clock(),
            text=text,
            kind=Kind.NOTICE,
            private=question.private,
        )
