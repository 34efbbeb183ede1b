"""The cursor: the last line heard in each channel. The store keeps it, and history resumes from it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

_KEY = "at "
"""Before the name of a channel: the key of the memory that keeps its position."""
_FRESH = 16
"""Most positions in the text of a cursor, which is written with each line; others are in the memory."""


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


@dataclass(slots=True)
class Cursor:
    """Where we are in each of the `channels`. `elsewhere` is the position of channels that have none of their own:
    earlier versions kept one for the whole network. All channels that we are `inside` of were heard until one time,
    `until`: so a line in one of a thousand changes no more than its own position and that time.

    What is kept of it is a short text and, in the memory of the network, the positions of channels that have not
    changed for a while (see `spilled`)."""

    channels: dict[str, Position]
    elsewhere: Position | None = None
    until: float = -math.inf
    inside: set[str] = field(default_factory=set)
    fresh: set[str] = field(init=False, compare=False)
    """The channels whose positions the memory does not have."""

    def __post_init__(self) -> None:
        self.fresh = {*self.channels}

    @classmethod
    def parse(cls, text: str | None, memory: Mapping[str, str] = MappingProxyType({})) -> "Cursor":
        """Read what `dump` and `spilled` wrote, or the texts of earlier versions. Invalid text gives an empty
        cursor."""
        try:
            found = json.loads(text or "{}")
            if isinstance(found, dict):
                return cls._of_channels(found, memory if text else {})
        except (ValueError, TypeError, LookupError):
            pass
        time, _, msgid = (text or "").partition(" ")
        try:
            return cls({}, Position(float(time), msgid, float(time)))
        except ValueError:
            return cls({})

    @classmethod
    def _of_channels(cls, found: dict[str, Any], memory: Mapping[str, str]) -> "Cursor":
        until, fresh = -math.inf, found
        if isinstance(found.get("channels"), dict):  # an earlier version had nothing but channels
            until, fresh = float(found["until"]), found["channels"]
        kept = {key.removeprefix(_KEY): json.loads(row) for key, row in memory.items() if key.startswith(_KEY)}
        rows = kept | fresh
        cursor = cls({str(name): _position(*row, until=until) for name, row in rows.items()})
        # A row that shares the time is written anew: it must not share a later one, while we are not there
        cursor.fresh = {*fresh, *(name for name, row in rows.items() if row[2] is None)}
        return cursor

    def copy(self) -> "Cursor":
        return Cursor({**self.channels}, self.elsewhere, self.until, {*self.inside})

    def of(self, channel: str) -> Position | None:
        at = self.channels.get(channel, self.elsewhere)
        if at is not None and channel in self.inside and at.seen < self.until:
            return replace(at, seen=self.until)
        return at

    def heard(self, channel: str, time: float, msgid: str, now: float) -> None:
        """One more line was heard."""
        at = self.of(channel)
        self._put(channel, Position(time, msgid, now, at.server if at else ""))

    def caught_up(self, channel: str, time: float, server: str, now: float) -> None:
        """From now on all is heard, from that run of a server. `time`: when we joined; used if we were never there."""
        self._put(channel, replace(self.of(channel) or Position(time, seen=now), server=server))

    def reached(self, channel: str, now: float) -> None:
        """All that was said in a channel until `now` was heard."""
        if (at := self.of(channel)) is not None:
            self._put(channel, replace(at, seen=now))

    def present(self, channels: Iterable[str], now: float) -> None:
        """We are in these channels and no others, and have heard all there until `now`."""
        there = {*channels}
        if there != self.inside:
            self.left([name for name in self.inside if name not in there])
            for name in [name for name in there if name not in self.inside]:
                if (at := self.of(name)) is not None:
                    self._put(name, at)
                    self.inside.add(name)
        self.until = now

    def left(self, channels: Iterable[str]) -> None:
        """We are not in these channels any more."""
        for name in channels:
            if name in self.inside and (at := self.of(name)) is not None:
                self.inside.discard(name)
                self._put(name, at)

    def follow(self, other: "Cursor") -> bool:
        """Go to where `other` is; whether that is elsewhere."""
        there = {name: at for name in other.channels if (at := other.of(name)) is not None and at != self.of(name)}
        self.left([*there])
        for name, at in there.items():
            self._put(name, at)
        return bool(there)

    def only(self, channels: Iterable[str]) -> Mapping[str, None]:
        """Forget all channels but these, the configured ones. Returns what the memory has to forget."""
        kept = {name: at for name in channels if (at := self.of(name)) is not None}
        gone = [name for name in self.channels if name not in kept]
        self.fresh = {name for name in kept if name in self.fresh or name not in self.channels}
        self.channels = kept
        return {_KEY + name: None for name in gone}

    def dump(self) -> str:
        """For the store."""
        rows = {name: self._row(name) for name in sorted(self.fresh)}
        return _text({"until": round(self.until, 3) if self.inside else 0.0, "channels": rows})

    def spilled(self) -> Mapping[str, str]:
        """What the memory has to keep from now on, so that `dump` stays short; mostly nothing."""
        if len(self.fresh) <= _FRESH:
            return {}
        spilled = {_KEY + name: _text(self._row(name)) for name in self.fresh}
        self.fresh.clear()
        return spilled

    def _put(self, channel: str, at: Position) -> None:
        self.channels[channel] = at
        self.fresh.add(channel)
        if channel in self.inside:  # lines come in order: what was said elsewhere until then was heard, too
            self.until = max(self.until, at.seen)

    def _row(self, name: str) -> list[object]:
        """A position, without the time that it shares with others."""
        at = self.channels[name]
        return [round(at.time, 3), at.msgid, None if name in self.inside else round(at.seen, 3), at.server]


def _text(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _position(time: float, msgid: str, seen: float | None, server: str = "", *, until: float) -> Position:
    """Read one dumped position; earlier versions kept no server."""
    return Position(float(time), str(msgid), until if seen is None else float(seen), str(server))
