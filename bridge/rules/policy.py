"""Who may speak, what is carried, and when a bot is asked: pure decisions, each refusal with its reason."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from bridge.model.event import BOTS, Event, Kind
from bridge.model.patterns import Pattern, folded
from bridge.model.text import addressed, plain
from bridge.rules.budget import Allowance
from bridge.rules.passwords import holds_secret
from bridge.users import Measure, Sanction, User
from bridge.users.identities import same_name

_EACH, _TOGETHER = Allowance(6, 6), Allowance(30, 30)


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
class Rules:
    """Who may do what in a link. `members` and `moderators` are names of users, `same_name`d; None: every user is a
    member. The allowances are of what guests may ask the bots, each and all together."""

    guests: Guests = Guests.DUCK_ONLY
    members: frozenset[str] | None = None
    moderators: frozenset[str] = frozenset()
    ignore: tuple[Pattern, ...] = ()
    per_guest: Allowance = _EACH
    per_link: Allowance = _TOGETHER

    def is_member(self, user: User | None) -> bool:
        return user is not None and (self.members is None or same_name(user.name) in self.members)


class Told(StrEnum):
    """What the sender learns of a refusal, privately."""

    NOTHING = "nothing"
    HINT = "hint"
    """What the link tells its guests."""
    REASON = "reason"
    """The reason itself, once a day."""
    ADVICE = "advice"
    """That a password was shown to everybody, each time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not carried, in words that its sender may read too. `heard`: whether bots still hear it.
    `secret`: nobody may, and nothing may keep it."""

    reason: str
    told: Told
    heard: bool
    secret: bool = False


_UNPROVEN = Refusal("it was said while we were away, and nobody can tell by whom", Told.NOTHING, heard=False)


def judge(
    event: Event, user: User | None, sanction: Sanction | None, rules: Rules, names: Collection[str] = ()
) -> Refusal | None:
    """None where `event`, said by `user` (None: a guest), is carried to the rest of its link. `sanction` is what is in
    force against the sender there; `names` are what the bots listen to."""
    if event.room.network == BOTS:
        return None
    words = plain(event.text)
    refusal = _of_anybody(event, words, sanction, rules, (*names, *filter(None, [event.called])))
    if refusal is None and not rules.is_member(user):
        nobody_knows = event.replayed and not event.sender.proofs and rules.guests is not Guests.RELAY
        refusal = _UNPROVEN if nobody_knows else _of_a_guest(user, rules)
    if refusal is not None and (event.sender.bot or event.kind is Kind.NOTICE) and refusal.told is not Told.ADVICE:
        return replace(refusal, told=Told.NOTHING)  # whoever answers by itself could be told for ever
    return refusal


def asked(event: Event, names: Iterable[str], answers: Answers) -> bool:
    """Whether `event` is a question for a bot of these names. A notice and another bot's words never are."""
    if answers is Answers.NEVER or event.kind is Kind.NOTICE or event.sender.bot:
        return False
    if event.private or answers is Answers.ALWAYS or event.called is not None:
        return True
    return addressed(plain(event.text), names) is not None


def _of_anybody(
    event: Event, words: str, sanction: Sanction | None, rules: Rules, names: Collection[str]
) -> Refusal | None:
    if holds_secret(words, names, private=event.private):
        told = Told.NOTHING if event.private else Told.ADVICE
        return Refusal("it may hold a password", told, heard=False, secret=True)
    if sanction is not None:
        return Refusal(_spelled(sanction), Told.REASON, heard=sanction.measure is Measure.MUTE)
    if rules.ignore:
        text = folded(words)
        for pattern in rules.ignore:
            if pattern.fits(event.sender, text):
                return Refusal(f"ignored by {pattern}", Told.NOTHING, heard=False)
    return None


def _of_a_guest(user: User | None, rules: Rules) -> Refusal | None:
    match rules.guests:
        case Guests.RELAY:
            return None
        case Guests.IGNORE:
            return Refusal("guests are ignored in this link", Told.NOTHING, heard=False)
        case Guests.DUCK_ONLY if user is None:
            return Refusal("not a member", Told.HINT, heard=True)
        case Guests.DUCK_ONLY:
            return Refusal("not among the members of this link", Told.REASON, heard=True)


def _spelled(sanction: Sanction) -> str:
    what = {Measure.MUTE: "muted", Measure.BAN: "banned"}[sanction.measure]
    until = "" if sanction.until is None else f" until {datetime.fromtimestamp(sanction.until, UTC):%Y-%m-%d %H:%M} UTC"
    return f"{what}{until}" + (f": {sanction.reason}" if sanction.reason else "")
