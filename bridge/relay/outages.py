"""Who is away: since when, who has to be told, and what is said when they are back. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bridge.model.accounting import Loss
from bridge.model.event import Event, Kind, Message, Room
from bridge.model.outbox import Delivery
from bridge.model.people import Sender
from bridge.model.text import printable, words
from bridge.network import Gap

_DAY = 86_400.0
_LONGEST_REASON = 200  # characters
SHORT = 20.0
"""Seconds: who is back sooner has only been reconnecting, and nothing is said."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing can be said in `room` since then, seconds since the epoch. Where it is `silenced`, we are there."""

    room: Room
    since: float
    reason: str
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """It has lasted so long that the other rooms of the link are to be told."""

    outage: Outage


@dataclass(frozen=True, slots=True)
class Ended:
    """The room is back. `told` is whether others were told that it was away."""

    outage: Outage
    until: float
    told: bool


class Outages:
    """Others are told of an outage once, when it has lasted for a while. Times are seconds since the epoch, by a clock
    that may jump: an outage that seems to begin in the future begins now."""

    def __init__(self) -> None:
        self._away: dict[Room, Outage] = {}
        self._told: set[Room] = set()
        self._held: set[Room] = set()
        self._silenced: dict[Room, str] = {}

    def look(self, absences: Mapping[Room, str | None], now: float, tell_after: float) -> Iterator[Begun | Ended]:
        """What has changed. `absences` are all rooms, each with why nothing can be said there; others are told of what
        has lasted `tell_after` seconds."""
        for room in [room for room in (*self._away, *self._silenced) if room not in absences]:
            self._forget(room)
        for room, reason in absences.items():
            if reason is not None:
                self._silenced.pop(room, None)  # it may be another matter when it is back
                self._held.add(room)
                yield from self._still_away(Outage(room, now, reason), tell_after)
            elif (refusal := self._silenced.get(room)) is not None:
                yield from self._still_away(Outage(room, now, refusal, silenced=True), tell_after)
            elif (outage := self._away.pop(room, None)) is not None:
                told = room in self._told
                self._told.discard(room)
                yield Ended(outage, now, told)

    def resume(self, outage: Outage) -> None:
        """An earlier run has told others of `outage`; `look` will find whether it is over."""
        self._away[outage.room] = outage
        self._told.add(outage.room)
        if outage.silenced:
            self._silenced[outage.room] = outage.reason
        else:
            self._held.add(outage.room)

    def silenced(self, room: Room, reason: str) -> None:
        """What was to be said in `room` was refused. It is tried again, so nothing is held back."""
        self._silenced[room] = reason

    def spoke(self, room: Room) -> None:
        """Something was said in `room`."""
        self._silenced.pop(room, None)

    def holds(self, room: Room) -> bool:
        """Whether what is owed to `room` waits for the notice that says why it comes late."""
        return room in self._held

    def held(self, network: str) -> Sequence[Room]:
        """The rooms of `network` that wait so."""
        return [room for room in self._held if room.network == network]

    def away(self) -> Mapping[Room, str]:
        """The rooms in which nothing can be said, each with why."""
        return {room: outage.reason for room, outage in self._away.items()}

    def let_go(self, room: Room) -> None:
        """The notice is on its way, or there is none."""
        self._held.discard(room)

    def _still_away(self, outage: Outage, tell_after: float) -> Iterator[Begun]:
        """`outage` as it would be, had it begun now."""
        room, now = outage.room, outage.since
        if (before := self._away.get(room)) is not None:
            outage = replace(outage, since=min(before.since, now))
        self._away[room] = outage
        if now - outage.since >= tell_after and room not in self._told:
            self._told.add(room)
            yield Begun(outage)

    def _forget(self, room: Room) -> None:
        self._away.pop(room, None)
        self._silenced.pop(room, None)
        self._told.discard(room)
        self._held.discard(room)


def begun(outage: Outage, room: Room, now: float) -> tuple[Event, Delivery]:
    """What the other `room` of the link is told."""
    since = f"since {_clock(outage.since)} UTC ({_in_a_line(outage.reason)})"
    if outage.silenced:
        said = f"{outage.room} does not let us speak {since}. What is said here follows when it does."
    else:
        said = f"{outage.room} is away {since}. What is said here follows when it is back."
    return _notice(f"away {outage.room} {outage.since:.0f}", room, said, now)


def back(ended: Ended, room: Room) -> tuple[Event, Delivery]:
    """What the other `room` is told, which knows of the outage."""
    outage = ended.outage
    when = _span(outage.since, ended.until)
    again = f"lets us speak again; it did not {when}" if outage.silenced else f"is back; it was away {when}"
    said = f"{outage.room} {again}."
    return _notice(f"back {outage.room} {outage.since:.0f}", room, said, ended.until)


def follows(ended: Ended, waiting: int, losses: Sequence[Loss] = ()) -> tuple[Event, Delivery]:
    """What the room itself is told, before what waits for it."""
    outage = ended.outage
    what = [f"{_messages(waiting)} follow{'s' if waiting == 1 else ''}"] if waiting else []
    what += [f"{_messages(loss.number)} could not be delivered ({loss.reason})" for loss in losses]
    why = "we could not speak here" if outage.silenced else f"{outage.room.network} was away"
    said = f"{why} {_span(outage.since, ended.until)}; {', '.join(what)}."
    return _notice(f"follows {outage.since:.0f}", outage.room, said, ended.until, ahead=True)


def lost(loss: Loss, room: Room, now: float) -> tuple[Event, Delivery]:
    """What `room` is told of what was given up on, there or in another room of the link."""
    where = "here" if room == loss.room else f"to {loss.room}"
    when = f"said {_span(loss.since, loss.until)}"
    said = f"{_messages(loss.number)}, {when}, could not be delivered {where} ({loss.reason})."
    return _notice(f"lost {loss.room} {loss.reason} {loss.number} {now:.0f}", room, said, now)


def unknown(gap: Gap, other: Room) -> Event:
    """What the `other` room is told where nobody can tell what was said in a gap."""
    said = f"What was said in {gap.room} {_span(gap.since, gap.until)} is not known here."
    return _notice(f"unknown {gap.room} {gap.since:.0f}", other, said, gap.until)[0]


def _notice(id_: str, room: Room, said: str, now: float, *, ahead: bool = False) -> tuple[Event, Delivery]:
    """`id_` is the same when the same is said again after a crash, so that the outbox knows it."""
    us = Sender(room.network, "", "quackbridge", bot=True)
    event = Message(f"outage {id_}", room, us, now, words(said), Kind.NOTICE, private=True)
    return event, Delivery.of(event.key, room, ahead=ahead)


def _in_a_line(reason: str) -> str:
    """Who removes us may write anything as the reason: a second line would be said in our name."""
    return printable(reason)[:_LONGEST_REASON]


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def _span(since: float, until: float) -> str:
    if until - since < _DAY:
        return f"{_clock(since)}-{_clock(until)} UTC"
    start, end = (datetime.fromtimestamp(time, UTC) for time in (since, until))
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%H:%M}"
