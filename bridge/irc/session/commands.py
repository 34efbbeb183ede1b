"""What each command of a server does to the state of a connection."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import Spoken
from bridge.irc.session.effects import Online
from bridge.irc.session.login import Login
from bridge.irc.session.presence import Presence
from bridge.irc.session.state import FENCE, State
from bridge.irc.wire.line import Line
from bridge.model.text import one_line

_MOST_DIGITS = 16
_OTHER_ERRORS = frozenset({"263", "716", "926", "FAIL"})

Handler = Callable[[State, Line], None]


def obey(state: State, line: Line) -> None:
    """Deal with one line; what is not known means nothing to us."""
    handle = _HANDLERS.get(line.command)
    if handle is not None:
        handle(state, line)
    elif line.command[:1] in "45" or line.command in _OTHER_ERRORS:
        _error(state, line)


# The server itself


def _ping(state: State, line: Line) -> None:
    state.write("PONG", *(line.params[:2] or ("",)))


def _pong(state: State, line: Line) -> None:
    for done in state.liveness.pong(line):
        if done == FENCE:
            state.history.fenced(state.now)
        else:
            state.proofs.pong(done)


def _error_line(state: State, line: Line) -> None:
    state.login.closed(one_line(line.last, 300))


# Registration, and who we are


def _cap(state: State, line: Line) -> None:
    state.login.cap(line)
    state.people.watch_logins(told="account-notify" in state.enabled)
    state.channels.shared = state.login.capabilities.of_bouncer
    state.proofs.echoes = "echo-message" in state.enabled


def _welcome(state: State, line: Line) -> None:
    if state.welcomed_at is None and state.login.welcome(line):
        state.welcomed_at = state.now
        state.hearing.welcomed(line, state.wall)
        state.us.welcomed(state.login.nick, state.now)
        state.emit(Online(state.us.nick))


def _server_created(state: State, line: Line) -> None:
    """003."""
    state.history.told_by(line.source.nick, line.last)


def _isupport(state: State, line: Line) -> None:
    state.isupport.load(line.params)
    casemapping = state.isupport.casemapping
    if casemapping is not state.people.casemapping:
        state.people.casemapping = state.proofs.casemapping = state.us.casemapping = casemapping
        state.channels.compare_by(casemapping)


def _greeted(state: State, _: Line) -> None:
    """376, 422: the end of the message of the day, behind all that the server says of itself."""
    if state.welcomed_at is not None and not state.joining:
        state.joining = True
        state.channels.tick(state.now)


def _nick_refused(state: State, line: Line) -> None:
    """Before the welcome, the next name is tried. Afterwards it is about our regaining the nick, save that 437 may
    name a channel."""
    if state.welcomed_at is None:
        state.login.nick_refused(line)
    else:
        state.channels.refused(line, state.now)


def _visible_host(state: State, line: Line) -> None:
    state.us.visible_host(line)
    state.channels.we_changed()


def _join(state: State, line: Line) -> None:
    state.presence.join(line, state.now, convert.spoken_at(line, state.wall))


def _invite(state: State, line: Line) -> None:
    if state.us.is_us(line.param(0)):
        state.channels.invited(line.param(1), state.now)


# Speech


def _speech(state: State, line: Line) -> None:
    state.hearing.speech(line, state.now, state.wall)


def _batch(state: State, line: Line) -> None:
    state.hearing.batch(line, state.now)


# Answers to what we wrote


def _acknowledged(state: State, line: Line) -> None:
    state.proofs.acknowledged(line.tags.get("label", ""))


def _error(state: State, line: Line) -> None:
    if not state.channels.refused(line, state.now):
        flight = state.proofs.refused(line, state.hearing.label(line), state.absence)
        if flight is not None:
            reason = one_line(line.last)
            state.channels.mute(flight.target, reason, state.now, fancy=flight.fancy)


def _mode(state: State, line: Line) -> None:
    """324: the channel's modes, of which one may say how much of it is kept."""
    room = state.channels.heard(line.param(1))
    parameters = line.params[3:]
    kept = [word for word in parameters if ":" in word]
    if room is not None and "H" in line.param(2) and kept:
        state.history.keeps(room, kept[0])


def _mode_change(state: State, line: Line) -> None:
    """MODE: of a channel, or of us (services tell us so that we are logged in)."""
    if state.us.is_us(line.param(0)):
        state.channels.we_changed()
    else:
        state.channels.changed(line.param(0))


def _logged_in(state: State, _: Line) -> None:
    """900."""
    state.channels.we_changed()


def _channel_created(state: State, line: Line) -> None:
    """329."""
    room = state.channels.heard(line.param(1))
    if room is not None and line.param(2).isdecimal() and len(line.param(2)) < _MOST_DIGITS:
        state.history.created(room, float(line.param(2)))


def _fail(state: State, line: Line) -> None:
    """FAIL (https://ircv3.net/specs/extensions/standard-replies)."""
    if line.param(0) == "CHATHISTORY":
        for room in filter(None, map(state.channels.heard, line.params[2:-1])):
            state.history.failed(room, state.now)
    else:
        _error(state, line)


def _of_presence(verb: Callable[[Presence[Spoken], Line, float], None]) -> Handler:
    def handle(state: State, line: Line) -> None:
        verb(state.presence, line, state.now)

    return handle


def _of_login(method: Callable[[Login, Line], object]) -> Handler:
    def handle(state: State, line: Line) -> None:
        method(state.login, line)

    return handle


_HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "CAP": _cap,
        "AUTHENTICATE": _of_login(Login.authenticate),
        "001": _welcome,
        "003": _server_created,
        "005": _isupport,
        "311": _of_presence(Presence.whois_user),
        "315": _of_presence(Presence.who_end),
        "318": _of_presence(Presence.whois_end),
        "324": _mode,
        "329": _channel_created,
        "330": _of_presence(Presence.whois_account),
        "353": _of_presence(Presence.names),
        "354": _of_presence(Presence.whox),
        "376": _greeted,
        "396": _visible_host,
        "421": _of_presence(Presence.unknown_command),
        "422": _greeted,
        "431": _nick_refused,
        "432": _nick_refused,
        "433": _nick_refused,
        "436": _nick_refused,
        "437": _nick_refused,
        "464": _of_login(Login.wrong_password),
        "465": _of_login(Login.banned),
        "900": _logged_in,
        "902": _of_login(Login.not_logged_in),
        "903": _of_login(Login.logged_in),
        "904": _of_login(Login.not_logged_in),
        "905": _of_login(Login.not_logged_in),
        "906": _of_login(Login.aborted),
        "907": _of_login(Login.logged_in),
        "908": _of_login(Login.mechanisms),
        "ACCOUNT": _of_presence(Presence.account),
        "ACK": _acknowledged,
        "BATCH": _batch,
        "CHGHOST": _of_presence(Presence.chghost),
        "ERROR": _error_line,
        "INVITE": _invite,
        "FAIL": _fail,
        "JOIN": _join,
        "KICK": _of_presence(Presence.kick),
        "MODE": _mode_change,
        "NICK": _of_presence(Presence.nick),
        "NOTICE": _speech,
        "PART": _of_presence(Presence.part),
        "PING": _ping,
        "PONG": _pong,
        "PRIVMSG": _speech,
        "QUIT": _of_presence(Presence.quit),
    }
)
