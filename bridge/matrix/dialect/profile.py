"""Per-message profiles: the name and the picture of who speaks, for each carried message (MSC4144)."""

from bridge.lib.ids import digest
from bridge.matrix.dialect.lines import encodable
from bridge.model.attribution import mark, shown_as
from bridge.model.event import Event
from bridge.model.people import Sender
from bridge.model.text import NAME_LIMIT, printable

PROFILE = "com.beeper.per_message_profile"
"""The key that clients read today, until the MSC is accepted."""
_NAME = 2 * NAME_LIMIT
"""Most characters of a name with its note."""


def profile_id(sender: Sender) -> str:
    """A person's id: the same for all that they say by this address on their network."""
    return digest("profile", sender.network, sender.casemapping.fold(sender.address))


def profile(event: Event, picture: str, *, fallback: bool) -> dict[str, object]:
    """The profile of who speaks. `picture`: an `mxc://` URI, or ''. `fallback`: the words have the name, too, in a form
    that clients leave out when they show the profile."""
    sender = event.sender
    shown: dict[str, object] = {
        "id": profile_id(sender),
        "displayname": encodable(printable(shown_as(sender)))[:_NAME],
    }
    return shown | ({"avatar_url": picture} if picture else {}) | ({"has_fallback": True} if fallback else {})


def has_profile(event: Event) -> bool:
    """Whether it is shown with a profile: what is said with a mark, not our own words and not in private."""
    return bool(mark(event)) and not event.private
