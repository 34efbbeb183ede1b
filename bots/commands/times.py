"""Understands when people want to be reminded: "in 10 minutes", "tomorrow at 9", "every monday at 18:00". Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

LONGEST = 500
"""Characters of what is asked at most."""
_FAR_DAYS = 5 * 366
_MORNING = time(9, 0)  # of a day that is named without a time
_WORDS = 9  # words that tell a time at most: on next monday at half ... ; "every monday and friday at 6 pm"
_UNITS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "m": 60, "hour": 3600, "hr": 3600, "h": 3600}
_UNITS |= {"day": 86_400, "d": 86_400, "week": 604_800, "w": 604_800}
_DAYS = {name: day for day, names in enumerate(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]) for name in [names]}
_DAYS |= {
    name: day for day, name in enumerate(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"])
}
_DAYS |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_CLOCK = re.compile(r"(\d{1,2})(?:[:.h](\d{2})|h)?(am|pm)?")
_DURATION = re.compile(r"(\d{1,4})([a-z]{1,7})")
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "ten": 10,
    "twenty": 20,
    "thirty": 30,
}


class UnusableTime(ValueError):
    """A time that cannot be used; the message says why, to who asked."""


@dataclass(frozen=True, slots=True)
class Every:
    """Again on these weekdays (0 is Monday) at this time of `zone`."""

    days: tuple[int, ...]
    at: time
    zone: str

    def after(self, now: float) -> float:
        """The first time after `now`; seconds since the epoch."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(now, zone).date()
        days = (today + timedelta(days=number) for number in range(9))
        return next(found for day in days if day.weekday() in self.days and (found := _stamp(day, self.at, zone)) > now)

    def __str__(self) -> str:
        names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
        if len(self.days) == 7:
            return f"every day at {self.at:%H:%M}"
        if self.days == (0, 1, 2, 3, 4):
            return f"every weekday at {self.at:%H:%M}"
        return f"every {', '.join(names[day] for day in self.days)} at {self.at:%H:%M}"


class Asked(NamedTuple):
    """What to be reminded of, and when; `every`: again."""

    due: float
    every: Every | None
    text: str


class _Spec(NamedTuple):
    """A time as it was said. `seconds` from now; or on `day` (None: the next time that it is so late) `at` a time; or
    every one of `days`."""

    seconds: int = 0
    day: date | None = None
    at: time | None = None
    days: tuple[int, ...] = ()


def parse(text: str, now: float, zone: ZoneInfo) -> Asked | None:
    """`text` is what stands behind "remind me": a time before or behind what to be reminded of. None if there is no
    time in it. Raises UnusableTime."""
    words = text.split()
    if len(text) > LONGEST:
        raise UnusableTime(f"that is too long: I keep {LONGEST} characters")
    today = datetime.fromtimestamp(now, zone).date()
    for end in range(min(_WORDS, len(words)), 0, -1):
        if (spec := _spec(words[:end], today)) is not None:
            return _asked(spec, _without(words[end:]), now, zone)
    for start in range(max(1, len(words) - _WORDS), len(words)):
        if (spec := _spec(words[start:], today)) is not None:
            return _asked(spec, _without(words[:start]), now, zone)
    return None


def _without(words: Sequence[str]) -> str:
    """`words` without the "to" that begins them."""
    return " ".join(words[1:] if words and words[0].lower() in ("to", "that", "about", "of") else words)


def _asked(spec: _Spec, text: str, now: float, zone: ZoneInfo) -> Asked:
    if not text:
        raise UnusableTime("say what of, such as: remind me in 10 minutes to feed the duck")
    if spec.days:
        every = Every(spec.days, spec.at or _MORNING, zone.key)
        return Asked(every.after(now), every, text)
    if spec.seconds:
        return Asked(_bounded(now + spec.seconds, now), None, text)
    if spec.day is not None:
        return Asked(_bounded(_stamp(spec.day, spec.at or _MORNING, zone), now), None, text)
    daily = Every(tuple(range(7)), spec.at or _MORNING, zone.key)
    return Asked(daily.after(now), None, text)


def _bounded(due: float, now: float) -> float:
    if due <= now:
        raise UnusableTime("that time is over")
    if due > now + _FAR_DAYS * 86_400:
        raise UnusableTime("that is too far away: I look five years ahead")
    return due


def _stamp(day: date, at: time, zone: ZoneInfo) -> float:
    return datetime.combine(day, at, zone).timestamp()


def _spec(words: Sequence[str], today: date) -> _Spec | None:
    """The time that exactly these words tell."""
    said = [each.lower().rstrip(",.!?") for each in words]
    if said[0] == "in":
        seconds = _duration(said[1:])
        return _Spec(seconds=seconds) if seconds else None
    if "at" in said:
        place = said.index("at")
        for end in range(len(said), place + 1, -1):
            at = _clock(said[place + 1 : end])
            rest = said[:place] + said[end:]
            if at is not None and (not rest or (not said[:place] or end == len(said))):
                return _day(rest, today, at) if rest else _Spec(at=at)
        return None
    if len(said) > 1 and said[-1] in ("noon", "midnight"):
        return None
    return _day(said, today, None)


def _day(said: Sequence[str], today: date, at: time | None) -> _Spec | None:
    if said[0] == "every":
        days = _days([each for each in said[1:] if each != "and"])
        return _Spec(at=at, days=days) if days else None
    if list(said) in (["daily"], ["each", "day"]):
        return _Spec(at=at, days=tuple(range(7)))
    if list(said) in (["today"], ["tonight"]):
        return _Spec(day=today, at=at or time(20 if said[0] == "tonight" else 9))
    if list(said) == ["tomorrow"]:
        return _Spec(day=today + timedelta(days=1), at=at)
    rest = [*said[1:]] if said[0] in ("on", "next") else [*said]
    rest = rest[1:] if rest[:1] == ["next"] else rest
    if len(rest) != 1:
        return None
    if rest[0] in _DAYS and (len(said) > 1 or at is not None):
        ahead = (_DAYS[rest[0]] - today.weekday() - 1) % 7 + 1
        return _Spec(day=today + timedelta(days=ahead), at=at)
    try:
        return _Spec(day=date.fromisoformat(rest[0]), at=at) if re.fullmatch(r"\d{4}-\d\d-\d\d", rest[0]) else None
    except ValueError:
        return None


def _days(said: Sequence[str]) -> tuple[int, ...]:
    if list(said) == ["day"]:
        return tuple(range(7))
    if list(said) in (["weekday"], ["workday"]):
        return (0, 1, 2, 3, 4)
    names = [each.rstrip("s") if each.rstrip("s") in _DAYS else each for each in said]
    return tuple(sorted({_DAYS[each] for each in names})) if names and all(each in _DAYS for each in names) else ()


def _clock(said: Sequence[str]) -> time | None:
    """ "18:00", "6pm", "6:30 pm", "18h", "9", "noon"."""
    if list(said) in (["noon"], ["midnight"]):
        return time(12 if said[0] == "noon" else 0)
    match = _CLOCK.fullmatch("".join(said)) if len(said) <= 2 else None
    if match is None or (len(said) == 2 and said[1] not in ("am", "pm")):
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3]
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _duration(said: Sequence[str]) -> int:
    """Seconds of "10 minutes", "an hour and 5 minutes", "1h30m", "half an hour"; 0 if it is no duration."""
    words = [each for each in said if each != "and"]
    if words == ["half", "an", "hour"]:
        return 1800
    total, number = 0, None
    for word in words:
        if number is None and word in _NUMBERS:
            number = _NUMBERS[word]
        elif number is None and word.isascii() and word.isdecimal() and len(word) <= 6:
            number = int(word)
        elif number is not None:
            if not (unit := _unit(word)):
                return 0
            total, number = total + number * unit, None
        else:
            if not (seconds := _joined(word)):
                return 0
            total += seconds
    return total if number is None else 0


def _joined(word: str) -> int:
    """Seconds of "1h30m"."""
    pieces = _DURATION.findall(word)
    if "".join(number + unit for number, unit in pieces) != word or not all(_unit(unit) for _, unit in pieces):
        return 0
    return sum(int(number) * _unit(unit) for number, unit in pieces)


def _unit(word: str) -> int:
    return _UNITS.get(word, 0) or _UNITS.get(word.rstrip("s"), 0)
