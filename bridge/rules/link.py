"""Links: rooms joined into one conversation, who may speak there, and which bots listen."""

from dataclasses import dataclass, field
from enum import StrEnum

from bridge.model.answering import Answers
from bridge.model.event import Room
from bridge.model.patterns import Pattern
from bridge.model.presentation import DEFAULT, Ghosts, Memberships, Moderated, Presentation
from bridge.rules.budget import Allowance
from bridge.users import User
from bridge.users.identities import same_name

_EACH, _TOGETHER = Allowance(6, 6), Allowance(30, 30)


class Guests(StrEnum):
    """How a link treats messages of guests: only the bots hear them, they are carried, or they are ignored."""

    DUCK_ONLY = "duck-only"
    RELAY = "relay"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may do what in a link. `members` and `moderators` are names of users, normalised by `same_name`; `members`
    None: every user is a member. `per_guest` and `per_link` limit questions to the bots, by each guest and by all.
    `member_lines` and `guest_lines`: most lines on IRC of one message.

    What is carried: `reactions`; `edits_from_irc`, `replies_from_irc`: what people write there as words; `memberships`;
    `typing` and `receipts`, which are not stored. `files_last`: seconds that links to files work (infinite: for ever;
    0: no links are made), which have at most `largest_file` bytes. `guest_links`: how many links and previews one guest
    may cause. `preview`: files that people link to are sent with their words where that is possible. `ghosts`: who
    may have an account of their own on another network, which comes and goes as they do. `moderation`: what becomes of
    kicks and bans."""

    guests: Guests = Guests.DUCK_ONLY
    members: frozenset[str] | None = None
    moderators: frozenset[str] = frozenset()
    ignore: tuple[Pattern, ...] = ()
    per_guest: Allowance = _EACH
    per_link: Allowance = _TOGETHER
    member_lines: int = 20
    guest_lines: int = 6
    reactions: bool = True
    edits_from_irc: bool = True
    replies_from_irc: bool = True
    memberships: Memberships = Memberships.SPEAKERS
    typing: bool = True
    receipts: bool = True
    files_last: float = 0.0
    largest_file: int = 100_000_000
    guest_links: Allowance = _EACH
    preview: bool = False
    ghosts: Ghosts = Ghosts.OFF
    moderation: Moderated = Moderated.WORDS

    def is_member(self, user: User | None) -> bool:
        return user is not None and (self.members is None or same_name(user.name) in self.members)

    def max_lines(self, user: User | None) -> int:
        """Most lines on IRC of one message of `user`, None for a guest."""
        return self.member_lines if self.is_member(user) else self.guest_lines

    def is_moderator(self, user: User | None) -> bool:
        return user is not None and same_name(user.name) in self.moderators


@dataclass(frozen=True, slots=True)
class LinkedBot:
    """A bot in a link: its key in the config, the names that it listens to, and when it answers. `hears_all`: it gets
    all that is said, and decides itself."""

    key: str
    names: tuple[str, ...]
    answers: Answers
    hears_all: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Rooms joined into one conversation, with rules, bots, and welcomes, told to members and guests once a day.
    `shows_the_way`: how to become a member is said after the guests' welcome, which is not the operator's own.
    `topics_to`: its rooms that get the topics of the others. `by_hand`: its rooms where people write corrections and
    replies by hand (`bridge.rules.corrections`)."""

    name: str
    rooms: tuple[Room, ...]
    rules: Rules = field(default_factory=Rules)
    bots: tuple[LinkedBot, ...] = ()
    welcome_member: str | None = None
    welcome_guest: str | None = None
    shows_the_way: bool = False
    presentation: Presentation = DEFAULT
    topics_to: tuple[Room, ...] = ()
    by_hand: tuple[Room, ...] = ()
