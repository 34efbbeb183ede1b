"""What people see when somebody's membership of a room changes (spec, `m.room.member`)."""

from dataclasses import dataclass

from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.dialect.sync import Membership
from bridge.model.event import Change
from bridge.model.text import one_line, shown_name


@dataclass(frozen=True, slots=True)
class Seen:
    """A `change` of somebody whose display name is or was `name`. `detail` is the reason, or their new display name."""

    change: Change
    name: str
    detail: str = ""


def seen(member: Membership, known: str | None) -> Seen | None:
    """What others in the room see of `member`; None if they see nothing, or it is about somebody who was not in the
    room: an invitation, a knock, a ban that was lifted, or one of many on a list. `known`: the display name that the
    person had there, None if they were not there as far as we know; for homeservers that do not tell what was before.
    """
    before = table(member.event, "unsigned", "prev_content") or _believed(known)
    was, name = word(before, "membership"), word(before, "displayname")
    match was, member.membership:
        case "join", "join":
            shown, now = (shown_name(each, fallback=member.user) for each in (name, member.name))
            return Seen(Change.RENAMED, name, member.name) if shown != now else None
        case _, "join":
            return Seen(Change.JOINED, member.name)
        case "join", "leave":
            change = Change.LEFT if member.sender == member.user else Change.KICKED
            return Seen(change, name, one_line(member.reason).strip())
        case "join", "ban":
            return Seen(Change.BANNED, name, one_line(member.reason).strip())
        case _:
            return None


def _believed(known: str | None) -> Json:
    return {} if known is None else {"membership": "join", "displayname": known}
