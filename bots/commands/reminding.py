"""Keeps reminders and says them when they are due, late ones too."""

import asyncio
from contextlib import suppress
from datetime import time
from typing import NamedTuple

import structlog
from pydantic import JsonValue

from bots.api import Home, Question
from bots.audience import audience, visitor
from bots.commands import zones
from bots.commands.shelf import Full, Shelf
from bots.commands.times import Asked, Every
from bridge.lib.durations import about
from bridge.lib.ids import digest
from bridge.model.event import Room
from bridge.model.text import one_line, words

log = structlog.get_logger()

MOST = 20
"""Reminders of one person."""
_USERS = 3_000
_GUESTS = 500
_FROM_GUESTS = 20  # said in one link: whoever comes again by another name may set their own 20 each time
_GLANCE_S = 30.0  # the clock may have been set: it is looked at so often while something is due some time
_LATE_S = 120.0
_AGAIN_S = 60.0  # after a failure; doubled each time
_TRIES = 12  # two days in all
_AT_ONCE = 20  # said in a row: after a long pause, many may be late


class Reminder(NamedTuple):
    """`number` is the person's own, from 1. `user` is None for a guest, who is told in `room` by `name`. `heard`: the
    audience before which it was set."""

    number: int
    who: str
    user: str | None
    name: str
    room: Room
    heard: str
    due: float
    every: Every | None
    text: str


class TooManyReminders(Exception):
    """The person, or everybody together, has as many reminders as there may be."""


class Reminders:
    """All reminders of one bot."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._users = Shelf(home.memory, "commands/remind/user/", _USERS)
        self._guests = Shelf(home.memory, "commands/remind/guest/", _GUESTS)
        self._changed = asyncio.Event()
        self._failed: dict[str, tuple[int, float]] = {}  # tries, and when to try again

    async def add(self, question: Question, asked: Asked) -> Reminder:
        """Remind who asks. The same question again changes nothing. Raises TooManyReminders."""
        shelf = await (self._guests if question.user is None else self._users).open()
        key = digest("reminder", question.id)
        if (known := _read(shelf.get(key))) is not None:
            return known
        mine = {each.number for each in await self.of(question)}
        if len(mine) >= MOST or (question.user is None and not await self._has_place(question, asked)):
            raise TooManyReminders
        number = next(each for each in range(1, MOST + 1) if each not in mine)
        name, user = one_line(question.asker.name, 64), question.user
        reminder = Reminder(
            number, visitor(question), user, name, question.room, audience(question), asked.due, asked.every, asked.text
        )
        try:
            await shelf.put(key, _written(reminder))
        except Full:
            raise TooManyReminders from None
        self._changed.set()
        return reminder

    async def _has_place(self, question: Question, asked: Asked) -> bool:
        """Whether a guest may set one more. If guests have all that they may have, the one that ends last makes place
        for an earlier one, so that nobody takes all places for years."""
        await self._guests.open()
        known = {key: each for key, value in self._guests.items() if (each := _read(value)) is not None}
        heard = sum(each.heard == audience(question) for each in known.values())
        if not question.private and heard >= _FROM_GUESTS:
            return False
        if len(self._guests) < _GUESTS or not known:
            return True
        last = max(known, key=lambda key: _end(known[key]))
        if _end(known[last]) > _end(asked):
            await self._guests.drop(last)
        return len(self._guests) < _GUESTS

    async def of(self, question: Question) -> list[Reminder]:
        """The reminders of who asks, the next one first."""
        who = visitor(question)
        return sorted((each for _, _, each in await self._all() if each.who == who), key=_due)

    async def remove(self, question: Question, number: int) -> bool:
        """Remove a reminder of who asks. False: they have none with this number."""
        for shelf, key, each in await self._all():
            if each.who == visitor(question) and each.number == number:
                await shelf.drop(key)
                return True
        return False

    async def forget(self, question: Question) -> None:
        """Remove all reminders of who asks."""
        for shelf, key, each in await self._all():
            if each.who == visitor(question):
                await shelf.drop(key)

    async def run(self) -> None:
        """Say what is due, forever."""
        while True:
            self._changed.clear()
            try:
                wait = await self.say_due()
            except Exception:  # the store may be away for a while; reminders must outlast that
                log.exception("reminders_failed", hint="they are looked at again in half a minute")
                wait = _GLANCE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def say_due(self) -> float | None:
        """Say what is due now; returns in how many seconds to do so again at the latest, None: when one is added."""
        now = self._home.clock()
        due = sorted(
            (each for each in await self._all() if self._when(each[1], each[2]) <= now), key=lambda each: each[2].due
        )
        for shelf, key, reminder in due[:_AT_ONCE]:
            if await self._say(key, reminder, now):
                await self._settle(shelf, key, reminder, now)
        waiting = [self._when(key, each) for _, key, each in await self._all()]
        return min(max(0.0, min(waiting) - self._home.clock()), _GLANCE_S) if waiting else None

    def _when(self, key: str, reminder: Reminder) -> float:
        return max(reminder.due, self._failed.get(key, (0, 0.0))[1])

    async def _say(self, key: str, reminder: Reminder, now: float) -> bool:
        """Whether it is done with this reminder for now: said, or given up."""
        late = f", {about(now - reminder.due)} late" if now - reminder.due > _LATE_S else ""
        text = f"Reminder{late}: {one_line(reminder.text, 500)}"
        once = f"reminder {key} {reminder.due}"  # a crash before it is settled does not say it twice
        try:
            if reminder.user is not None:
                await self._home.tell(reminder.user, words(text), once=once)
            else:
                await self._home.say(reminder.room, words(f"{reminder.name}: {text}"), once=once)
        except Exception as error:  # one reminder that cannot be said must not stop the others
            tries = self._failed.get(key, (0, 0.0))[0] + 1
            self._failed[key] = (tries, now + min(_AGAIN_S * 2**tries, 6 * 3600))
            hint = "it is given up" if tries >= _TRIES else "it is tried again, for two days"
            log.warning("reminder_failed", reason=one_line(str(error)), tries=tries, hint=hint)
            return tries >= _TRIES
        return True

    async def _settle(self, shelf: Shelf, key: str, reminder: Reminder, now: float) -> None:
        """It was said, or given up: forget it, or wait for the next time."""
        if reminder.every is None:
            await shelf.drop(key)
        elif shelf.get(key) is not None:  # else it was deleted meanwhile
            await shelf.put(key, _written(reminder._replace(due=reminder.every.after(max(now, reminder.due)))))
        self._failed.pop(key, None)

    async def _all(self) -> list[tuple[Shelf, str, Reminder]]:
        shelves = [await self._users.open(), await self._guests.open()]
        found = ((shelf, key, _read(value)) for shelf in shelves for key, value in shelf.items())
        return [(shelf, key, each) for shelf, key, each in found if each is not None]


def _due(reminder: Reminder) -> float:
    return reminder.due


def _end(each: Reminder | Asked) -> tuple[bool, float]:
    """When it is over, to compare: what comes again is so last."""
    return each.every is not None, each.due


def _written(reminder: Reminder) -> JsonValue:
    every = reminder.every
    return {
        **{key: value for key, value in reminder._asdict().items() if key not in ("room", "every")},
        "room": [reminder.room.network, reminder.room.id],
        "every": None if every is None else [[*every.days], every.at.hour, every.at.minute, every.zone],
    }


def _read(value: JsonValue) -> Reminder | None:
    match value:
        case {
            "number": int(number), "who": str(who), "user": str() | None as user, "name": str(name),
            "heard": str(heard), "room": [str(net), str(id_)], "due": int() | float() as due,
            "every": repeated, "text": str(text),
        }:  # fmt: skip
            return Reminder(number, who, user, name, Room(net, id_), heard, float(due), _every(repeated), text)
    return None


def _every(value: JsonValue) -> Every | None:
    match value:
        case [list(days), int(hour), int(minute), str(zone)]:
            known = zone if zones.find(zone) is not None else "UTC"  # the system's zones may have changed
            return Every(tuple(day for day in days if isinstance(day, int)), time(hour, minute), known)
    return None
