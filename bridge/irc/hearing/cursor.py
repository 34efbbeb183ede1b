"""The cursor: the last line heard in each channel. The store keeps it, and history resumes from it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Position:
    """The last line heard in a channel: its `time` (seconds since the epoch, by the server) and `msgid` ('' if none).
    `seen`: the time, by our clock, until which we surely heard all that was said there. `server` identifies the server
    and its run ('' if unknown)."""

    time: float
    msgid: str = ""
    seen: float = 0.0
    server: str = ""

    def is_past(self, time: float, msgid: str) -> bool:
        """Whether a line was heard already, as far as times tell. Lines of exactly the last one's time (of its second,
        if a history has whole seconds: InspIRCd) are heard again; their ids show the duplicates. So are all lines since
        `seen`, if the server's clock was ahead of ours: it may have been set right since."""
        if msgid and msgid == self.msgid:
            return True
        last = min(self.time, self.seen)
        return time < (math.floor(last) if time == math.floor(time) else last)

    def is_of(self, server: str) -> bool:
        """Whether that run of a server may remember all that was said since: another run heard only part of it."""
        return not self.server or not server or self.server == server

    def is_reached(self, time: float) -> bool:
        """Whether a history with a line of that time goes back to this one. Whole seconds may be rounded down."""
        return time <= self.time and (time != math.floor(time) or time < math.floor(self.time))


@dataclass(frozen=True, slots=True)
class Cursor:
    """Immutable: each step returns a new cursor. `elsewhere` is the position of channels that have none of their own:
    earlier versions kept one for the whole network."""

    channels: Mapping[str, Position]
    elsewhere: Position | None = None

    @classmethod
    def parse(cls, text: str | None) -> "Cursor":
        """Read what `dump` wrote, or the `TIME MSGID` of earlier versions. Invalid text gives an empty cursor."""
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
        """The cursor after one more line."""
        at = self.of(channel)
        return replace(self, channels={**self.channels, channel: Position(time, msgid, now, at.server if at else "")})

    def caught_up(self, channel: str, time: float, server: str, now: float) -> "Cursor":
        """From now on all is heard, from that run of a server. `time`: when we joined; used if we were never there."""
        at = replace(self.of(channel) or Position(time, seen=now), server=server)
        return replace(self, channels={**self.channels, channel: at})

    def present(self, channels: Iterable[str], now: float) -> "Cursor":
        """We are in these channels, and have heard all there until `now`."""
        known = {name: replace(at, seen=now) for name in channels if (at := self.of(name)) is not None}
        return replace(self, channels={**self.channels, **known})

    def only(self, channels: Iterable[str]) -> "Cursor":
        """Keep only these channels: the configured ones."""
        return replace(self, channels={name: at for name in channels if (at := self.of(name)) is not None})

    def dump(self) -> str:
        """For the store."""
        return json.dumps(
            {name: [round(at.time, 3), at.msgid, round(at.seen, 3), at.server] for name, at in self.channels.items()},
            ensure_ascii=False,
            separators=(",", ":"),
        )


def _position(time: float, msgid: str, seen: float, server: str = "") -> Position:
    """Read one dumped position; earlier versions kept no server."""
    return Position(float(time), str(msgid), float(seen), str(server))
