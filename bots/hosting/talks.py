"""Remembers what was said before in each talk, as context for brains. Pure; in memory only: a restart forgets it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from bots.api import TURNS, Turn
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict, LruSet

_TALKS = 200
_TEXT = 500
"""Characters of a turn; the rest is cut off."""
_NAME = 64
"""Characters of a speaker's name."""
_QUIET_S = 3_600.0
"""A talk in which nobody has spoken for so long is over: what comes then is about something else."""
_REMOVED = 1_000
"""Ids of removed messages: a message may be removed before it is added, while the bot thinks."""


class Context(StrEnum):
    """What belongs to one talk: all that is said in a room, what one person and the bot say to each other there, or
    nothing: each question stands alone."""

    ROOM = "room"
    PERSON = "person"
    NONE = "none"


class Place(NamedTuple):
    """Where something is said. `key`: who hears it; '' if that is not known: then nothing is remembered. `person`: who
    talks with the bot, also in what the bot says to them. `thread`: '' for none."""

    key: str
    person: str
    thread: str = ""


class _Name(NamedTuple):
    """The name of a talk, in hashes: other people choose the length of what they are of."""

    key: str
    person: str
    thread: str


class _Entry(NamedTuple):
    """A turn, and the hashes of its event and of the question that it answers; '' for none."""

    event: str
    answers: str
    turn: Turn

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event, self.answers)

    def saying(self, text: str) -> "_Entry":
        return self._replace(turn=_bounded(replace(self.turn, text=text)))


@dataclass(slots=True)
class _Talk:
    """The last turns of a talk, and when the last one was."""

    last: float
    entries: deque[_Entry] = field(default_factory=lambda: deque(maxlen=TURNS))

    def keep(self, entries: Iterable[_Entry]) -> None:
        """Have only these, as far as they say something."""
        self.entries = deque((entry for entry in entries if entry.turn.text), maxlen=TURNS)


class Talks:
    """What was said, in at most 200 talks of at most 30 turns. Nothing goes from one key to another.

    Ids of events have to be unique over all rooms. Times are seconds of one clock.
    """

    def __init__(self, context: Context = Context.ROOM) -> None:
        self._context = context
        self._talks: LruDict[_Name, _Talk] = LruDict(_TALKS)
        self._removed: LruSet[str] = LruSet(_REMOVED)

    def add(self, place: Place, turn: Turn, event: str, now: float, *, answers: str = "") -> None:
        """Remember `turn`, the message `event`, now. `answers`: the id of the question that it answers: if that is
        removed, so is the answer, which may repeat its words."""
        entry = _Entry(digest(event), digest(answers) if answers else "", _bounded(turn))
        if (
            self._context is Context.NONE
            or place.key == ""
            or entry.turn.text == ""
            or any(each in self._removed for each in entry.events)
        ):
            return
        talk = self._open(place, now)
        if talk is None:
            talk = self._talks[self._name(place)] = _Talk(now)
        talk.last = now
        talk.entries.append(entry)

    def turns(self, place: Place, now: float) -> tuple[Turn, ...]:
        """What was said in the talk at `place`, the oldest first; nothing if it is over. Ask before the question itself
        is added."""
        talk = self._open(place, now)
        return tuple(entry.turn for entry in talk.entries) if talk is not None else ()

    def remove(self, event: str) -> None:
        """The message `event` was removed: forget it, and what the bot has answered to it."""
        gone = digest(event)
        self._removed.add(gone)
        for talk in self._talks.values():
            talk.keep([entry for entry in talk.entries if gone not in entry.events])

    def change(self, event: str, text: str) -> None:
        """The words of the message `event` are `text` now."""
        changed = digest(event)
        for talk in self._talks.values():
            talk.keep([entry.saying(text) if entry.event == changed else entry for entry in talk.entries])

    def forget(self, key: str) -> None:
        """Forget all that was heard by those whom `key` means."""
        for name in self._talks:
            if name.key == digest(key):
                self._talks.pop(name)

    def forget_person(self, key: str, person: str) -> None:
        """Forget the talks with one person there; if talks are of rooms, all of them."""
        for name in self._talks:
            if name.key == digest(key) and name.person in {"", digest(person)}:
                self._talks.pop(name)

    def _open(self, place: Place, now: float) -> _Talk | None:
        """The talk at `place`; one that is over is forgotten."""
        name = self._name(place)
        talk = self._talks.get(name)
        if talk is not None and now - talk.last > _QUIET_S:
            self._talks.pop(name)
            return None
        return talk

    def _name(self, place: Place) -> _Name:
        person = digest(place.person) if self._context is Context.PERSON else ""
        return _Name(digest(place.key), person, digest(place.thread))


def _bounded(turn: Turn) -> Turn:
    return replace(turn, name=turn.name[:_NAME], text=turn.text.strip()[:_TEXT])
