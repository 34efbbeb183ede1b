"""The bot host presents the bots as one more network: its rooms are their ears, its events are their answers."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple

import structlog
from pydantic import TypeAdapter

from bots.api import Bot, Keeping, Question, Said
from bots.hosting.attending import HEARS_ALL, Asked, Attending
from bots.hosting.growing import Show, shown
from bots.hosting.places import Places
from bots.hosting.voice import Voice, as_text, spoken, texts_of
from bots.hosting.working import Working
from bridge.lib.ids import digest
from bridge.model.event import BOTS, Edit, Event, EventKey, Kind, Message, Redaction, Room
from bridge.model.outbox import Owed, Post
from bridge.model.people import Role
from bridge.model.presentation import DEFAULT, Presentation
from bridge.model.text import Text, addressed, plain, words
from bridge.network import Batch, Needless, PermanentError

log = structlog.get_logger()

_QUESTIONS = TypeAdapter(tuple[Event, ...])
_CURSOR = "answers"  # constant: after a crash, unanswered questions are asked again, so there is nothing to resume from
_PATIENCE_S = 120.0  # a bot may think this long; later questions in its ear wait meanwhile
_WAITING = 64  # batches of answers that may wait to be stored; each ear has one under way at a time
_WHISPERS = 16  # waiting questions that must not be stored: some seconds of logins


class About(NamedTuple):
    """What the bridge knows about a question: the asker's role (None: a guest), the link's name ('' for none), whether
    what the asker says there is carried, and whether they are a member there."""

    role: Role | None = None
    link: str = ""
    carried: bool = False
    member: bool = False


@dataclass(frozen=True, slots=True)
class Hosted:
    """A bot and the names that it answers to. `attending`: its manners; None: it is asked whatever it hears."""

    bot: Bot
    names: tuple[str, ...]
    attending: Attending | None = None


class BotHost:
    """The network `bots`. A question counts as sent once its answer is stored, so a crash loses none. The answer's id
    is derived from the question's, so a question asked twice is answered once.

    `about` tells what the bridge knows about a question. `typing` of an ear is held open while its bot thinks.
    `places` says where bots may speak unasked; `grows`, whether somebody who hears an ear can see an answer grow.
    """

    name = BOTS
    window = 1

    def __init__(
        self,
        bots: Mapping[str, Hosted],
        *,
        clock: Callable[[], float],
        typing: Callable[[Room], AbstractAsyncContextManager[None]],
        about: Callable[[Event], About] = lambda _: About(),
        places: Places | None = None,
        grows: Callable[[Room], bool] = lambda _: False,
    ) -> None:
        self._bots = bots
        self._working = Working()
        self._exchanged = asyncio.Event()
        self._places = places or Places()
        self._whispers: asyncio.Queue[tuple[Room, Event]] = asyncio.Queue(_WHISPERS)
        self._clock = clock
        self._typing = typing
        self._about = about
        self._grows = grows
        self._answers: asyncio.Queue[tuple[Batch, asyncio.Future[None]]] = asyncio.Queue(_WAITING)

    def use(self, rooms: Sequence[Room]) -> None:
        """Does nothing: ears are not configured, every bot that may be asked has one."""

    def exchange(self, bots: Mapping[str, Hosted]) -> None:
        """Replace the bots. What those that are gone do by themselves ends, what new ones do begins."""
        self._bots = bots
        self._working.use(hosted.bot for hosted in bots.values())
        self._exchanged.set()

    def whisper(self, ear: Room, event: Event) -> bool:
        """Ask a question that must not be stored; it is lost if the bridge stops. False if too many wait already."""
        try:
            self._whispers.put_nowait((ear, event))
        except asyncio.QueueFull:
            return False
        return True

    async def listen(self) -> None:
        """Answer the whispered questions one after the other, forever."""
        while True:
            ear, event = await self._whispers.get()
            if (hosted := self._bots.get(self._key(ear))) is not None:
                await self._put(hosted, ear, (event,))

    def listens(self, key: str, event: Event) -> bool:
        """Whether the bot `key` is in a talk with the sender of `event`, who does not call it."""
        hosted = self._bots.get(key)
        if hosted is None or hosted.attending is None:
            return False
        return hosted.attending.listens(event, self._about(event).link)

    def changed(self, change: Event) -> None:
        """A message was edited or removed: what bots remember of it changes, too."""
        if change.target is None or change.room.network == BOTS:
            return
        message = _question_id(change.target)
        for hosted in self._bots.values():
            if hosted.attending is not None:
                hosted.attending.changed(change, message)
            match change.body:
                case Redaction() if isinstance(hosted.bot, Keeping):
                    hosted.bot.removed(message)
                case Edit(text=text) if isinstance(hosted.bot, Keeping):
                    hosted.bot.edited(message, plain(text))
                case _:
                    pass

    async def work(self) -> None:
        """Run what bots do without a question, for ever."""
        self._working.use(hosted.bot for hosted in self._bots.values())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._working.run())
            group.create_task(self._tell_who_hears_all())

    async def _tell_who_hears_all(self) -> None:
        """Tell people, once in each link, that a bot hears all that they say, for ever."""
        while True:
            self._exchanged.clear()
            for key, hosted in [*self._bots.items()]:
                for link, room in self._places.rooms(key).items():
                    if hosted.attending is not None and await hosted.attending.is_untold(link):
                        with suppress(PermissionError, ValueError):  # a reload took it away; or: said once more later
                            told = str(getattr(hosted.bot, "announcement", HEARS_ALL))
                            await self._say(key, room, words(told), f"hears all of {link}")
                            await hosted.attending.told(link)
            await self._exchanged.wait()

    async def speak(self, key: str, room: Room, said: Said, once: str = "") -> None:
        """Let the bot `key` say something unasked in `room`, and wherever else it is heard then. Returns when it is
        stored. Raises PermissionError where it may not speak, or was told to be quiet."""
        await self._say(key, room, said, once, polite=True)

    async def _say(self, key: str, room: Room, said: Said, once: str, *, polite: bool = False) -> None:
        hosted = self._bots.get(key)
        await self._places.recall()
        ear = self._places.ear(key, room)
        if hosted is None or ear is None:
            raise PermissionError(f"{key} may not speak unasked in {room}")
        id_ = digest("said", key, str(room), once or uuid.uuid4().hex)
        text = as_text(said)
        if text:
            body, private = Message(text, Kind.NOTICE), ear.id.count("@") == 1
            event = spoken(ear, key, hosted.bot.name, id_, body, self._clock(), private=private)
            if polite and not private and await self._is_hushed(hosted, replace(event, room=room)):
                raise PermissionError(f"{key} was told to be quiet in {room}")
            await self._store([event])

    async def _is_hushed(self, hosted: Hosted, event: Event) -> bool:
        """Whether the bot was told to be quiet where it would say `event`."""
        if hosted.attending is None:
            return False
        await hosted.attending.begin()
        return hosted.attending.is_hushed(str(event.room), self._about(event).link, self._clock())

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """Yields the answers as they come. Ignores `cursor`: a question is asked again if its answer was not stored."""
        while True:
            batch, stored = await self._answers.get()
            yield batch
            if not stored.cancelled():
                stored.set_result(None)

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        """All the questions that wait in one ear, as one post: the bot is asked all of them at once. An edit comes too
        late for its question: it would be in it otherwise."""
        asked = [*takewhile(lambda item: isinstance(item.event.body, Message), owed)]
        if not asked:
            raise Needless
        payload = _QUESTIONS.dump_json(tuple(item.event for item in asked)).decode()
        return [Post.of(owed[0].room, tuple(each for item in asked for each in item.deliveries), 0, payload)]

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """Ask the bot, and return when its answers are stored."""
        hosted = self._bots.get(self._key(post.room))
        if hosted is None:
            raise PermanentError(f"there is no bot called {self._key(post.room)!r} in the config")
        async with self._typing(post.room):
            await self._put(hosted, post.room, _QUESTIONS.validate_json(post.payload), again=again)
        return post.id

    def leave(self) -> bool:
        """See `bridge.network.Network`."""
        return False

    def absence(self, room: Room) -> str | None:
        """The bots are always there."""
        return None

    async def ready(self) -> None:
        """The bots are always there."""

    async def _put(self, hosted: Hosted, ear: Room, questions: Sequence[Event], *, again: bool = False) -> None:
        """Ask the bot `questions`, and return when its answers are stored. What was asked before is not shown while it
        grows: it could come after the whole answer."""
        key = self._key(ear)
        for question in questions:
            await self._places.met(question)
        if hosted.attending is not None:
            await hosted.attending.begin()
        asked = [self._asked(hosted, ear, question) for question in questions]
        voices = [Voice(ear, key, hosted.bot.name, question, self._clock) for question in questions]
        grows = _streams(hosted.bot) and self._grows(ear)
        answers = await asyncio.gather(
            *(self._answer(hosted, *each, grows=grows and not again) for each in zip(voices, asked, strict=True))
        )
        whole = (voice.grown if grows else voice.said for voice in voices)
        await self._store([event for say, texts in zip(whole, answers, strict=True) for event in say(texts)])
        if hosted.attending is not None:
            await hosted.attending.save()

    async def _store(self, events: Sequence[Event]) -> None:
        """Return when these are stored."""
        if events:
            stored = asyncio.get_running_loop().create_future()
            await self._answers.put((Batch(tuple(events), _CURSOR), stored))
            await stored

    @staticmethod
    def _key(ear: Room) -> str:
        return ear.id.partition("@")[0]

    async def _answer(self, hosted: Hosted, voice: Voice, asked: Asked | Question, *, grows: bool) -> Sequence[Text]:
        """What the bot says, as far as its manners allow."""
        if isinstance(asked, Question):
            return await self._thought(hosted, asked)
        if not asked.thinks:
            answers: Sequence[Text] = [asked.said]
        elif grows and asked.question.called:
            answers = await self._thought(hosted, asked.question, lambda text: self._show(hosted, voice, asked, text))
        else:
            answers = await self._thought(hosted, asked.question)
        if hosted.attending is None:
            return ()
        said = [answer for answer in answers if answer]
        return hosted.attending.say(asked, said, hosted.bot.name, self._clock())

    async def _show(self, hosted: Hosted, voice: Voice, asked: Asked, so_far: Said) -> None:
        """Show how far the answer is, where that can be seen."""
        if hosted.attending is not None and hosted.attending.may_begin(asked, self._clock()):
            await self._store(voice.growing(as_text(so_far)))

    async def _thought(self, hosted: Hosted, question: Question, show: Show | None = None) -> Sequence[Text]:
        """What the bot answers; meanwhile, `show` is told what there is of it."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                if show is None:
                    return texts_of(await hosted.bot.answer(question))
                said = await shown(hosted.bot.stream(question), show)  # type: ignore[attr-defined]
                return texts_of([said] if said is not None else [])
        except Exception:  # a bot is foreign code: its errors must not stop the conversation
            log.exception(
                "bot_failed",
                bot=hosted.bot.name,
                room=str(question.room),
                hint="this question gets no answer; all else goes on",
            )
            return ()

    def _asked(self, hosted: Hosted, ear: Room, event: Event) -> Asked | Question:
        body = event.body if isinstance(event.body, Message) else None
        called = body.called if body is not None else None
        said = addressed(plain(event.text), (*filter(None, [called]), *hosted.names))
        role, link, carried, is_member = self._about(event)
        question = Question(
            id=_question_id(event.key),
            text=event.text if said is None else words(said),
            asker=event.sender,
            room=event.room,
            time=max(0.0, min(event.time, self._clock())),  # a homeserver may claim any year to come
            private=event.private,
            role=role,
            link=link,
            carried=carried,
        )
        if hosted.attending is None:
            return question
        other = body is not None and body.bot not in ("", self._key(ear))
        is_called = not other and (said is not None or called is not None)
        scope = ear.id.partition("@")[2]
        if scope.startswith("@") and link:
            scope = f"@{link}"  # people talk in all rooms of a link together
        return hosted.attending.ask(
            event, question, scope, called=is_called, member=is_member, now=self._clock(), other=other
        )


def _streams(bot: Bot) -> bool:
    return bool(getattr(bot, "streams", hasattr(bot, "stream")))


def _question_id(event: EventKey) -> str:
    return digest(str(event.room), event.id)
