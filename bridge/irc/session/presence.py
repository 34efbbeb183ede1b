"""Handlers for JOIN, PART, NICK, WHO and the like: who is in our channels, and with which account."""

import itertools
from collections.abc import Iterable, Iterator

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import written
from bridge.irc.hearing.steps import Step
from bridge.irc.hearing.who import WHOX_MARK
from bridge.irc.session import actions, moderation
from bridge.irc.session.state import State
from bridge.irc.wire.line import Line, Source
from bridge.model.event import Room
from bridge.model.text import one_line, printable

_WHO_FIELDS = 8
_WHOX_FIELDS = (8, 9)
_MOST_DIGITS = 16
_MOST_PRESENT = 2_000
"""Most people in a channel of whom it is told that they were there when we came: some milliseconds."""


def join(state: State, line: Line) -> Iterator[Step]:
    """JOIN, ours or somebody else's (https://ircv3.net/specs/extensions/extended-join)."""
    if line.is_of_server:
        return
    for channel in line.param(0).split(","):
        if state.us.is_us(line.source.nick):
            yield from _we_joined(state, line, channel)
        if state.channels.heard(channel):
            state.people.joined(line.source, channel)
    if "extended-join" in state.enabled and len(line.params) > 1:
        state.people.learn(line.source, _account(line.param(1), "*"), state.now)
        state.people.described(line.source, realname=line.param(2))
    batch = state.batches.around(line).kind
    is_back = state.netsplits.is_back(line.source, batch, state.people.casemapping, state.now)
    if not state.us.is_us(line.source.nick) and not is_back and not state.faces.is_ours(line):
        rooms = filter(None, map(state.channels.heard, line.param(0).split(",")))
        yield from actions.told(state, actions.membership(state, line, rooms))


def _we_joined(state: State, line: Line, channel: str) -> Iterator[Step]:
    """We joined a channel. Accounts are asked for with WHO, even if each line names its own (account-tag): those who
    are silent may be mentioned."""
    state.us.seen(line.source)
    state.people.we_left(channel)  # who is there now is told anew
    state.topics.pop(state.people.casemapping.fold(channel))
    room = state.channels.we_joined(channel, state.now)
    if room is None:
        yield from state.channels.stray(channel)
        return
    if state.isupport.whox:
        yield from state.who_queue.ask(channel)
    state.hush.joined(channel)
    if state.isupport.is_moderable or state.isupport.colour_modes or state.history.asks_how_much_is_kept:
        yield from written("MODE", room.id)
    position = state.cursor().of(room.id)
    yield from state.history.joined(room, position, state.now, convert.spoken_at(line, state.wall))
    yield from state.channels.go_on(state.now)


def names(state: State, line: Line) -> Iterable[Step]:
    """353 (RPL_NAMREPLY), a part of a channel's people. The sign before the channel's name is missing on some servers.
    Of several ranks of a person only the highest is told without multi-prefix, and a host without userhost-in-names."""
    channel = line.params[-2] if len(line.params) > 1 else ""
    if state.channels.heard(channel):
        signs = state.isupport.ranks
        every = "".join(signs)
        for name in line.last.split(" "):
            whole = name.lstrip(every)
            nick, _sep, mask = whole.partition("!")
            user, _sep, host = mask.partition("@")
            if nick:
                ranks = "".join(signs[sign] for sign in name[: len(name) - len(whole)])
                state.people.joined(Source(nick, user, host), channel, ranks)
    return ()


def part(state: State, line: Line) -> Iterator[Step]:
    happenings = _leavings(state, line, line.source.nick, line.param(0).split(","))
    state.netsplits.forget(line.source, state.people.casemapping)
    for channel in line.param(0).split(",") if state.faces.any else ():
        yield from state.faces.left(line.source.nick, channel)
    for channel in line.param(0).split(","):
        yield from _gone(state, line.source.nick, channel, "the server removed the bridge from the channel")
    yield from actions.told(state, happenings)


def kick(state: State, line: Line) -> Iterator[Step]:
    why = f": {one_line(line.param(2))}" if line.param(2) else ""
    happenings = [] if state.us.is_us(line.source.nick) else _leavings(state, line, line.param(1), [line.param(0)])
    yield from moderation.kicked(state, line)
    if state.faces.any:
        yield from state.faces.left(line.param(1), line.param(0))
    yield from _gone(state, line.param(1), line.param(0), f"kicked by {printable(line.source.nick)}{why}")
    yield from actions.told(state, happenings)


def quit_(state: State, line: Line) -> Iterator[Step]:
    told = state.netsplits.told(line, state.batches.around(line).kind, state.people.casemapping, state.now)
    happenings = _leavings(state, told, line.source.nick, state.people.channels(line.source.nick))
    if state.faces.any:
        yield from state.faces.left(line.source.nick)
    state.people.quit(line.source.nick)
    yield from state.speakers.changed(line.source.nick, state.now)
    yield from actions.told(state, happenings)
    yield from state.us.freed(line.source.nick, state.now)


def nick(state: State, line: Line) -> Iterator[Step]:
    old, new = line.source.nick, line.param(0)
    if not new:
        return
    ours = state.us.is_us(old)
    if ours:
        yield from state.us.renamed(new, state.now)
        happenings = []
    else:
        happenings = _leavings(state, line, old, state.people.channels(old))
    if state.faces.any:
        state.faces.renamed(line)
    state.people.renamed(line.source, new)
    for name in (old, new):
        yield from state.speakers.changed(name, state.now)
    yield from actions.told(state, happenings)
    if not ours:
        yield from state.us.freed(old, state.now)


def account(state: State, line: Line) -> Iterable[Step]:
    """ACCOUNT (https://ircv3.net/specs/extensions/account-notify)."""
    if line.params:
        state.people.learn(line.source, _account(line.param(0), "*"), state.now)
    return ()


def away(state: State, line: Line) -> Iterable[Step]:
    """AWAY (https://ircv3.net/specs/extensions/away-notify). Without a reason, somebody is back."""
    state.people.described(line.source, away=line.param(0) != "")
    return ()


def setname(state: State, line: Line) -> Iterable[Step]:
    """SETNAME (https://ircv3.net/specs/extensions/setname)."""
    if line.params:
        state.people.described(line.source, realname=line.param(0))
    return ()


def chghost(state: State, line: Line) -> Iterable[Step]:
    """CHGHOST (https://ircv3.net/specs/extensions/chghost): the person stays the same."""
    if not (line.param(0) and line.param(1)):
        return ()
    if state.us.is_us(line.source.nick):
        state.us.rehosted(line.param(0), line.param(1))
    state.people.rehosted(line.source.nick, line.param(0), line.param(1))
    return ()


def whox(state: State, line: Line) -> Iterable[Step]:
    """354 (RPL_WHOSPCRPL), in the order of the fields that we asked for. The real name may be missing."""
    if len(line.params) in _WHOX_FIELDS and line.param(1) == WHOX_MARK:
        _, _, _, user, host, who, flags, name, *rest = line.params
        source = Source(who, user, host)
        state.people.learn(source, _account(name, "0"), state.now)
        state.people.described(source, realname=rest[0] if rest else None, away=flags.startswith("G"))
        state.automata.flagged(source, flags)
    return ()


def who(state: State, line: Line) -> Iterable[Step]:
    """352 (RPL_WHOREPLY). It is for somebody else on our connection (a bouncer), but true."""
    if len(line.params) == _WHO_FIELDS:
        _, _, user, host, _, who, flags, rest = line.params
        away, realname = flags.startswith("G"), rest.partition(" ")[2]
        state.people.described(Source(who, user, host), realname=realname, away=away)
    return ()


def who_end(state: State, line: Line) -> Iterator[Step]:
    """315 (RPL_ENDOFWHO)."""
    yield from state.who_queue.answered()
    if (room := state.channels.room(line.param(1))) is not None:
        yield from state.history.who_ended(room)
        yield from _present(state, room)


def names_end(state: State, line: Line) -> Iterator[Step]:
    """366 (RPL_ENDOFNAMES). Where there is WHOX, the answer to that tells more of who is there."""
    if not state.isupport.whox and (room := state.channels.heard(line.param(1))) is not None:
        yield from _present(state, room)


def _present(state: State, room: Room) -> Iterator[Step]:
    """Who was in a channel before we joined it, where that is told."""
    is_told = state.greets(room)
    if is_told is None:
        return
    there = map(state.people.find, [*itertools.islice(state.people.nicks(room.id), _MOST_PRESENT)])
    for person in filter(None, there):
        if state.us.is_us(person.nick) or actions.of_puppet(state, person.nick):
            continue
        if is_told(actions.someone(state, person.nick)):
            line = Line("353", source=person.source)
            yield from actions.told(state, actions.membership(state, line, [room]))


def whois_user(state: State, line: Line) -> Iterable[Step]:
    """311 (RPL_WHOISUSER)."""
    state.speakers.user(line.param(1), line.param(2), line.param(3))
    return ()


def whois_account(state: State, line: Line) -> Iterable[Step]:
    """330 (RPL_WHOISACCOUNT)."""
    state.speakers.logged_in(line.param(1), line.param(2))
    return ()


def whois_bot(state: State, line: Line) -> Iterable[Step]:
    """335 (RPL_WHOISBOT)."""
    state.automata.told(line.param(1))
    return ()


def whois_idle(state: State, line: Line) -> Iterable[Step]:
    """317 (RPL_WHOISIDLE): seconds idle, and the time of sign-on, which not all servers tell."""
    since = line.param(3)
    if since.isdecimal() and len(since) < _MOST_DIGITS:
        state.speakers.connected_since(line.param(1), float(since))
    return ()


def whois_end(state: State, line: Line) -> Iterable[Step]:
    """318 (RPL_ENDOFWHOIS)."""
    return state.speakers.answered(line.param(1), state.now)


def unknown_command(state: State, line: Line) -> Iterable[Step]:
    """421 (ERR_UNKNOWNCOMMAND)."""
    return state.speakers.cannot_ask(state.now) if "WHOIS" in line.params else ()


def _leavings(state: State, line: Line, who: str, channels: Iterable[str]) -> list[Spoken]:
    """That somebody else leaves these channels, or their nick there, for those who are there with us: they are known
    only until they are gone."""
    if state.us.is_us(who) or actions.of_puppet(state, who):
        return []
    rooms = [room for name in channels if (room := state.channels.heard(name)) and state.people.is_in(who, name)]
    fold = state.people.casemapping.fold
    person = actions.someone(state, who) if rooms and fold(who) != fold(line.source.nick) else None
    return actions.membership(state, line, rooms, person) if rooms else []


def _gone(state: State, who: str, channel: str, reason: str) -> Iterator[Step]:
    if state.us.is_us(who):
        room = state.channels.heard(channel)
        yield from state.channels.we_left(channel, reason, state.now)
        if room is not None:
            state.history.left(room)
        state.people.we_left(channel)
    state.people.left(who, channel)
    if not state.people.knows(who):
        yield from state.speakers.changed(who, state.now)


def _account(name: str, none: str) -> str:
    return "" if name == none else name
