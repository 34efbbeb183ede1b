"""What the config says about a bot's manners: whom it answers, how long it stays in a talk, when it is quiet. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from bridge.model.answering import Answers

HOUR_S = 3_600.0
DAY_S = 86_400.0
_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of each day: from `start` until before `end`, in minutes after midnight in `zone` ("Europe/Berlin"). It
    may go on over midnight; it is empty if both are the same.

    Raises ValueError if a minute is none of a day or there is no such zone.
    """

    start: int
    end: int
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if not (0 <= self.start < _MINUTES and 0 <= self.end <= _MINUTES):
            raise ValueError(f"{self.start} and {self.end} are not minutes of a day")
        try:
            _zone(self.zone)
        except (OSError, ValueError, LookupError) as error:
            raise ValueError(f"there is no time zone {self.zone!r}; one is called Europe/Berlin") from error

    def covers(self, now: float) -> bool:
        """Whether `now`, in seconds since the epoch, is in the quiet hours."""
        local = datetime.fromtimestamp(now, _zone(self.zone))
        minute = local.hour * 60 + local.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


@dataclass(frozen=True, slots=True)
class Manners:
    """The manners of a bot in a room. `names` are those that it listens to.

    `stay_s`: seconds for which a talk stays open after an answer, at most an hour; 0: the bot must be called each time.
    `hears_all`: some of its brains are asked for what nobody asked them too. `chatty`: the chance, 0 to 1, that it
    answers what nobody asked it. `per_person` and `per_room`: so many answers at once, and so many more each hour,
    counted per person in all rooms and per room for all people; None: any number.
    """

    names: tuple[str, ...] = ()
    answers: Answers = Answers.MENTIONED
    stay_s: float = 60.0
    hears_all: bool = False
    chatty: float = 0.0
    quiet_hours: QuietHours | None = None
    per_person: int | None = 60
    per_room: int | None = 240

    @property
    def for_members(self) -> int:
        """How many of a room's answers guests leave to members: whoever changes their nick is another guest."""
        return (self.per_room or 0) // 4

    def is_quiet(self, now: float) -> bool:
        """Whether `now` is in the quiet hours."""
        return self.quiet_hours is not None and self.quiet_hours.covers(now)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)  # UTC works without time zones on the disk
