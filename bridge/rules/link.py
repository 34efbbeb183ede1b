"""Links: the rooms that are one conversation, who may speak there, and which bots hear."""

from dataclasses import dataclass, field
from enum import StrEnum

from bridge.model.event import Room
from bridge.model.patterns import Pattern
from bridge.rules.budget import Allowance
from bridge.users import User
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
    """Who may do what in a link. `members` and `moderators` are names of users, made comparable by `same_name`; None:
    every user is a member. The allowances are for what guests ask the bots: each guest, and all guests together."""

    guests: Guests = Guests.DUCK_ONLY
    members: frozenset[str] | None = None
    moderators: frozenset[str] = frozenset()
    ignore: tuple[Pattern, ...] = ()
    per_guest: Allowance = _EACH
    per_link: Allowance = _TOGETHER

    def is_member(self, user: User | None) -> bool:
        return user is not None and (self.members is None or same_name(user.name) in self.members)

    def is_moderator(self, user: User | None) -> bool:
        return user is not None and same_name(user.name) in self.moderators


@dataclass(frozen=True, slots=True)
class LinkedBot:
    """A bot as a link knows it: its key in the config, the names that it listens to, and when it answers."""

    key: str
    names: tuple[str, ...]
    answers: Answers


@dataclass(frozen=True, slots=True)
class Link:
    """The rooms that are one conversation, who may speak, the bots, and what members and guests are told once a day."""

    name: str
    rooms: tuple[Room, ...]
    rules: Rules = field(default_factory=Rules)
    bots: tuple[LinkedBot, ...] = ()
    welcome_member: str | None = None
    welcome_guest: str | None = None
