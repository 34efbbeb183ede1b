"""Handlers for PRIVMSG, NOTICE and BATCH: what is said in our channels and to us, now or before we came."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import Effect, Heard, Notable, written
from bridge.irc.hearing.steps import Settled, Step
from bridge.irc.session import actions, bouncer
from bridge.irc.session.bouncer_networks import BATCH as NETWORKS
from bridge.irc.session.proof import ID_TAG
from bridge.irc.session.state import State
from bridge.irc.wire.line import Line
from bridge.model.event import Event, Membership, Message, Room
from bridge.model.talks import has_address
from bridge.model.text import one_line

_LONG_AGO_S = 60.0
"""Seconds before we came online, by the server's clock: an older line is a bouncer's replay, though not marked so."""
_SPEECH = frozenset({"PRIVMSG", "NOTICE"})
_REPLAYED = _SPEECH | {"TAGMSG", "REDACT"}
"""What a history may have: a TAGMSG is a reaction there, and a REDACT may follow what it removes (IRCv3
message-redaction)."""
_HISTSERV = "HistServ!HistServ@localhost"
"""Who tells in words that somebody came or went, in a history of Ergo for those without draft/event-playback."""
_TOLD_THEN = _REPLAYED | {"TOPIC"}
"""Of all that a history may have with draft/event-playback, what is told. Who came and went then is not, nor do such
lines change what we know of now."""


def is_replayed(state: State, line: Line) -> bool:
    """Whether a line was said before we came."""
    if "batch" in line.tags:
        return line.command != "BATCH" and state.batches.around(line).is_history
    if bouncer.is_playing(state, line):
        return True
    where = line.param(0)
    is_channel = state.isupport.is_channel(where) or state.channels.heard(where) is not None
    said = line.command in _REPLAYED and "time" in line.tags and is_channel
    if not said or state.online_since is None or "label" in line.tags or line.tags.get(ID_TAG) in state.proofs:
        return False
    return convert.spoken_at(line, state.wall) < state.online_since - _LONG_AGO_S


def speech(state: State, line: Line) -> Iterable[Step]:
    """PRIVMSG, NOTICE."""
    if bouncer.speaks(state, line):
        said = one_line(line.param(1))
        return (*state.proofs.bounced(said), Notable("bouncer", said))
    if state.relaying.is_ours(line, state.us.nick):
        return state.proofs.echo(line, state.batches.label(line))
    if state.us.is_us(line.source.nick):
        state.us.seen(line.source)
        return state.proofs.echo(line, state.batches.label(line))
    if state.faces.is_ours(line):
        return state.faces.seen(line)
    private = state.us.is_us(line.param(0))
    room = Room(state.settings.name, line.source.nick) if private else state.channels.heard(line.param(0))
    if private and not has_address(line.source.nick):
        return ()
    if room is None or line.is_of_server:  # for the ranks of a channel only, or from a server
        return ()
    if convert.speech(line) is None:
        return _ctcp(state, line) if private else ()
    time, connection = convert.spoken_at(line, state.wall), state.people.connection(line.source)
    spoken = Spoken(line, room, private, state.ids.of(line), time, connection)
    return said_now(state, spoken) if private else state.history.heard(spoken)


def said_now(state: State, spoken: Spoken) -> Iterable[Step]:
    """A line that was said now is due. With account-tag, a line without the tag is from somebody without an account."""
    source, account = spoken.line.source, spoken.account
    if account is not None:
        pass
    elif "account-tag" in state.enabled:
        account = spoken.line.tags.get("account", "")
    else:
        account = state.people.account(source, state.now) if state.people.knows(source.nick) else ""
    return state.speakers.said(spoken, account, state.now)


def said_before(state: State, spoken: Spoken) -> Iterable[Step]:
    """A line of history is due. An account tag on it names the speaker's account then. Without one, it is nobody's,
    unless the very same person is in the channel now and was connected when it was said: then it is their account."""
    source, account = spoken.line.source, spoken.line.tags.get("account", spoken.account)
    same = state.people.resembles(source, spoken.line.param(0))
    if account is None:
        account = "" if same is False else state.people.account_then(source, spoken.time, state.now)
    return state.speakers.said(replace(spoken, present=bool(same)), account, state.now)


def settled(state: State, spoken: Spoken, account: str) -> Iterator[Effect]:
    """The speaker of a line is known: it is heard."""
    target, *text = spoken.line.params or ("",)
    if spoken.line.command in _SPEECH and text:
        line = replace(spoken.line, params=(target, state.faces.answered(state.relaying.answered(text[0]))))
        spoken = replace(spoken, line=line)
    event = convert.event(
        spoken,
        account,
        state.us.names,
        state.people.casemapping,
        masks=state.settings.trust_hostmasks,
        bot=not spoken.replayed and state.automata.has(spoken.line.source, spoken.connection),
    )
    if event is not None:
        yield Heard(event, spoken.line.tags.get("msgid", ""))
        yield from _types_no_more(state, event)


def _types_no_more(state: State, event: Event) -> Iterator[Effect]:
    """Who has said something, or is gone, types no more (https://ircv3.net/specs/client-tags/typing)."""
    match event.body:
        case Message():
            who = event.sender
        case Membership(person=who):
            pass
        case _:
            return
    yield from actions.types_no_more(state, event.room, who)


def lost(state: State) -> Iterator[Step]:
    """The connection is over. If the server replays nothing, lines that wait for an account are heard as they are."""
    if not state.enabled & {"batch", "server-time"}:
        for spoken, account in state.speakers.drain():
            yield Settled(replace(spoken, replayed=True), account)


def batch(state: State, line: Line) -> Iterable[Step]:
    """BATCH."""
    begun = state.batches.begun(line)
    if begun is not None and begun.is_history and not begun.is_part and (room := state.channels.heard(begun.channel)):
        state.history.page_begun(room)
    ended = state.batches.ended(line)
    if ended is not None and ended.kind == NETWORKS:
        return state.login.networks.listed()
    if ended is not None and ended.label and not ended.is_inner:
        return state.proofs.answered(ended.label)
    if ended is None or not ended.is_history or ended.is_part:
        return ()
    room = state.channels.heard(ended.channel)
    return state.history.page_ended(room, state.now, is_last=ended.is_last) if room is not None else ()


def replayed(state: State, line: Line) -> Iterable[Step]:
    """A line of a channel's history: of the channel that its batch names, if it is in one."""
    room = state.channels.heard(state.batches.around(line).channel or line.param(0))
    if room is None:
        return ()
    time, msgid = convert.spoken_at(line, state.wall), line.tags.get("msgid", "")
    id_ = state.history.came(room, line, time)
    if id_ is None or line.command not in _TOLD_THEN or state.channels.heard(line.param(0)) != room:
        return ()
    if line.command == "REDACT":
        return _removed_then(state, line, room, id_)
    if line.is_of_server or bouncer.speaks(state, line) or line.source.mask == _HISTSERV:
        return ()
    is_ours = state.us.is_surely(line.source) or state.relaying.is_ours(line, state.us.nick)
    if is_ours or state.faces.was_ours(line):
        state.history.mine(room, line.tags.get(ID_TAG, ""), msgid, time)
        return ()
    if not _tells(line, room) or line.source.nick in state.us.names:
        return ()
    playing = bouncer.is_playing(state, line)  # at an unknown time: so who had the nick then is unknown, too
    spoken = Spoken(line, room, private=False, id=id_, time=time, replayed=True, account="" if playing else None)
    told = state.history.replayed if "batch" in line.tags or playing else state.history.late
    return told(spoken, msgid)


def _tells(line: Line, room: Room) -> bool:
    """Whether a line of history says or does something."""
    if line.command == "TAGMSG":
        return convert.reaction(line, room) is not None
    return line.command == "TOPIC" or convert.speech(line) is not None


def _removed_then(state: State, line: Line, room: Room, id_: str) -> Iterable[Step]:
    """A REDACT in a history. It does not count as one of its lines. Which rank its source had then is unknown; the rank
    of now counts if it is the very same person."""
    if not line.param(1) or line.source.nick in state.us.names:
        return ()
    same = state.people.resembles(line.source, line.param(0))
    ranks = state.people.ranks(line.source.nick, line.param(0)) if same else ""
    spoken = Spoken(
        line,
        room,
        private=False,
        id=id_,
        time=convert.spoken_at(line, state.wall),
        replayed=True,
        account="" if line.is_of_server else None,
        moderated=line.is_of_server or state.isupport.moderates(ranks),
    )
    told = state.history.replayed if "batch" in line.tags else state.history.late
    return told(spoken, line.tags.get("msgid", ""))


def _ctcp(state: State, line: Line) -> Iterable[Effect]:
    """Answer what somebody's client asks in private; bots are not answered."""
    is_bot = convert.has_bot_tag(line) or state.automata.has(line.source, state.people.connection(line.source))
    if line.command != "PRIVMSG" or is_bot:
        return ()
    who = line.source.host or line.source.nick
    answer = state.ctcp.answer(line.param(1), who, state.now, state.wall)
    return () if answer is None else written("NOTICE", line.source.nick, answer)
