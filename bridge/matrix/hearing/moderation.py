"""What moderators do to our ghosts: it is told to the other rooms, as it is of somebody there. Pure."""

from bridge.matrix.dialect import convert
from bridge.matrix.dialect.fields import table, word
from bridge.matrix.dialect.sync import Membership
from bridge.matrix.ghosts.records import Ghost
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Act, Event, Moderation
from bridge.model.people import Sender
from bridge.model.text import one_line

_REASON = 200


def moderated(
    joined: JoinedRoom, member: Membership, ghost: Ghost | None, who: Sender, *, replayed: bool
) -> Event | None:
    """What `who` did to a ghost in the room; None if it is nothing of the kind (spec, `m.room.member`)."""
    person = ghost.person() if ghost is not None else None
    act = _act(word(table(member.event, "unsigned", "prev_content"), "membership"), member.membership)
    if ghost is None or person is None or act is None:
        return None
    body = Moderation(act, person, one_line(member.reason, _REASON).strip(), ghost.owner)
    return convert.enveloped(member.event, joined.room, who, body, replayed=replayed)


def _act(before: str, now: str) -> Act | None:
    match before, now:
        case "join" | "invite", "leave":
            return Act.KICK
        case "ban", "leave":
            return Act.UNBAN
        case was, "ban" if was != "ban":
            return Act.BAN
        case _:
            return None
