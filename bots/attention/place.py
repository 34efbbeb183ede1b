"""What a bot keeps in mind about one place, a link or a private conversation, and its form as JSON. Pure.

People, and ids of questions, are kept as hashes of 16 hex digits: no names, and a fixed size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from bots.attention.breaker import Breaker, Chain
from bots.attention.manners import HOUR_S
from bridge.lib.bucket import TokenBucket
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict

_TALKS = 64
"""Open talks: each ends an hour after its last answer at the latest."""
_QUESTIONS = 200
"""Ids of answered questions, so that a value has less than 16 KB."""
_SPEAKERS = 50
_NAME = 64
"""Characters of a speaker's name."""


def short(text: str) -> str:
    """A hash of `text`, which may be of any size."""
    return digest(text)[:16]


@dataclass(slots=True)
class Place:
    """A bot's mind of one place. Times are seconds since the epoch.

    `bucket`: the answers that are left; None: any number. `hushed`: until when it is told to be quiet. `talks`: until
    when a talk with somebody is open. `asked`: questions that it was given, with when that was. `answered`: those of
    them that have their answer; only they outlive a restart, so that others are asked again. `speakers`: names of those
    who spoke lately; not saved. `changed`: it is not as it was saved last.
    """

    bucket: TokenBucket | None
    hushed: float = 0.0
    talks: LruDict[str, float] = field(default_factory=lambda: LruDict(_TALKS))
    asked: LruDict[str, float] = field(default_factory=lambda: LruDict(_QUESTIONS))
    answered: LruDict[str, float] = field(default_factory=lambda: LruDict(_QUESTIONS))
    speakers: LruDict[str, None] = field(default_factory=lambda: LruDict(_SPEAKERS))
    breaker: Breaker = field(default_factory=Breaker)
    changed: bool = True

    def note_speaker(self, name: str) -> None:
        if shown := name[:_NAME].strip():
            self.speakers[shown] = None

    def note_question(self, question: str, now: float) -> None:
        """A question was given to the bot."""
        self.asked[question] = now
        self.changed = True

    def note_answered(self, question: str, now: float) -> None:
        """The bot has said something about a question, now."""
        self.asked[question] = self.answered[question] = now
        self.breaker.spoke = now
        self.changed = True

    def is_busy(self, since: float) -> bool:
        """Whether no further question can be remembered without forgetting one that came after `since`."""
        first = next(iter(self.asked), None)
        time = None if first is None else self.asked.peek(first)
        return len(self.asked) >= _QUESTIONS and time is not None and time > since

    def has_token(self, now: float, kept: int = 0) -> bool:
        """Whether there is an answer left, besides `kept` for others."""
        if self.bucket is None or not self.bucket.has_token(now):
            return self.bucket is None
        level = self.bucket.level()
        return not kept or level is None or level[0] >= kept + 1

    def is_in_talk(self, who: str, now: float) -> bool:
        until = self.talks.peek(who)
        return until is not None and now < until <= now + HOUR_S

    def begin_talk(self, who: str, until: float) -> None:
        self.talks[who] = until

    def end_talk(self, who: str) -> None:
        self.talks.pop(who)
        self.changed = True

    def end_talks(self) -> None:
        for who in self.talks:
            self.end_talk(who)

    def hush(self, until: float) -> None:
        """Say nothing until then."""
        self.hushed, self.changed = until, True

    def wake(self) -> None:
        """Speak again: no hush, and no break."""
        self.hushed, self.changed = 0.0, True
        self.breaker.mend()

    def saved(self) -> JsonValue:
        """This place as JSON, of at most 16 KB; see `restored`."""
        breaker = self.breaker
        return {
            "hushed": self.hushed,
            "talks": {key: self.talks.peek(key) for key in self.talks},
            "answered": {key: self.answered.peek(key) for key in self.answered},
            "spoke": breaker.spoke,
            "runs": {key: [run.count, run.last, run.words] for key in breaker.runs if (run := breaker.runs.peek(key))},
            "broken": {key: breaker.broken.peek(key) for key in breaker.broken},
            "left": saved_bucket(self.bucket),
        }


def restored(value: JsonValue, bucket: TokenBucket | None) -> Place | None:
    """The place that `saved` made `value` of, with the tokens that were left in `bucket`; None if it makes no sense."""
    try:
        saved = _Saved.model_validate(value)
    except ValidationError:
        return None
    place = Place(bucket, saved.hushed, changed=False)
    _fill(place.talks, saved.talks)
    _fill(place.answered, saved.answered)
    _fill(place.asked, saved.answered)
    _fill(place.breaker.runs, {key: Chain(*run) for key, run in saved.runs.items()})
    _fill(place.breaker.broken, saved.broken)
    place.breaker.spoke = saved.spoke
    if bucket is not None and saved.left is not None:
        bucket.refill(*saved.left)
    return place


def saved_bucket(bucket: TokenBucket | None) -> JsonValue:
    """The tokens of `bucket` and when they were counted; None if it is full, or none."""
    left = bucket.level() if bucket is not None else None
    return None if left is None else [*left]


Value = TypeVar("Value")
Time = Annotated[float, Field(allow_inf_nan=False)]
Left = tuple[Time, Time]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="ignore")

    hushed: Time = 0.0
    talks: dict[str, Time] = {}
    answered: dict[str, Time] = {}
    spoke: Time | None = None
    runs: dict[str, tuple[Time, Time, int]] = {}
    broken: dict[str, Time] = {}
    left: Left | None = None


def _fill(kept: LruDict[str, Value], values: Mapping[str, Value]) -> None:
    for key, value in values.items():
        kept[key] = value
