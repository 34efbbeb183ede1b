"""Handlers for what is done in our channels without words: TAGMSG, REDACT, TOPIC, and people who come and go."""

from collections.abc import Iterable, Iterator

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import Effect, Typed
from bridge.irc.hearing.steps import Step
from bridge.irc.session.state import State, Typist
from bridge.irc.wire.line import Line, Source
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.network import Typing

_TYPING = "+typing"
_TYPING_EVERY_S = 2.0
"""Seconds between two signals of one person that say the same; clients leave three."""
_TYPES_FOR_S = 6.0
"""Seconds after which somebody of whom no new sign comes types no more, by the specification."""


def tagmsg(state: State, line: Line) -> Iterable[Step]:
    """TAGMSG in a channel: a reaction, or a sign that somebody types."""
    if state.us.is_us(line.source.nick) and _TYPING in line.tags:
        return ()
    if state.us.is_us(line.source.nick):
        return state.proofs.echo(line, state.batches.label(line))
    if state.faces.is_ours(line):
        return state.faces.seen(line)
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
    if state.faces.is_ours(line):
        return state.faces.seen(line)
    room = state.channels.heard(line.param(0))
    if room is None or not line.param(1):
        return ()
    ranks = state.people.ranks(line.source.nick, line.param(0))
    moderated = line.is_of_server or state.isupport.moderates(ranks)
    account = "" if line.is_of_server else None
    return state.history.heard(happened(state, line, room, account=account, moderated=moderated))


def topic(state: State, line: Line) -> Iterable[Step]:
    """TOPIC: somebody changes it. A server that tells it after a netsplit is nobody."""
    state.topics[state.people.casemapping.fold(line.param(0))] = line.param(1)
    if state.us.is_us(line.source.nick):
        return state.proofs.echo(line, state.batches.label(line))
    if state.faces.is_ours(line):
        return state.faces.seen(line)
    room = state.channels.heard(line.param(0))
    if room is None or line.is_of_server:
        return ()
    return state.history.heard(happened(state, line, room))


def topic_now(state: State, line: Line) -> Iterable[Step]:
    """332 (RPL_TOPIC)."""
    state.topics[state.people.casemapping.fold(line.param(1))] = line.param(2)
    return ()


def membership(state: State, line: Line, rooms: Iterable[Room], person: Sender | None = None) -> list[Spoken]:
    """Somebody else came, went or was renamed, in these rooms. Call it while they are known. `person`: see `someone`;
    None if it is the source of the line. Nobody is asked about who they are: a thousand of them may come at once."""
    account = "" if line.is_of_server else _account(state, line.source, line)
    return [happened(state, line, room, account=account, person=person) for room in rooms]


def of_puppet(state: State, nick: str) -> bool:
    """Whether it is one of our puppets who came, went or was renamed: what they do is not told."""
    return state.faces.any and state.faces.is_ours(Line("", source=state.people.source(nick)))


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
    typist = state.typing.get(_typist(state, room, line.source.nick))
    if active:
        is_news = typist is None or state.now - typist.at >= _TYPING_EVERY_S
    else:
        is_news = typist is not None and typist.who is not None
    if account is None or not is_news:
        return
    who = convert.sender(
        room.network,
        line.source,
        account,
        state.people.connection(line.source),
        state.people.casemapping,
        masks=state.settings.trust_hostmasks,
    )
    yield from _types(state, room, who) if active else types_no_more(state, room, who)


def _types(state: State, room: Room, who: Sender) -> Iterator[Effect]:
    state.typing[_typist(state, room, who.address)] = Typist(room, who, state.now)
    yield Typed(Typing(room, who, active=True))


def types_no_more(state: State, room: Room, who: Sender) -> Iterator[Effect]:
    """Somebody says that they have stopped typing, has said something, or is gone."""
    typist = state.typing.get(key := _typist(state, room, who.address))
    if typist is not None and typist.who is not None:
        state.typing[key] = Typist(room, None, typist.at)
        yield Typed(Typing(room, who, active=False))


def tick(state: State) -> Iterator[Effect]:
    """Those of whom nothing was heard for a while have stopped typing."""
    for typist in [*state.typing.values()]:
        if typist.who is not None and state.now - typist.at > _TYPES_FOR_S:
            yield from types_no_more(state, typist.room, typist.who)


def _typist(state: State, room: Room, nick: str) -> tuple[Room, str]:
    return room, state.people.casemapping.fold(nick)
