"""Who may speak, what is carried, and when a bot is asked: pure decisions, each refusal with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bridge.model import BOTS, Event, Kind
from bridge.text import addressed, plain


class Guests(StrEnum):
    """What becomes of what guests say in a link: put to the bots alone, carried like everybody's, or left alone."""

    DUCK_ONLY = "duck-only"
    RELAY = "relay"
    IGNORE = "ignore"


class Answers(StrEnum):
    """What a bot answers in a link's rooms. In a private conversation it always answers, unless `NEVER`."""

    MENTIONED = "mentioned"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not carried, in words for the operator. `told` says whether its sender is told so."""

    reason: str
    told: bool


def judge(event: Event, *, member: bool, guests: Guests) -> Refusal | None:
    """None where `event` is carried to the rest of its link."""
    if event.room.network == BOTS or member or guests is Guests.RELAY:
        return None
    if guests is Guests.IGNORE:
        return Refusal("guests are ignored in this link", told=False)
    return Refusal("not a member", told=not event.sender.bot and event.kind is not Kind.NOTICE)


def asked(event: Event, names: Iterable[str], answers: Answers) -> bool:
    """Whether `event` is a question for a bot of these names. A notice and another bot's words never are."""
    if answers is Answers.NEVER or event.kind is Kind.NOTICE or event.sender.bot:
        return False
    if event.private or answers is Answers.ALWAYS or event.called is not None:
        return True
    return addressed(plain(event.text), names) is not None
