"""Data types of a decision: the case, the refusal and the verdict."""

from dataclasses import dataclass
from enum import StrEnum

from bridge.model.accounting import Cause
from bridge.model.event import Event, Room
from bridge.model.outbox import Known
from bridge.rules.link import Link, Rules
from bridge.rules.talks import Way
from bridge.users import Sanction, User

_NO_LINK = Rules()


@dataclass(frozen=True, slots=True)
class Case:
    """One event, with all that is known for the decision.

    `event` is as it is carried, with the user and the note of its sender. `link` is the link of its room, `sanction`
    the one in force against the sender there, and `target` what is known of the event that this one is about. `spoke`:
    whoever comes or leaves has spoken there lately. `way`: where it goes, if it was said in a talk.
    """

    event: Event
    link: Link | None = None
    user: User | None = None
    sanction: Sanction | None = None
    target: Known | None = None
    spoke: bool = False
    way: Way | None = None

    @property
    def rules(self) -> Rules:
        return self.link.rules if self.link is not None else _NO_LINK

    @property
    def is_member(self) -> bool:
        """Whether the sender is a member of the link."""
        return self.rules.is_member(self.user)


class Told(StrEnum):
    """What the sender is told of a refusal, privately."""

    NOTHING = "nothing"
    HINT = "hint"
    """The link's hint for guests."""
    REASON = "reason"
    """The reason itself, once a day."""
    EACH = "each"
    """The reason itself, each time: a member's private words were not said."""
    ADVICE = "advice"
    """That everybody saw their password; sent each time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not carried; the `reason` may be shown to its sender, the `cause` is counted. `heard`: bots still
    hear it. `secret`: it may hold a password, so it must not be stored."""

    reason: str
    told: Told
    cause: Cause
    heard: bool
    secret: bool = False


class Aside(StrEnum):
    """What else follows from an event."""

    NONE = "none"
    WHISPER = "whisper"
    """The event is for the desk, and must not be stored."""
    SPENT = "spent"
    """A guest has used up their budget, and has to be told."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on an event: the rooms in `audience` get it; `refusal` says why it is not carried (None: it is)."""

    case: Case
    refusal: Refusal | None
    audience: tuple[Room, ...]
    aside: Aside = Aside.NONE
