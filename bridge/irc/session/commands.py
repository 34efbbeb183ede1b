"""Handlers for the server's commands: a table; each handler returns the next steps."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from bridge.irc.dialect import convert
from bridge.irc.effects import Failed, Notable, Online, Pledged, Proved, Upgrade, Write, written
from bridge.irc.hearing.steps import Step
from bridge.irc.session import actions, moderation, presence, proof, speech
from bridge.irc.session.hush import LISTS
from bridge.irc.session.login import Login
from bridge.irc.session.state import State
from bridge.irc.wire import modes, sts
from bridge.irc.wire.line import Line, parse
from bridge.model.text import one_line
from bridge.network import Silenced, TransientError

FENCE = "history"
"""The token of the PING sent after a JOIN."""
PROBE = "probe"
"""The token of the PING that shows whether the server answers at all."""
_MOST_DIGITS = 16
_RELAY_AGAIN_S = 0.1
"""Seconds until words that were not relayed go out with a mark."""
_TOLD_EVERY_S = 10.0
"""Seconds between two remarks of the server in the log."""
_OTHER_ERRORS = frozenset({"263", "716", "926", "FAIL"})

_MERELY_SHOWN = frozenset({"REDACT", "TAGMSG"})
"""What a server may refuse without a loss: it is told in words too, where words are wanted, and trying it again would
hold up what people say."""

Handler = Callable[[State, Line], Iterable[Step]]


def obey(state: State, line: Line) -> Iterable[Step]:
    """Handle one line; return the next steps, none for an unknown command."""
    handle = _HANDLERS.get(line.command)
    if handle is not None:
        return handle(state, line)
    if line.command[:1] in "45" or line.command in _OTHER_ERRORS:
        return _error(state, line)
    return ()


# The server itself


def _ping(_: State, line: Line) -> Iterable[Step]:
    return written("PONG", *(line.params[:2] or ("",)))


def _pong(state: State, line: Line) -> Iterator[Step]:
    for done in state.liveness.pong(line):
        if done == FENCE:
            yield from state.history.fenced(state.now)
        elif done == PROBE:
            yield Proved(PROBE, PROBE)
        else:
            yield from state.proofs.pong(done, state.now)


def _error_line(state: State, line: Line) -> Iterable[Step]:
    return state.login.closed(one_line(line.last, 300))


def _kill(state: State, line: Line) -> Iterable[Step]:
    """KILL. Most servers say it in an ERROR too, but not all."""
    return state.login.closed(f"killed: {one_line(line.last, 300)}") if state.us.is_us(line.param(0)) else ()


def _told(state: State, line: Line) -> Iterable[Step]:
    """WARN, NOTE (https://ircv3.net/specs/extensions/standard-replies): a line of log, seldom."""
    if state.now < state.told_at:
        return ()
    state.told_at = state.now + _TOLD_EVERY_S
    return (Notable(line.command.lower(), one_line(" ".join(line.params), 300)),)


# Registration, and who we are


def _cap(state: State, line: Line) -> Iterator[Step]:
    offer, secure = sts.offered(line), state.settings.tls
    if offer is not None and offer.port is not None and not secure:
        yield from written("QUIT", "TLS")
        yield Upgrade(offer.port)
        return
    if offer is not None and offer.duration is not None and secure:
        yield Pledged(offer.duration)
    yield from state.login.cap(line)
    state.people.watch_logins(told="account-notify" in state.enabled)
    state.channels.shared = state.login.capabilities.of_bouncer
    state.proofs.expect_echoes(on="echo-message" in state.enabled)
    state.proofs.shared = state.channels.shared


def _welcome(state: State, line: Line) -> Iterator[Step]:
    """001 (RPL_WELCOME). If it has no time tag, `online_since` is 0.0: the server's clock may differ from ours."""
    if state.welcomed_at is not None:
        return
    yield from state.login.welcome(line)
    if state.login.welcomed and state.login.networks.seeks:
        yield from state.login.networks.ask()
    elif state.login.welcomed:
        state.welcomed_at = state.now
        state.server = "" if state.us.is_us(line.source.nick) else line.source.nick
        state.online_since = convert.spoken_at(line, state.wall) if "time" in line.tags else 0.0
        state.us.welcomed(state.login.nick)
        yield Online(state.us.nick)
        yield from state.nickserv.welcomed(state.us.nick, state.now)


def _server_created(state: State, line: Line) -> Iterable[Step]:
    """003 (RPL_CREATED)."""
    state.history.told_by(line.source.nick, line.last)
    return ()


def _isupport(state: State, line: Line) -> Iterable[Step]:
    """005 (RPL_ISUPPORT)."""
    state.isupport.load(line.params)
    state.channels.may_knock = state.isupport.knock
    state.compare_by(state.isupport.casemapping)
    return ()


def _greeted(state: State, _: Line) -> Iterator[Step]:
    """376, 422: the end of the message of the day, after all that the server says about itself."""
    if state.welcomed_at is not None and not state.joining:
        yield from greeted(state)


def greeted(state: State) -> Iterator[Step]:
    """The server has introduced itself, or takes too long for it. Channels are joined after `join_delay`."""
    state.joining, state.join_at = True, state.now + state.settings.join_delay
    yield from state.us.greeted(state.isupport, state.now)
    yield from state.automata.marks_us(state.us.nick)
    yield from _before_joining(state)
    if state.may_join:
        yield from state.channels.tick(state.now)


def _before_joining(state: State) -> Iterator[Step]:
    """The operator's own commands; the log has their names, and not what they say: that may be a password."""
    lines = [line for text in state.settings.commands(state.us.nick) if (line := parse(text)) is not None]
    for line in lines:
        yield from (Write(each.data, is_secret=True) for each in written(line.command, *line.params))
    if lines:
        yield Notable("pre_join", ", ".join(line.command for line in lines))


def _nick_refused(state: State, line: Line) -> Iterable[Step]:
    """A nick was refused. Before the welcome, try the next one. Afterwards, we failed to regain our nick or, with 437,
    to join a channel."""
    if state.welcomed_at is None:
        return state.login.nick_refused(line)
    return state.channels.refused(line, state.now)


def _ison(state: State, line: Line) -> Iterable[Step]:
    """303 (RPL_ISON)."""
    return state.us.online(line, state.now)


def _monitored_gone(state: State, line: Line) -> Iterable[Step]:
    """731 (RPL_MONOFFLINE)."""
    return state.us.gone(line, state.now)


def _monitor_full(state: State, _: Line) -> Iterable[Step]:
    """734 (ERR_MONLISTFULL)."""
    state.us.unwatched()
    return ()


def _visible_host(state: State, line: Line) -> Iterable[Step]:
    """396 (RPL_VISIBLEHOST)."""
    state.us.visible_host(line)
    return state.channels.we_changed()


def _invite(state: State, line: Line) -> Iterable[Step]:
    return state.channels.invited(line.param(1), state.now) if state.us.is_us(line.param(0)) else ()


# Answers to what we wrote


def _acknowledged(state: State, line: Line) -> Iterable[Step]:
    return state.proofs.acknowledged(line.tags.get("label", ""))


def _error(state: State, line: Line) -> Iterable[Step]:
    """An error about a JOIN, about a post, or about nothing that we know. If we are not in the post's channel, the
    reason for that is reported instead."""
    if barred := state.channels.refused(line, state.now):
        return barred
    label = state.batches.label(line)
    if line.command == "FAIL" and line.param(0) == "BATCH":
        if state.lines_only and not label:  # the other lines of a batch that was refused
            return ()
        state.lines_only = True
    pending = state.proofs.refused(line, label)
    if pending is None:
        return ()
    if pending.relayed:
        return _not_relayed(state, line, pending)
    absent = state.absence(pending.target)
    if pending.command in _MERELY_SHOWN and absent is None:
        refused = Notable(f"{pending.command.lower()}_refused", one_line(" ".join(line.params), 300))
        return (Proved(pending.post, pending.post), refused)
    error = absent or proof.refusal(line, pending)
    if isinstance(error, Silenced):
        state.hush.refused(pending.target)
        state.channels.mute(pending.target, one_line(line.last), state.now, fancy=pending.fancy)
    return (Failed(pending.post, pending.target, error),)


def _not_relayed(state: State, line: Line, pending: proof.PendingPost) -> Iterable[Step]:
    """The server relays nothing for us there, or not under that nick: the words go out again, with the mark."""
    state.relaying.refused(line, pending.target, pending.relayed, state.now)
    reason = one_line(" ".join(line.params), 300)
    error = TransientError(f"the server does not relay it: {reason}", _RELAY_AGAIN_S, refused=True)
    return (Notable("relaymsg_refused", reason), Failed(pending.post, pending.target, error))


def _unknown_command(state: State, line: Line) -> Iterator[Step]:
    """421 (ERR_UNKNOWNCOMMAND), 461 (ERR_NEEDMOREPARAMS)."""
    if line.param(1).upper() == "CHATHISTORY":
        yield from state.history.failed((), line.command, state.now)
        return
    yield from presence.unknown_command(state, line)
    yield from _error(state, line)


def _mode(state: State, line: Line) -> Iterable[Step]:
    """324 (RPL_CHANNELMODEIS): the channel's modes. H says how much history is kept, c and S let no colours through."""
    state.channels.colourless(line.param(1), state.isupport.colour_modes.intersection(line.param(2)))
    if state.channels.heard(line.param(1)):
        state.hush.modes(line.param(1), line.param(2))
    room = state.channels.heard(line.param(1))
    kept = [word for word in line.params[3:] if ":" in word]
    if room is not None and "H" in line.param(2) and kept:
        state.history.keeps(room, kept[0])
    return ()


def _mode_change(state: State, line: Line) -> Iterator[Step]:
    """MODE: of a channel, or of us (services set one when we are logged in)."""
    name = line.param(0)
    if state.us.is_us(name):
        yield from state.channels.we_changed()
        return
    supports = state.isupport
    ranks, off = "".join(supports.ranks.values()), state.channels.without_colours(name)
    for number, change in enumerate(modes.changes(line.params[1:], supports.channel_modes, ranks)):
        if state.channels.heard(name):
            state.hush.changed(name, change, supports)
        if change.letter in LISTS and change.letter not in ranks:
            yield from moderation.banned(state, line, number, change)
        if change.letter in ranks:
            if state.us.is_us(change.param):
                state.relaying.promoted(name)
            state.people.ranked(change.param, name, change.letter, on=change.on)
        elif change.letter in supports.colour_modes:
            off = off | {change.letter} if change.on else off - {change.letter}
    state.channels.colourless(name, off)
    yield from state.channels.changed(name)


def _of_services(handle: Handler) -> Handler:
    """For what may be an answer of the services, too."""

    def both(state: State, line: Line) -> Iterator[Step]:
        yield from state.nickserv.answered(line, state.now)
        yield from handle(state, line)

    return both


def _logged_in(state: State, line: Line) -> Iterator[Step]:
    """900 (RPL_LOGGEDIN)."""
    yield from state.login.sasl(line)
    state.hush.has_account = True
    yield from state.channels.we_changed()


def _channel_created(state: State, line: Line) -> Iterable[Step]:
    """329 (RPL_CREATIONTIME)."""
    room = state.channels.heard(line.param(1))
    if room is not None and line.param(2).isdecimal() and len(line.param(2)) < _MOST_DIGITS:
        state.history.created(room, float(line.param(2)))
    return ()


def _fail(state: State, line: Line) -> Iterator[Step]:
    """FAIL (https://ircv3.net/specs/extensions/standard-replies)."""
    if line.param(0) == "CHATHISTORY":
        rooms = filter(None, map(state.channels.heard, line.params[2:-1]))
        yield from state.history.failed(rooms, line.param(1), state.now)
    elif line.param(0) == "BOUNCER":
        yield from state.login.networks.failed(line)
    else:
        yield from _error(state, line)


def _bouncer(state: State, line: Line) -> Iterable[Step]:
    """BOUNCER (soju.im/bouncer-networks)."""
    state.login.networks.network(line)
    return ()


def _of_login(method: Callable[[Login, Line], Iterable[Step]]) -> Handler:
    def handle(state: State, line: Line) -> Iterable[Step]:
        return method(state.login, line)

    return handle


_HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "CAP": _cap,
        "AUTHENTICATE": _of_login(Login.sasl),
        "001": _welcome,
        "003": _server_created,
        "005": _isupport,
        "303": _ison,
        "311": presence.whois_user,
        "315": presence.who_end,
        "317": presence.whois_idle,
        "318": presence.whois_end,
        "324": _mode,
        "329": _channel_created,
        "330": presence.whois_account,
        "332": actions.topic_now,
        "335": presence.whois_bot,
        "352": presence.who,
        "353": presence.names,
        "366": presence.names_end,
        "354": presence.whox,
        "376": _greeted,
        "396": _visible_host,
        "401": _of_services(_error),
        "421": _unknown_command,
        "422": _greeted,
        "431": _nick_refused,
        "432": _nick_refused,
        "433": _nick_refused,
        "436": _nick_refused,
        "437": _nick_refused,
        "464": _of_login(Login.wrong_password),
        "461": _unknown_command,
        "465": _of_login(Login.banned),
        "731": _monitored_gone,
        "734": _monitor_full,
        "900": _logged_in,
        "901": _of_login(Login.sasl),
        "902": _of_login(Login.sasl),
        "903": _of_login(Login.sasl),
        "904": _of_login(Login.sasl),
        "905": _of_login(Login.sasl),
        "906": _of_login(Login.sasl),
        "907": _of_login(Login.sasl),
        "908": _of_login(Login.sasl),
        "ACCOUNT": presence.account,
        "ACK": _acknowledged,
        "AWAY": presence.away,
        "BATCH": speech.batch,
        "BOUNCER": _bouncer,
        "CHGHOST": presence.chghost,
        "ERROR": _error_line,
        "INVITE": _invite,
        "FAIL": _fail,
        "JOIN": presence.join,
        "KICK": presence.kick,
        "KILL": _kill,
        "MODE": _mode_change,
        "NICK": presence.nick,
        "NOTE": _told,
        "NOTICE": _of_services(speech.speech),
        "PART": presence.part,
        "PING": _ping,
        "PONG": _pong,
        "PRIVMSG": speech.speech,
        "QUIT": presence.quit_,
        "REDACT": actions.redact,
        "SETNAME": presence.setname,
        "TAGMSG": actions.tagmsg,
        "TOPIC": actions.topic,
        "WARN": _told,
    }
)
