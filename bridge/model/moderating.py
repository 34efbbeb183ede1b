"""Kicks and bans in words. Pure."""

from bridge.model.attribution import told_as
from bridge.model.event import Act, Event, Moderation
from bridge.model.outbox import Owed
from bridge.model.text import one_line

_REASON = 200
"""Most characters of a reason."""
_LATE_S = 300.0
"""Seconds after which nobody is kicked any more: they may be there again by then for good reason."""
_SAID = {
    Act.KICK: "{by} has kicked {whom} from {room}",
    Act.BAN: "{by} has banned {whom} from {room}",
    Act.UNBAN: "{by} has lifted the ban of {whom} from {room}",
    Act.QUIET: "{by} has muted {whom} in {room}",
    Act.UNQUIET: "{by} lets {whom} speak in {room} again",
}


def told(event: Event, body: Moderation) -> str:
    """What has happened, in one sentence: `carol has banned alice from libera/#pond: spam`."""
    said = _SAID[body.act].format(by=told_as(event.sender), whom=told_as(body.person), room=event.room)
    return f"{said}: {_reason(body)}" if body.reason else said


def why(event: Event, body: Moderation) -> str:
    """The reason of what is done here in the name of who has done it there: `by carol on libera/#pond: spam`."""
    said = f"by {told_as(event.sender)} on {event.room}"
    return f"{said}: {_reason(body)}" if body.reason else said


def is_done(item: Owed, body: Moderation) -> bool:
    """Whether it is done in the room that it is owed to."""
    return body.mirrored and not (body.act is Act.KICK and item.age > _LATE_S)


def _reason(body: Moderation) -> str:
    return one_line(body.reason, _REASON)
