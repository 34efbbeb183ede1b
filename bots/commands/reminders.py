"""`remind me`, `list reminders` and `delete`."""

import re

from bots.audience import audience
from bots.commands import times, zones
from bots.commands.command import Call, command
from bots.commands.reminding import MOST, Reminder, TooManyReminders
from bridge.model.text import one_line

_TIME = re.compile(r"\d|tomorrow|tonight|day\b")
_SHOWN = 60  # characters of each reminder in a list


@command("remind me WHEN to WHAT", "reminder")
async def remind(call: Call) -> str | None:
    """Remind you later, in private, where you spoke last; guests in the room.

    WHEN is "in 10 minutes", "at 18:00", "tomorrow at 9", "on monday at 6 pm", "on 2026-12-24", "every monday at 9" or
    "every weekday", before or behind WHAT, in your zone (see `zone`).

    >>> remind me in 10 minutes to feed the duck
    I will remind you today 20:40 (number 1).
    >>> remind me to water the plants every monday at 9
    I will remind you every Monday at 09:00, first Monday 09:00 (number 2).
    """
    question, zone = call.question, await call.state.whereabouts.zone(call.question)
    try:
        asked = times.parse(call.args, call.now, zone)
    except times.UnusableTime as error:
        return f"I cannot: {error}."
    if asked is None:
        hint = "I do not understand when. Say it like this: remind me in 10 minutes to feed the duck"
        return hint if _TIME.search(call.args.lower()) else None
    if question.user is None and question.link and not question.private and not question.carried:
        return "Ask me that in private: what guests say here stays here, and I would remind you before everybody."
    try:
        reminder = await call.state.reminders.add(question, asked)
    except TooManyReminders:
        return f"I keep {MOST} reminders for each, and not more than I can hold in all. `list reminders`, `delete 1`"
    when = zones.soon(reminder.due, call.now, zone)
    again = f"{reminder.every}, first " if reminder.every else ""
    return f"I will remind you {again}{when} (number {reminder.number})."


@command("list reminders", "reminders", "my reminders", "show reminders")
async def list_reminders(call: Call) -> str | None:
    """List your reminders; in a room, those that were set before the same people.

    >>> remind me tomorrow to call bob
    I will remind you tomorrow 09:00 (number 1).
    >>> list reminders
    1: tomorrow 09:00, call bob
    """
    if call.args.strip("?!. "):
        return None
    every = await call.state.reminders.of(call.question)
    shown = [each for each in every if call.question.private or each.heard == audience(call.question)]
    if not every:
        return "You have no reminders."
    zone = await call.state.whereabouts.zone(call.question)
    listed = " · ".join(_line(each, zones.soon(each.due, call.now, zone)) for each in shown)
    hidden = len(every) - len(shown)
    return " · ".join(filter(None, [listed, f"{hidden} more: ask me in private" if hidden else ""]))


def _line(reminder: Reminder, when: str) -> str:
    again = f" ({reminder.every})" if reminder.every else ""
    return f"{reminder.number}: {when}{again}, {one_line(reminder.text, _SHOWN)}"


@command("delete NUMBER", "delete reminder", "cancel reminder")
async def delete(call: Call) -> str | None:
    """Delete one of your reminders.

    >>> remind me in 2 hours to sleep
    I will remind you today 22:30 (number 1).
    >>> delete 1
    Deleted.
    >>> delete 1
    You have no reminder 1.
    """
    number = call.args.strip("#.! ")
    if not (number.isascii() and number.isdecimal() and len(number) <= 3):
        return None
    deleted = await call.state.reminders.remove(call.question, int(number))
    return "Deleted." if deleted else f"You have no reminder {int(number)}."


COMMANDS = (remind, list_reminders, delete)
