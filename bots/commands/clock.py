"""`time` and `zone`."""

from bots.commands import zones
from bots.commands.command import Call, command


@command("time [PLACE]", "what time is it")
async def time(call: Call) -> str | None:
    """Tell the time, here or in a city.

    >>> time
    UTC: Friday, 27 November 2026, 20:30 (UTC)
    >>> what time is it in New York?
    New York: Friday, 27 November 2026, 15:30 (EST, UTC-5)
    """
    place = call.args.rstrip("?!. ")
    place = place[3:] if place.lower().startswith("in ") else place
    found = zones.find(place) if place else await call.state.whereabouts.zone(call.question)
    if found is None:
        return None  # flies
    shown = found.key.rpartition("/")[2].replace("_", " ")
    return f"{shown}: {zones.in_full(call.now, found)}"


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
