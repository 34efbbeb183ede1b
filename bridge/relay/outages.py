"""Tracks unreachable rooms and words the notices about them. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bridge.lib.durations import about
from bridge.model.accounting import Loss
from bridge.model.event import Event, Kind, Message, Origin, Room
from bridge.model.outbox import Addressed
from bridge.model.people import Sender
from bridge.model.text import one_line, words
from bridge.network import Moved
from bridge.relay.gaps import Bundle

_DAY = 86_400.0
SHORT = 20.0
"""Seconds: a shorter outage is only a reconnect, and nothing is said."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Nothing can be said in `room` since `since` (seconds since the epoch). `silenced`: we are in it, but may not
    speak."""

    room: Room
    since: float
    reason: str
    silenced: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """An outage has lasted so long that the other rooms of the link are told."""

    outage: Outage


@dataclass(frozen=True, slots=True)
class Ended:
    """The room is back. `told` is whether others were told that it was away."""

    outage: Outage
    until: float
    told: bool


class Outages:
    """Tracks outages; others are told of each once, when it has lasted for a while. Times are seconds since the epoch.
    The clock may jump: an outage that seems to begin in the future begins now."""

    def __init__(self) -> None:
        self._away: dict[Room, Outage] = {}
        self._told: set[Room] = set()
        self._held: set[Room] = set()
        self._silenced: dict[Room, str] = {}
        self._muted: set[Room] = set()

    def look(
        self,
        absences: Mapping[Room, str | None],
        now: float,
        tell_after: float,
        muted: Collection[Room] = (),
    ) -> Iterator[Begun | Ended]:
        """What has changed. `absences`: for each room, why nothing can be said there, or None. `muted`: the rooms of
        them that we are in, but where we may not speak. Others are told of an outage of `tell_after` seconds."""
        for room in [room for room in (*self._away, *self._silenced) if room not in absences]:
            self._forget(room)
        all_well = not (muted or self._muted or self._silenced or self._away)
        for room, reason in absences.items():
            if reason is None and all_well:  # of a thousand rooms nearly all, nearly always
                continue
            if room in muted:
                self._muted.add(room)
            elif room in self._muted:  # what it refused before may go now
                self._muted.discard(room)
                self._silenced.pop(room, None)
            if reason is not None and room in muted:
                self._held.discard(room)
                yield from self._still_away(Outage(room, now, reason, silenced=True), tell_after)
            elif reason is not None:
                self._silenced.pop(room, None)  # we may be allowed to speak when it is back
                self._held.add(room)
                yield from self._still_away(Outage(room, now, reason), tell_after)
            elif (refusal := self._silenced.get(room)) is not None:
                self._held.discard(room)  # it is tried again; else nobody would learn that we may speak
                yield from self._still_away(Outage(room, now, refusal, silenced=True), tell_after)
            elif (outage := self._away.pop(room, None)) is not None:
                told = room in self._told
                self._told.discard(room)
                yield Ended(outage, now, told)

    def go_on(self, outage: Outage) -> None:
        """Track an `outage` that lasted when an earlier run ended; `look` will find whether it is over."""
        self._away.setdefault(outage.room, outage)

    def resume(self, outage: Outage) -> None:
        """Track an `outage` that an earlier run has told others of; `look` will find whether it is over."""
        self._away[outage.room] = outage
        self._told.add(outage.room)
        if outage.silenced:
            self._silenced[outage.room] = outage.reason
        else:
            self._held.add(outage.room)

    def silenced(self, room: Room, reason: str) -> None:
        """`room` refused what we said. It is tried again, so nothing is held back."""
        self._silenced[room] = reason

    def spoke(self, room: Room) -> None:
        """We could speak in `room`."""
        self._silenced.pop(room, None)

    def silenced_rooms(self) -> Mapping[Room, str]:
        """The rooms that refuse what we say, each with why."""
        return self._silenced

    def holds(self, room: Room) -> bool:
        """Whether deliveries to `room` wait for the notice that says why they come late."""
        return room in self._held

    def held(self, network: str) -> Sequence[Room]:
        """The rooms of `network` that wait for it."""
        return [room for room in self._held if room.network == network]

    def away(self) -> Mapping[Room, str]:
        """The rooms in which nothing can be said, each with why."""
        return {room: outage.reason for room, outage in self._away.items()}

    def lasting(self) -> Sequence[Outage]:
        """The outages that are not over."""
        return [*self._away.values()]

    def let_go(self, room: Room) -> None:
        """Stop holding `room`: the notice is on its way, or there is none."""
        self._held.discard(room)

    def _still_away(self, outage: Outage, tell_after: float) -> Iterator[Begun]:
        """Begin `outage`, or go on with the one that the room has."""
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
        self._muted.discard(room)
        self._told.discard(room)
        self._held.discard(room)


def begun(outage: Outage, room: Room, now: float) -> Addressed:
    """The notice to another `room` of the link that an outage has lasted for a while."""
    since, why, there = _clock(outage.since), one_line(outage.reason), _named(outage.room)
    if outage.silenced:
        said = f"{there} has not let me speak since {since} UTC ({why}). I keep your messages until it does."
    else:
        said = f"I lost my connection to {there} at {since} UTC ({why}). I keep your messages until I am back."
    return _notice(f"away {outage.room} {outage.since:.0f}", room, said, now)


def back(ended: Ended, room: Room) -> Addressed:
    """The notice that an outage is over, to another `room`, which was told of it."""
    outage, there = ended.outage, _named(ended.outage.room)
    when = _span(outage.since, ended.until)
    said = f"I may speak in {there} again (I could not {when})." if outage.silenced else ""
    said = said or f"I am back in {there} (I was away {when}). I send your messages there now."
    return _notice(f"back {outage.room} {outage.since:.0f}", room, said, ended.until)


def follows(ended: Ended, waiting: int, losses: Sequence[Loss] = (), others: Sequence[Room] = ()) -> Addressed:
    """The notice to the room itself, before what waits for it. `others` are the other rooms of its link."""
    outage = ended.outage
    lasted = about(ended.until - outage.since)
    said = f"I could not speak here for {lasted}." if outage.silenced else f"I was disconnected from here for {lasted}."
    for loss in losses:
        said += f" {_messages(loss.number)} could not be delivered: {loss.reason}."
    if waiting:
        whence = _named(others[0]) if len(others) == 1 else "the other rooms"
        said += f" {_messages(waiting)} from {whence}:"
    return _notice(f"follows {outage.since:.0f}", outage.room, said, ended.until, ahead=True)


def lost(loss: Loss, room: Room, now: float) -> Addressed:
    """The notice to `room` of messages given up, there or in another room of the link."""
    where = "here" if room == loss.room else f"to {_named(loss.room)}"
    said = (
        f"{_messages(loss.number)} from {_span(loss.since, loss.until)} could not be delivered {where}: {loss.reason}."
    )
    return _notice(f"lost {loss.room} {loss.reason} {loss.number} {now:.0f}", room, said, now)


def unknown(room: Room, gaps: Bundle, other: Room) -> Addressed:
    """The notice to the `other` room that `room` was not heard for a time, or several times."""
    when = _span(gaps.since, gaps.until)
    lost = f"I lost my connection to {_named(room)}"
    if gaps.number > 1:
        lost, when = f"{lost} {gaps.number} times", f"{when}, {about(gaps.seconds)} in all"
    said = f"{lost} ({when}). Anything said there is missing here."
    return _notice(f"unknown {room} {gaps.since:.0f}", other, said, gaps.until)


def moved(move: Moved, room: Room, now: float) -> Addressed:
    """The notice to `room` that a room of its link, or itself, is in another place now."""
    said = f"I carry on here: {_named(move.room)} has a new room, because {move.why}."
    if room != move.room:
        said = f"{_named(move.room)} has a new room, because {move.why}. I carry on there."
    return _notice(f"moved {move.room} {move.place}", room, said, now)


def _notice(id_: str, room: Room, said: str, now: float, *, ahead: bool = False) -> Addressed:
    """A notice of ours. `id_` is the same if it is repeated after a crash, so that the outbox knows it."""
    us = Sender(room.network, "", "quackbridge", bot=True)
    event = Event(f"outage {id_}", room, us, now, Message(words(said), Kind.NOTICE), origin=Origin.OURS)
    return Addressed(event, room, ahead)


def _named(room: Room) -> str:
    """The room's name for people: with the network, unless its id has a server in it."""
    return room.id if ":" in room.id else f"{room.id} on {room.network}"


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def _span(since: float, until: float) -> str:
    """From when to when, in UTC; one time if both are in the same minute."""
    if until - since >= _DAY:
        start, end = (datetime.fromtimestamp(time, UTC) for time in (since, until))
        return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    first, last = _clock(since), _clock(until)
    return f"{first} UTC" if first == last else f"{first}-{last} UTC"


def _clock(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%H:%M}"
