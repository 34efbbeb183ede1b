"""Our channels on one connection: which are joined, which are not and why, and when the next try is due."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from bridge.irc.effects import Barred, Effect, Left, MaySpeak, Write, written
from bridge.irc.wire.line import Line, Unwritable, compose
from bridge.lib.backoff import Backoff
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.event import Room
from bridge.model.text import one_line, printable

_AT_ONCE = 10
"""Channels in one JOIN; servers take from ten up to any number."""
_JOIN_BYTES = 400
_ANSWER_WITHIN = 60.0
_UNANSWERED, _SOON_ANSWERED = 15, 10.0
"""Most channels that we have asked to join in the last ten seconds without an answer. We ask more about each that we
are in, and servers drop those of whom some twenty lines wait."""
_BARRED = Backoff(first_s=15.0, longest_s=600.0)
"""The pause after a JOIN that was refused."""
_REMOVED = Backoff(first_s=5.0, longest_s=600.0)
"""The pause after a kick, or another removal from a channel."""
_GOODBYE = "unlinked"
"""The reason in PART. One word: the write gate allows no spaces in PART, whose last word may be a name."""
_FORGIVEN_AFTER = 600.0
_MUTED = Backoff(first_s=5.0, longest_s=60.0)
"""The pause after which we try to speak again if nothing says that we may: short at first, since it may be the words
that the channel did not take."""

_NO_MODES: frozenset[str] = frozenset()
"""One for all channels: an empty set of their own would take 216 bytes."""
_BY_ITSELF = "nothing to do: the bridge tries again"
_KEYLESS = (
    "the channel has a key (a password)",
    "give it under `channel_keys` of this network, or ask the channel's operators to remove it (-k)",
)
_WRONG_KEY = ("the channel has another key (password)", "correct it under `channel_keys` of this network")
_INVITE_ONLY = "473"
_KNOCK_EVERY_S = 86_400.0
_KNOCKS = 1000
"""Most channels of which it is remembered when we knocked."""
_KNOCK = "This is a bridge to Matrix that should be in the channel: please invite it"
# {us} is our nick: the operators of a channel have to know whom to invite
_REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "403": ("there is no such channel", "check the channel's name in the configuration"),
        "402": ("there is no such channel", "check the channel's name in the configuration"),
        "405": ("the bridge is in as many channels as the server allows", "link fewer channels on this network"),
        "407": ("the server takes fewer channels at once", _BY_ITSELF),
        "437": ("the channel is not available right now", _BY_ITSELF),
        "448": ("the server does not accept the channel's name", "check the channel's name in the configuration"),
        "471": ("the channel is full", "ask its operators to raise the limit (+l)"),
        "473": ("the channel is invite-only", "ask its operators to invite {us}, or to let it in always (+I)"),
        "474": (
            "the bridge is banned from the channel",
            "ask its operators to lift the ban (-b), or to except {us} from it (+e)",
        ),
        "475": _KEYLESS,
        "476": ("the server does not accept the channel's name", "check the channel's name in the configuration"),
        "477": ("the channel is for registered nicks only", "configure `sasl` for this network"),
        "479": ("the server does not accept the channel's name", "check the channel's name in the configuration"),
        "480": ("the channel is for TLS connections only", "set `tls: true` for this network"),
        "485": ("the network does not let anybody into the channel", "link another channel"),
        "489": ("the channel is for TLS connections only", "set `tls: true` for this network"),
        "490": ("the channel is for TLS connections only", "set `tls: true` for this network"),
        "495": ("the channel lets nobody back in right after a kick", _BY_ITSELF),
        "500": ("too many people join the channel at the moment", _BY_ITSELF),
        "520": ("the channel is for server operators only", "link another channel"),
        "926": ("the server's operators forbid the channel", "link another channel"),
    }
)


@dataclass(slots=True)
class _Channel:
    room: Room
    joined: bool = False
    joined_at: float = 0.0
    asked_at: float | None = None
    due: float = 0.0
    failures: int = 0
    kicks: int = 0
    trouble: str = ""
    muted: str = ""
    muted_until: float = -math.inf
    mutes: int = 0
    unsure: bool = False
    plainly: bool = False
    colourless: frozenset[str] = _NO_MODES


class Channels:
    """Joins and rejoins our channels. Names are compared as the server compares them. Sans I/O; times are seconds of a
    clock that does not go back. `keys` are the passwords of channels, by their names. `knocked`: when we asked for an
    invitation into each, also on earlier connections."""

    def __init__(
        self,
        rooms: Sequence[Room],
        keys: Mapping[str, str] = MappingProxyType({}),
        knocked: LruDict[str, float] | None = None,
    ) -> None:
        self._keys = keys
        self._knocked = LruDict[str, float](_KNOCKS) if knocked is None else knocked
        self.may_knock = False
        """Whether the server has KNOCK."""
        self.shared = False
        """Whether other clients may use our connection, too (a bouncer): then channels not configured are theirs."""
        self.may_write: Callable[[float], bool] = lambda _: True
        """Whether the flood budget lets a JOIN out now; asked for each."""
        self._is_held = False  # some have to wait for their turn
        self._casemapping = Casemapping.RFC1459
        self._channels = {self._casemapping.fold(room.id): _Channel(room) for room in rooms}

    def compare_by(self, casemapping: Casemapping) -> None:
        if casemapping is not self._casemapping:
            self._casemapping = casemapping
            self._channels = {casemapping.fold(each.room.id): each for each in self._channels.values()}

    def set_rooms(self, rooms: Sequence[Room]) -> Iterator[Effect]:
        """Replace the configured rooms; leave those that are gone."""
        wanted = {self._casemapping.fold(room.id): room for room in rooms}
        gone = [self._channels.pop(key) for key in [*self._channels] if key not in wanted]
        for group in _groups([each for each in gone if each.joined or each.asked_at is not None]):
            yield Write(compose("PART", ",".join(each.room.id for each in group), _GOODBYE))
        for key, room in wanted.items():
            known = self._channels.setdefault(key, _Channel(room))
            known.room = room  # its name may be spelt differently now

    def room(self, name: str) -> Room | None:
        """The configured room that the server calls `name`."""
        channel = self._of(name)
        return channel.room if channel else None

    def heard(self, name: str) -> Room | None:
        """The configured room, while we are in it: what still arrives from before we joined is not for us."""
        channel = self._of(name)
        return channel.room if channel and channel.joined else None

    def joined(self, name: str) -> bool:
        channel = self._of(name)
        return channel is not None and channel.joined

    def trouble(self, name: str, now: float) -> tuple[str, float]:
        """Why we are not in the channel ('' if unknown), and in how many seconds we try again."""
        channel = self._of(name)
        return (channel.trouble, max(0.0, channel.due - now)) if channel else ("", 0.0)

    def muted(self, name: str) -> str:
        """Why the channel does not let us speak; '' if we may."""
        channel = self._of(name)
        return channel.muted if channel else ""

    def plainly(self, name: str) -> bool:
        """Whether only plain words go there: neither formatting nor notices."""
        channel = self._of(name)
        return channel is not None and channel.plainly

    def is_unsure(self, name: str) -> bool:
        """Whether a line was refused there, and none was taken since: if several were on their way when it opens, the
        first could be refused and the second not."""
        channel = self._of(name)
        return channel is not None and channel.unsure

    def without_colours(self, name: str) -> frozenset[str]:
        """The modes of the channel that let no colours through."""
        channel = self._of(name)
        return channel.colourless if channel is not None else _NO_MODES

    def colourless(self, name: str, modes: frozenset[str]) -> None:
        """The channel has these modes, which let no colours through."""
        channel = self._of(name)
        if channel is not None:
            channel.colourless = modes or _NO_MODES

    def mute(self, name: str, reason: str, now: float, *, fancy: bool) -> None:
        """A line was refused there. If it was a `fancy` one, that may be why (modes +c, +T): send plain words only."""
        channel = self._of(name)
        if channel is None:
            return
        channel.unsure = True
        if fancy:
            channel.plainly = True
        else:
            lately = now - channel.muted_until <= _MUTED.longest_s
            channel.mutes = channel.mutes + 1 if lately else 0
            channel.muted, channel.muted_until = reason, now + _MUTED.plain(channel.mutes)

    def spoke(self, name: str) -> Iterator[Effect]:
        """The channel has taken a line of ours: it lets us speak."""
        channel = self._of(name)
        if channel is not None:
            channel.unsure = False
            yield from self._unmute(channel)

    def changed(self, name: str) -> Iterator[Effect]:
        """The channel's modes changed: it may let us speak now."""
        channel = self._of(name)
        if channel is not None:
            channel.plainly = False
            yield from self._unmute(channel)

    def we_changed(self) -> Iterator[Effect]:
        """We logged in, or our host changed: channels may let us speak now."""
        for channel in self._channels.values():
            yield from self._unmute(channel)

    def _unmute(self, channel: _Channel) -> Iterator[Effect]:
        if channel.muted:
            channel.muted = ""
            yield MaySpeak(channel.room)

    def tick(self, now: float) -> Iterator[Effect]:
        """Join the channels that are due; give up on overdue answers."""
        for channel in self._channels.values():
            if channel.muted and now >= channel.muted_until:
                yield from self._unmute(channel)
            if channel.asked_at is not None and now - channel.asked_at > _ANSWER_WITHIN:
                yield self._bar(channel, "the server did not answer our JOIN", _BY_ITSELF, now)
        yield from self._ask(self._due(now), now)

    def go_on(self, now: float) -> Iterator[Effect]:
        """The server has answered a JOIN: join those that wait for their turn."""
        if self._is_held:
            yield from self._ask(self._due(now), now)

    def _due(self, now: float) -> Iterator[_Channel]:
        for each in self._channels.values():
            if not each.joined and each.asked_at is None and each.due <= now:
                yield each

    def invited(self, name: str, now: float) -> Iterator[Effect]:
        """Somebody invites us: join the channel if it is configured."""
        channel = self._of(name)
        if channel and not channel.joined and channel.asked_at is None:
            yield from self._ask([channel], now)

    def we_joined(self, name: str, now: float) -> Room | None:
        """The room that we just joined; None if it is not configured (see `stray`)."""
        channel = self._of(name)
        if channel is None:
            return None
        channel.joined, channel.joined_at, channel.asked_at = True, now, None
        channel.failures, channel.trouble, channel.muted, channel.plainly = 0, "", "", False
        channel.colourless = _NO_MODES
        return channel.room

    def stray(self, name: str) -> Iterable[Effect]:
        """Leave a channel that is not configured, to which we were forwarded or forced."""
        return written("PART", name) if _sendable(name) and not self.shared else ()

    def we_left(self, name: str, reason: str, now: float) -> Iterator[Effect]:
        channel = self._of(name)
        if channel is None or not channel.joined:
            return
        if now - channel.joined_at > _FORGIVEN_AFTER:
            channel.kicks = 0
        pause = _REMOVED.plain(channel.kicks)
        channel.kicks += 1
        channel.joined, channel.asked_at, channel.trouble, channel.due = False, None, reason, now + pause
        yield Left(channel.room, reason, pause)

    def refused(self, line: Line, now: float) -> Sequence[Effect]:
        """Handle an error about a channel that we asked to join; nothing if it is about something else."""
        channel = self._of(line.param(1)) or self._of(line.param(0))
        if channel is None or channel.asked_at is None:
            return ()
        reason, hint = _REASONS.get(line.command, (one_line(line.last), "ask the channel's operators to let {us} in"))
        if line.command == "470":
            there = printable(line.param(2))
            reason, hint = f"the channel forwards to {there}", f"link {there} instead"
        if line.command == "475" and self._key(channel):
            reason, hint = _WRONG_KEY
        barred = self._bar(channel, reason, hint, now)
        knock = self._knock(channel, now) if line.command == _INVITE_ONLY else ()
        return (barred, *knock, *self.go_on(now))

    def _knock(self, channel: _Channel, now: float) -> Iterable[Effect]:
        """Ask the operators of an invite-only channel to let us in, once a day."""
        last = self._knocked.get(name := self._casemapping.fold(channel.room.id))
        if not self.may_knock or (last is not None and now - last < _KNOCK_EVERY_S):
            return ()
        self._knocked[name] = now
        return written("KNOCK", channel.room.id, _KNOCK)

    def key(self, name: str) -> str:
        """The password of a channel, '' if it has none that we know."""
        fold = self._casemapping.fold
        return next((key for each, key in self._keys.items() if fold(each) == fold(name)), "")

    def _key(self, channel: _Channel) -> str:
        return self.key(channel.room.id)

    def _of(self, name: str) -> _Channel | None:
        return self._channels.get(self._casemapping.fold(name))

    def _bar(self, channel: _Channel, reason: str, hint: str, now: float) -> Effect:
        pause = _BARRED.plain(channel.failures)
        news = channel.failures == 0 or channel.trouble != reason
        channel.failures += 1
        channel.asked_at, channel.trouble, channel.due = None, reason, now + pause
        return Barred(channel.room, reason, hint, pause, news)

    def _ask(self, wanted: Iterable[_Channel], now: float) -> Iterator[Effect]:
        """Join as many as may be joined now; `go_on` and the next `tick` join the others. Looks at hardly more: each
        answer of the server leads here, and of a thousand channels nearly all wait."""
        left = iter(wanted)
        first = [*islice(left, _UNANSWERED + 1)]
        self._is_held = next(left, None) is not None
        for channel in first:
            if not _sendable(channel.room.id):
                yield self._bar(channel, *_REASONS["476"], now)
        sendable = [channel for channel in first if _sendable(channel.room.id)]
        keyed = [channel for channel in sendable if self._key(channel)]
        groups = [*([each] for each in keyed), *_groups([each for each in sendable if each not in keyed])]
        for group in groups:
            if self._unanswered(now) + len(group) > _UNANSWERED or not self.may_write(now):
                self._is_held = True
                return
            for channel in group:
                channel.asked_at = now
            key = self._key(group[0])
            names = ",".join(channel.room.id for channel in group)
            yield Write(compose("JOIN", names, *([key] if key else [])), is_secret=bool(key))

    def _unanswered(self, now: float) -> int:
        asked = (each.asked_at for each in self._channels.values() if each.asked_at is not None)
        return sum(now - at < _SOON_ANSWERED for at in asked)


def _sendable(name: str) -> bool:
    """Whether JOIN can name the channel: a comma in a name would join two (CVE-2022-39203)."""
    if any(char in name for char in ",\a") or name == "0":
        return False
    try:
        return len(compose("JOIN", name)) <= _JOIN_BYTES
    except Unwritable:
        return False


def _groups(channels: Sequence[_Channel]) -> Iterator[Sequence[_Channel]]:
    """Those that go into one JOIN or PART each."""
    group: list[_Channel] = []
    for channel in channels:
        names = [each.room.id for each in (*group, channel)]
        if len(group) == _AT_ONCE or len(",".join(names).encode()) > _JOIN_BYTES:
            yield group
            group = []
        group.append(channel)
    if group:
        yield group
