"""What operators do to our puppets: it is told to the other rooms, as it is of somebody there."""

from collections.abc import Iterator
from dataclasses import replace

from bridge.irc.dialect.formatting import stripped
from bridge.irc.hearing.steps import Step
from bridge.irc.session import actions
from bridge.irc.session.hush import MUTES
from bridge.irc.session.state import State
from bridge.irc.wire.line import Line
from bridge.irc.wire.modes import ModeChange
from bridge.model.event import Act, Moderation
from bridge.model.people import Sender
from bridge.model.text import one_line

_REASON = 200


def kicked(state: State, line: Line) -> Iterator[Step]:
    """KICK of a puppet. Call it while the puppet is known."""
    user = state.faces.owner(state.people.source(line.param(1))) if state.faces.any else None
    if user is not None:
        yield from _told(state, line, user, line.param(1), Act.KICK, 0)


def banned(state: State, line: Line, number: int, change: ModeChange) -> Iterator[Step]:
    """A mask comes to or goes from a list of MODE, as the line's change of that `number`: who is meant, if it is of one
    puppet alone."""
    mute = next((mute for mute in MUTES if change.param.startswith(mute)), "")
    user = state.faces.banned(change.param.removeprefix(mute)) if state.faces.any else None
    if user is None:
        return
    is_quiet = bool(mute) or change.letter == "q"
    acts = (Act.UNQUIET, Act.QUIET) if is_quiet else (Act.UNBAN, Act.BAN)
    yield from _told(state, line, user, user, acts[change.on], number)


def _told(state: State, line: Line, user: str, called: str, act: Act, number: int) -> Iterator[Step]:
    """Nothing of what we do ourselves, nor of what servers do after a netsplit."""
    room = state.channels.heard(line.param(0))
    if room is None or line.is_of_server or state.us.is_us(line.source.nick) or state.faces.is_ours(line):
        return
    person = Sender(room.network, called, called, casemapping=state.people.casemapping, user=user)
    reason = one_line(stripped(line.param(2)), _REASON) if act is Act.KICK else ""
    spoken = actions.happened(state, line, room)
    spoken = replace(spoken, id=f"{spoken.id} {number}" if number else spoken.id, act=Moderation(act, person, reason))
    yield from actions.told(state, [spoken])
