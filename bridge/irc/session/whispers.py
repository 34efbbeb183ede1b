"""What people say to puppets in private: it becomes an event of a talk, as soon as its speaker is known."""

from collections.abc import Iterable

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.hearing.steps import Step
from bridge.irc.session.state import State
from bridge.irc.wire.line import Line
from bridge.model.talks import IrcTalk


def whispered(state: State, line: Line, owner: str, identity: str, account: str | None) -> Iterable[Step]:
    """Somebody says a line to the puppet of the user `owner`, whom `identity` proves. `account`: that of who says it,
    '' for none. None if the puppet's connection is not told: then only people who share a channel with us are known.
    What we and our puppets say is nobody's words."""
    source = line.source
    talk = IrcTalk.of(state.settings.name, owner, state.people.casemapping.fold(source.nick))
    if talk is None or state.us.is_us(source.nick) or state.faces.is_ours(line):
        return ()
    if account is None:
        account = state.people.account(source, state.now) if state.people.knows(source.nick) else ""
    time, connection = convert.spoken_at(line, state.wall), state.people.connection(source)
    said = Spoken(line, talk.room, private=True, id=state.ids.of(line), time=time, connection=connection)
    return state.speakers.said(said.to(identity), account, state.now)
