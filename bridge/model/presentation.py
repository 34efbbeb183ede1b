"""How a link shows what is said to the people in its rooms."""

from dataclasses import dataclass
from enum import StrEnum

QUOTATION = '(re {name}: "{words}") '
"""The default template of a quotation. `{name}` said `{words}`."""


class Reactions(StrEnum):
    """How reactions are shown on IRC: as a line of words, by the tag `+draft/react`, both, or not carried at all."""

    WORDS = "words"
    TAGS = "tags"
    BOTH = "both"
    OFF = "off"


class Memberships(StrEnum):
    """Whose joining, leaving and renaming is told: nobody's, that of people who spoke within the hour, everybody's."""

    OFF = "off"
    SPEAKERS = "speakers"
    ALL = "all"


class Puppets(StrEnum):
    """Who speaks on IRC with a connection and a nick of their own: nobody, or the members."""

    OFF = "off"
    MEMBERS = "members"


class Topics(StrEnum):
    """Where a topic that is set in one room of the link is set too."""

    OFF = "off"
    TO_IRC = "to-irc"
    TO_MATRIX = "to-matrix"
    BOTH = "both"


class Ghosts(StrEnum):
    """Who on IRC has an account of their own on Matrix: nobody, who speaks, or everybody in the channel."""

    OFF = "off"
    SPEAKERS = "speakers"
    ALL = "all"


class Moderated(StrEnum):
    """What becomes of kicks and bans of faces (puppets and ghosts) in the other rooms of the link: they are told of in
    words, or the same is done there."""

    WORDS = "words"
    MIRROR = "mirror"


class Banned(StrEnum):
    """What becomes of the words of somebody whose own face (puppet or ghost) was removed from a room: they are refused,
    or the bridge's account says them with the mark."""

    REFUSE = "refuse"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the renderers need to know of a link.

    `quotation`: the template before a reply on IRC, unless it answers the last thing said. `reactions`: see
    `Reactions`. `deletions`: a removal is told on IRC in words. `guard_names`: a zero-width sign in names on IRC, so
    that nobody is pinged by their own relayed words. `colour_names`: names on IRC have a colour each. `profiles`:
    messages on Matrix have a per-message profile (MSC4144), their speaker's name and picture. `puppets`: members speak
    on IRC with a connection of their own. `ghosts`: people on IRC have an account of their own on Matrix. `banned`: see
    `Banned`.
    """

    quotation: str = QUOTATION
    reactions: Reactions = Reactions.WORDS
    deletions: bool = True
    guard_names: bool = True
    colour_names: bool = True
    profiles: bool = True
    puppets: bool = False
    ghosts: Ghosts = Ghosts.OFF
    banned: Banned = Banned.REFUSE


DEFAULT = Presentation()
