"""The nouns of deciding: a case, why it is refused, and the verdict."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.event import Event, Room
from bridge.model.outbox import Known
from bridge.rules.link import Link, Rules
from bridge.users import Sanction, User

_NO_LINK = Rules()


@dataclass(frozen=True, slots=True)
class Case:
    """One event with all that is known when it is decided on.

    `event` is as it is carried, with the user and the note of its sender. `link` is the one of its room, `sanction`
    what is in force against the sender there, and `target` what is known of the event that this one is about.
    """

    event: Event
    link: Link | None = None
    user: User | None = None
    sanction: Sanction | None = None
    target: Known | None = None

    @property
    def rules(self) -> Rules:
        return self.link.rules if self.link is not None else _NO_LINK

    @property
    def is_member(self) -> bool:
        """Whether the sender counts as a member there."""
        return self.rules.is_member(self.user)


class Told(StrEnum):
    """What the sender learns of a refusal, privately."""

    NOTHING = "nothing"
    HINT = "hint"
    """What the link tells its guests."""
    REASON = "reason"
    """The reason itself, once a day."""
    ADVICE = "advice"
    """That everybody saw their password, each time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not carried, in words that its sender may read too. `heard`: bots still hear it. `secret`: it may
    hold a password, so nothing may keep it."""

    reason: str
    told: Told
    heard: bool
    secret: bool = False


class Aside(StrEnum):
    """What else follows from an event."""

    NONE = "none"
    WHISPER = "whisper"
    """It is for the desk, and may not be stored."""
    SPENT = "spent"
    """A guest has asked for more than their share, and has to be told."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an event: the rooms in `audience` get it, and the sender learns of a `refusal`."""

    case: Case
    refusal: Refusal | None
    audience: tuple[Room, ...]
    aside: Aside = Aside.NONE
