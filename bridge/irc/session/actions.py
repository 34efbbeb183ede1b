"""Handlers for what is done in our channels without words: TAGMSG, REDACT, TOPIC, and people who come and go."""

from collections.abc import Iterable, Iterator

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import Typed
from bridge.irc.hearing.steps import Step
from bridge.irc.session.state import State
from bridge.irc.wire.line import Line, Source
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.network import Typing

_TYPING = "+typing"
_TYPING_EVERY_S = 2.0
"""Seconds between two signals of one person that say the same; clients leave three."""


def tagmsg(state: State, line: Line) -> Iterable[Step]:
    """TAGMSG in a channel: a reaction, or a sign that somebody types."""
    if state.us.is_us(line.source.nick) and _TYPING in line.tags:
        return ()
    if state.us.is_us(line.source.nick):
        return state.proofs.echo(line, state.batches.label(line))
    room = state.channels.heard(line.param(0))
    if room is None or line.is_of_server:
        return ()
    if _TYPING in line.tags:
        return _typing(state, line, room)
    if convert.reaction(line, room) is None:
        return ()
    return state.history.heard(happened(state, line, room))


def redact(state: State, line: Line) -> Iterable[Step]:
    """REDACT in a channel (https://ircv3.net/specs/extensions/message-redaction). The server lets authors and those who
    moderate do it; that somebody moderates is known by their rank. A server's own is a moderator's."""
    if state.us.is_us(line.source.nick):
        return state.proofs.echo(line, state.batches.label(line))
    room = state.channels.heard(line.param(0))
    if room is None or not line.param(1):
        return ()
    ranks = state.people.ranks(line.source.nick, line.param(0))
    moderated = line.is_of_server or state.isupport.moderates(ranks)
    account = "" if line.is_of_server else None
    return state.history.heard(happened(state, line, room, account=account, moderated=moderated))


def topic(state: State, line: Line) -> Iterable[Step]:
    """TOPIC: somebody changes it. A server that tells it after a netsplit is nobody."""
    if state.us.is_us(line.source.nick):
        return state.proofs.echo(line, state.batches.label(line))
    room = state.channels.heard(line.param(0))
    if room is None or line.is_of_server:
        return ()
    return state.history.heard(happened(state, line, room))


def membership(state: State, line: Line, rooms: Iterable[Room], person: Sender | None = None) -> list[Spoken]:
    """Somebody else came, went or was renamed, in these rooms. Call it while they are known. `person`: see `someone`;
    None if it is the source of the line. Nobody is asked about who they are: a thousand of them may come at once."""
    account = "" if line.is_of_server else _account(state, line.source, line)
    return [happened(state, line, room, account=account, person=person) for room in rooms]


def someone(state: State, nick: str) -> Sender:
    """A person in our channels as we know them now."""
    source = state.people.source(nick)
    masks = state.settings.trust_hostmasks
    account, connection = _account(state, source), state.people.connection(source)
    return convert.sender(state.settings.name, source, account, connection, state.people.casemapping, masks=masks)


def told(state: State, happenings: Iterable[Spoken]) -> Iterator[Step]:
    """Pass on what happened, in order with what is said."""
    for each in happenings:
        yield from state.history.heard(each)


def happened(
    state: State,
    line: Line,
    room: Room,
    *,
    account: str | None = None,
    moderated: bool = False,
    person: Sender | None = None,
) -> Spoken:
    """A line of now, in `room`; the rest as in `Spoken`."""
    return Spoken(
        line,
        room,
        private=False,
        id=state.ids.of(line),
        time=convert.spoken_at(line, state.wall),
        connection=state.people.connection(line.source),
        account=account,
        moderated=moderated,
        person=person,
    )


def _account(state: State, source: Source, line: Line | None = None) -> str:
    """The account of somebody as far as we know it, and `line`, which is theirs, says it; '' for none."""
    if line is not None and "account-tag" in state.enabled and (account := line.tags.get("account")):
        return account
    return state.people.account(source, state.now) or ""


def _typing(state: State, line: Line, room: Room) -> Iterator[Step]:
    """`+typing` (https://ircv3.net/specs/client-tags/typing), seldom per person, and only of those whom we know."""
    account: str | None = line.tags.get("account", "")
    if "account-tag" not in state.enabled:
        account = state.people.account(line.source, state.now)
    active = line.tags[_TYPING] == "active"
    key = (room, state.people.casemapping.fold(line.source.nick))
    was_active, at = state.typing.get(key) or (False, -_TYPING_EVERY_S)
    is_news = state.now - at >= _TYPING_EVERY_S if active else was_active
    if account is None or not is_news:
        return
    state.typing[key] = (active, state.now if active else at)
    who = convert.sender(
        room.network,
        line.source,
        account,
        state.people.connection(line.source),
        state.people.casemapping,
        masks=state.settings.trust_hostmasks,
    )
    yield Typed(Typing(room, who, active))
