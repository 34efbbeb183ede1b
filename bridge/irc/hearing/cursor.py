"""Where each channel was last heard: what the store keeps for us, and from where a channel's history is told."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Position:
    """The last line that was heard in a channel: its `time` (seconds since the epoch, by the server) and `msgid`, ''
    where it had none. `seen` is until when we surely heard all that was said there, by our clock; `server` is which run
    of which server told us, '' where that is not known."""

    time: float
    msgid: str = ""
    seen: float = 0.0
    server: str = ""

    def is_past(self, time: float, msgid: str) -> bool:
        """Whether that line was heard already, as far as times tell. Those of the very time of the last one (of its
        second, where a history gives whole ones: InspIRCd) are heard again, and known by their ids. So are all since
        `seen`, where the server's clock was ahead of ours: it may have been set right since."""
        if msgid and msgid == self.msgid:
            return True
        last = min(self.time, self.seen)
        return time < (math.floor(last) if time == math.floor(time) else last)

    def is_of(self, server: str) -> bool:
        """Whether that run of a server may remember what was said since: another one has heard only a part of it."""
        return not self.server or not server or self.server == server

    def is_reached(self, time: float) -> bool:
        """Whether a history that tells a line of that time goes back to ours. A whole second may be rounded down."""
        return time <= self.time and (time != math.floor(time) or time < math.floor(self.time))


@dataclass(frozen=True, slots=True)
class Cursor:
    """Immutable: each step gives another. `elsewhere` is the position of channels of which nothing is known: the one
    that versions before this kept for the whole network."""

    channels: Mapping[str, Position]
    elsewhere: Position | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """What `dump` wrote, or the `TIME MSGID` of earlier versions. What makes no sense is no position."""
        try:
            found = json.loads(text or "{}")
            if isinstance(found, dict):
                return cls({str(name): _position(*kept) for name, kept in found.items()})
        except (ValueError, TypeError, LookupError):
            pass
        time, _, msgid = (text or "").partition(" ")
        try:
            return cls({}, Position(float(time), msgid, float(time)))
        except ValueError:
            return cls({})

    def of(self, channel: str) -> Position | None:
        return self.channels.get(channel, self.elsewhere)

    def heard(self, channel: str, time: float, msgid: str, now: float) -> "Cursor":
        """After one more line."""
        at = self.of(channel)
        return replace(self, channels={**self.channels, channel: Position(time, msgid, now, at.server if at else "")})

    def caught_up(self, channel: str, time: float, server: str, now: float) -> "Cursor":
        """All is heard from now on, of that run of a server. `time` is when we came: it counts where we never were."""
        at = replace(self.of(channel) or Position(time, seen=now), server=server)
        return replace(self, channels={**self.channels, channel: at})

    def present(self, channels: Iterable[str], now: float) -> "Cursor":
        """We are in these channels, and have heard all there."""
        known = {name: replace(at, seen=now) for name in channels if (at := self.of(name)) is not None}
        return replace(self, channels={**self.channels, **known})

    def only(self, channels: Iterable[str]) -> "Cursor":
        """Without those that are not configured any more."""
        return replace(self, channels={name: at for name in channels if (at := self.of(name)) is not None})

    def dump(self) -> str:
        """For the store."""
        return json.dumps(
            {name: [round(at.time, 3), at.msgid, round(at.seen, 3), at.server] for name, at in self.channels.items()},
            ensure_ascii=False,
            separators=(",", ":"),
        )


def _position(time: float, msgid: str, seen: float, server: str = "") -> Position:
    """Of what was dumped; versions before this kept no server."""
    return Position(float(time), str(msgid), float(seen), str(server))
