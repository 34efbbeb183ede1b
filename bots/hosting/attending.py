"""One bot among people: what it attends to, what was said before, and what it says about its manners."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog

from bots.api import Memory, Question, Turn
from bots.attention import Act, Attention, Decision, Heard, Said, Why
from bots.audience import person, visitor
from bots.hosting.talks import Place, Talks
from bridge.lib.ids import digest
from bridge.model.event import Edit, Event, Kind, Message, Redaction
from bridge.model.text import Text, plain, words

log = structlog.get_logger()

_SAVED, _TOLD = "attention ", "told that all is heard in "
_FORGET = frozenset({"forget", "forget all", "forget this", "forget everything", "forget what was said"})
FORGOTTEN = words("I have forgotten what was said here.")
HEARS_ALL = (
    "I hear all that is said here, not only what is said to me. Nobody else gets to know it. Who minds may ask an admin"
    " to change that."
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that a bot has heard, and what it does about it. `thinks`: the bot is given it; `said`: what it says
    without thinking."""

    question: Question
    heard: Heard
    decision: Decision
    place: Place
    thinks: bool
    said: Text = ()


class Attending:
    """The attention and the talks of one bot; `memory` keeps the attention over restarts. `hears_all`: it is asked for
    all that is said."""

    def __init__(self, attention: Attention, talks: Talks, memory: Memory, *, hears_all: bool = False) -> None:
        self.hears_all = hears_all
        self._attention = attention
        self._talks = talks
        self._memory = memory
        self._has_begun = False
        self._beginning = asyncio.Lock()
        self._is_full = False

    async def begin(self) -> None:
        """Remember what was in mind before a restart. Only the first call does anything; others wait for it."""
        async with self._beginning:
            if not self._has_begun:
                self._attention.restore(await self._memory.items(_SAVED))
                self._has_begun = True

    async def save(self) -> None:
        """Keep what has changed. Call it once the answers are stored: else a crash would leave a question unanswered
        that is taken for answered. What the memory has no place for is known until the bridge ends."""
        for name, value in self._attention.unsaved().items():
            try:
                await self._memory.put(name, value)
            except ValueError as error:
                if not self._is_full:
                    hint = "after a restart the bot does not know where it was told to be quiet"
                    log.warning("manners_not_kept", reason=str(error), hint=hint)
                self._is_full = True

    async def is_untold(self, link: str) -> bool:
        """Whether people of a link have to be told that the bot hears all."""
        return self.hears_all and await self._memory.get(_TOLD + digest(link)) is None

    async def told(self, link: str) -> None:
        """They have been told."""
        await self._memory.put(_TOLD + digest(link), "told")

    def listens(self, event: Event, link: str) -> bool:
        """Whether somebody who does not call the bot talks with it."""
        return self._attention.is_in_talk(str(event.room), link, who(event), event.time)

    def is_hushed(self, room: str, link: str, now: float) -> bool:
        """Whether people have told the bot to be quiet there."""
        return self._attention.hushed_until(room, link, now) is not None

    def ask(
        self,
        event: Event,
        question: Question,
        scope: str,
        *,
        called: bool,
        member: bool,
        now: float,
        other: bool = False,
    ) -> Asked:
        """What to do about a message. `scope` means those who hear the answer; `called`: the message names the bot;
        `other`: it calls another one."""
        heard = replace(_heard(event, question, called=called, member=member), other=other)
        decision = self._attention.decide(heard, now)
        thread = event.body.thread if isinstance(event.body, Message) else None
        hearers = _hearers(question, scope)
        place = Place(hearers, heard.who, str(thread.id) if thread is not None else "")
        turns = self._talks.turns(place, now)
        if decision.act is not Act.IGNORE:
            self._talks.add(place, Turn(heard.name, heard.text), heard.id, now)
        asked = replace(question, called=decision.act in (Act.ANSWER, Act.SAY), turns=turns)
        said = _worded(decision)
        if decision.act is Act.ANSWER and _is_forget(heard.text):
            self._talks.forget(hearers)
            said = FORGOTTEN
        is_given = decision.act is not Act.IGNORE or (self.hears_all and decision.why is Why.OLD)
        return Asked(asked, heard, decision, place, is_given and not said, said)

    def may_begin(self, asked: Asked, now: float) -> bool:
        """Whether a part of the answer may be shown before the rest is known."""
        return asked.decision.act is Act.ANSWER and self._attention.may_send(asked.heard, asked.decision, now)

    def say(self, asked: Asked, answers: Sequence[Text], name: str, now: float) -> Sequence[Text]:
        """What may be said of the `answers`, which is then taken for said."""
        if not answers or not self._attention.may_send(asked.heard, asked.decision, now):
            return ()
        self._attention.answered(asked.heard, asked.decision, now)
        if not asked.said:
            for answer in answers:
                self._talks.add(asked.place, Turn(name, plain(answer), ours=True), "", now, answers=asked.heard.id)
        return answers

    def changed(self, change: Event, message: str) -> None:
        """`message`, the id of a question, was edited or removed."""
        match change.body:
            case Redaction():
                self._talks.remove(message)
            case Edit(text=text):
                self._talks.change(message, plain(text))
            case _:
                pass


def who(event: Event) -> str:
    """The name of a user; of a guest, network and address."""
    sender = event.sender
    return sender.user or f"{sender.network}/{sender.casemapping.fold(sender.address)}"


def _hearers(question: Question, scope: str) -> str:
    """A key for those who hear the answer. In private that is one person: on IRC, others may have the nick later.
    '' if nothing tells one from the other."""
    if not question.private:
        return scope
    is_known = person(question) is not None or question.asker.connection
    return f"{scope} {visitor(question)}" if is_known else ""


def _heard(event: Event, question: Question, *, called: bool, member: bool) -> Heard:
    body = event.body
    message = body if isinstance(body, Message) else None
    return Heard(
        id=question.id,
        room=str(event.room),
        who=who(event),
        text=plain(question.text),
        time=event.time,
        link=question.link,
        name=event.sender.name,
        member=member,
        automatic=event.sender.bot or (message is not None and message.kind is Kind.NOTICE),
        called=called,
        private=event.private,
        elsewhere=message is not None and not called and (message.reply_to is not None or bool(message.mentions)),
    )


def _is_forget(text: str) -> bool:
    return text.strip(" .!").lower() in _FORGET


def _worded(decision: Decision) -> Text:
    if decision.say is Said.HUSHED:
        until = datetime.fromtimestamp(decision.until, UTC).strftime("%H:%M UTC")
        return words(f"I am quiet here until {until}. Say `wake up` to me if you want me back sooner.")
    return words("I am here again.") if decision.say is Said.WOKEN else ()
