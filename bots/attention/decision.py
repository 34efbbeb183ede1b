"""What a bot hears, and what it does about it. Pure."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that a bot hears.

    `id`: of the question, unique in all rooms. `room` and `link`, '' for none: a link is one place, with all its rooms.
    `who`: the name of the user, else network and address of the guest. `name`: what people see. `text`: plain, without
    the bot's name before it.
    `time`: when it was said. `member`: of the link. `automatic`: a notice, or from a bot. `called`: it begins with the
    bot's name, mentions it, or replies to it. `elsewhere`: it replies to somebody else, or mentions somebody else only.
    `other`: it calls another bot.
    """

    id: str
    room: str
    who: str
    text: str
    time: float
    link: str = ""
    name: str = ""
    member: bool = False
    automatic: bool = False
    called: bool = False
    private: bool = False
    elsewhere: bool = False
    other: bool = False


class Act(StrEnum):
    """What a bot does about a message: answers it, lets its brains hear it, says a short text itself, or nothing."""

    ANSWER = "answer"
    HEAR = "hear"
    SAY = "say"
    IGNORE = "ignore"


class Why(StrEnum):
    """Why a bot says nothing."""

    AUTOMATIC = "automatic"  # from a bot, or a notice
    OLD = "old"
    NEVER = "never"  # it answers nobody, says the config
    TWICE = "twice"  # the same question came before
    UNASKED = "unasked"
    LEFT = "left"  # a guest told it to be quiet: it leaves their talk
    HUSHED = "hushed"
    QUIET_HOURS = "quiet-hours"
    PERSON = "person"  # they have had all the answers that one person may have
    ROOM = "room"  # the room has had all its answers
    BUSY = "busy"  # more questions than can be remembered
    CIRCLE = "circle"  # somebody seems to be a program that answers its answers


class Said(StrEnum):
    """Short texts that the bot says itself."""

    HUSHED = "hushed"  # it is quiet there, `until` then
    WOKEN = "woken"
    LEFT = "left"  # it has left the talk: "you're welcome"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a message. `why`: why nothing may be said, also not by brains that only hear it. `asked`: it is
    a question, not only something that was heard. `say` and `until`: for `SAY`. `came`: when it was heard."""

    act: Act
    came: float
    why: Why | None = None
    asked: bool = False
    say: Said | None = None
    until: float = 0.0

    @property
    def may_speak(self) -> bool:
        """Whether the bot may say something."""
        return self.why is None and self.act is not Act.IGNORE
