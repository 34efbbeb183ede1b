"""Whether a channel lets us speak, as far as its modes and bans tell: known before a line of ours is refused. Sans I/O.

Channels differ in whom they except. A line that is taken all the same shows that we are excepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Source
from bridge.irc.wire.modes import ModeChange
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.glob import matches

_CHANNELS = 1000
_BANS = 100
"""Most bans of a channel that are kept: servers allow about as many."""
_MODERATED, _REGISTERED = _SILENCING = "m", "M"
LISTS = "bq"
"""Modes whose masks may not speak: bans, and quiets where `q` is not a rank."""
MUTES = ("m:", "~q:", "~quiet:", "~mute:")
"""What stands before a mask that only mutes (extended bans of InspIRCd and UnrealIRCd)."""


@dataclass(slots=True)
class _Channel:
    modes: str = ""
    bans: tuple[str, ...] = ()
    excepted: bool = False


class Hush:
    """The modes and bans of our channels that may keep us from speaking. Names are compared as the server does."""

    def __init__(self) -> None:
        self._casemapping = Casemapping.RFC1459
        self._channels: LruDict[str, _Channel] = LruDict(_CHANNELS)
        self.has_account = False
        """Whether we are logged in, or mean to be."""

    def compare_by(self, casemapping: Casemapping) -> None:
        """Forgets all: how the server wrote the names is not known any more."""
        self._casemapping = casemapping
        self._channels = LruDict(_CHANNELS)

    def joined(self, name: str) -> None:
        """We are new in the channel."""
        self._channels[self._casemapping.fold(name)] = _Channel()

    def modes(self, name: str, letters: str) -> None:
        """The channel has these modes, and no others."""
        channel = self._of(name)
        channel.modes = "".join(letter for letter in _SILENCING if letter in letters)

    def changed(self, name: str, change: ModeChange, supports: Isupport) -> None:
        """One mode of the channel has changed."""
        channel = self._of(name)
        channel.excepted = False
        if change.letter in _SILENCING:
            channel.modes = channel.modes.replace(change.letter, "") + (change.letter if change.on else "")
        elif change.letter in LISTS and change.letter not in supports.ranks.values() and change.param:
            left = tuple(mask for mask in channel.bans if mask != change.param)
            channel.bans = (*left[-_BANS + 1 :], change.param) if change.on else left

    def spoke(self, name: str) -> None:
        """The channel has taken a line of ours."""
        self._of(name).excepted = True

    def refused(self, name: str) -> None:
        """The channel has refused a line of ours."""
        self._of(name).excepted = False

    def is_open(self, name: str) -> bool:
        """Whether nothing is known that keeps anybody from speaking there."""
        channel = self._channels.get(self._casemapping.fold(name))
        return channel is None or channel.excepted or not (channel.modes or channel.bans)

    def reason(self, name: str, us: Source, ranks: str) -> str:
        """Why the channel does not let us speak, who have these `ranks` there; '' if it does, as far as we know."""
        channel = self._channels.get(self._casemapping.fold(name))
        if channel is None or channel.excepted or ranks:
            return ""
        if _MODERATED in channel.modes:
            return f"the channel is moderated (+m), and {us.nick} has no voice"
        if _REGISTERED in channel.modes and not self.has_account:
            return "the channel lets only registered nicks speak (+M), and the bridge is not logged in"
        return f"{us.nick} is banned or muted in the channel" if self._is_banned(us, channel.bans) else ""

    def bans(self, name: str, who: Source) -> bool:
        """Whether somebody is banned or muted in the channel, as far as we have heard."""
        channel = self._channels.peek(self._casemapping.fold(name))
        return channel is not None and self._is_banned(who, channel.bans)

    def _is_banned(self, us: Source, bans: Sequence[str]) -> bool:
        fold = self._casemapping.fold
        mask = fold(f"{us.nick}!{us.user}@{us.host}")
        return any(matches(fold(_plain(ban)), mask) for ban in bans)

    def _of(self, name: str) -> _Channel:
        key = self._casemapping.fold(name)
        found = self._channels.get(key)
        if found is None:
            found = self._channels[key] = _Channel()
        return found


def _plain(ban: str) -> str:
    """The mask of a ban; extended bans of another kind match nothing."""
    return next((ban.removeprefix(mute) for mute in MUTES if ban.startswith(mute)), ban)
