"""`time` and `zone`."""

import re

from bots.commands import zones
from bots.commands.command import Call, command
from bridge.model.text import as_name, one_line

_UNKNOWN = "I know no city called {}. Say a large one near there, or a zone such as Europe/Berlin."
_MOST_WORDS = 4  # of a city
_NO_PLACES = re.compile(
    "bomb|exactly|fl(?:ies|ew)|for|goes|heals|here|is|it|limit|line|machine|me|now|off|out|over|passes|please|sheet"
    "|slot|table|tells|thanks|there|to|travel(?:l?er)?|up|us|warp|was|will|worth|you|zones?",
    re.IGNORECASE,
)


@command("time [PLACE]", "what time is it")
async def time(call: Call) -> str | None:
    """Tell the time, here or in a city.

    >>> time
    UTC: Friday, 27 November 2026, 20:30 (UTC)
    >>> what time is it in New York?
    New York: Friday, 27 November 2026, 15:30 (EST, UTC-5)
    """
    said = call.args.rstrip("?!. ")
    place = said[3:].strip() if said.lower().startswith("in ") else said
    found = zones.find(place) if place else await call.state.whereabouts.zone(call.question)
    if found is None:
        return _UNKNOWN.format(as_name(one_line(place, 40))) if _is_place(said, place) else None
    shown = found.key.rpartition("/")[2].replace("_", " ")
    return f"{shown}: {zones.in_full(call.now, found)}"


def _is_place(said: str, place: str) -> bool:
    """Whether `place`, which I do not know, seems to be meant for one: behind "in", or a word alone that is none of
    those that people say behind "time"."""
    most = _MOST_WORDS if place != said else 1
    return len(place.split()) <= most and not _NO_PLACES.fullmatch(place)


@command("zone [ZONE]", "time zone", "timezone")
async def zone(call: Call) -> str | None:
    """Show or set your time zone, for `time` and reminders.

    >>> zone Europe/Berlin
    Your zone is Europe/Berlin now: there it is today 21:30.
    >>> zone
    Your zone is Europe/Berlin: there it is today 21:30.
    """
    place = call.args.rstrip("?!. ")
    found = zones.find(place) if place else await call.state.whereabouts.zone(call.question)
    if found is None:
        return "I know no such zone; say one such as Europe/Berlin, or a large city." if "/" in place else None
    if place:
        await call.state.whereabouts.move(call.question, found)
    return f"Your zone is {found.key}{' now' if place else ''}: there it is {zones.soon(call.now, call.now, found)}."


COMMANDS = (time, zone)
