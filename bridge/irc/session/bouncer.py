"""What bouncers say themselves, and ZNC's playback in plain lines for clients that know no server-time."""

import re
from dataclasses import replace

from bridge.irc.session.state import State
from bridge.irc.wire.line import Line, Source
from bridge.lib.ids import digest

_ZNC = Source("***", "znc", "znc.in")
_SOJU = Source("BouncerServ", "BouncerServ", "BouncerServ")
_BEGINS, _ENDS = "Buffer Playback...", "Playback Complete."
_PLAYS_FOR_S = 60.0
"""Seconds after which a playback is over, though its end was not told."""
_STAMP = re.compile(r"\[(\d{1,2}:\d{2}(?::\d{2})?)\] ")
"""The time that ZNC puts before the words, as its setting `TimestampFormat` has it at first."""
_ACTION = "\x01ACTION "


def speaks(state: State, line: Line) -> bool:
    """Whether a line is the bouncer's own: `*status` and the like are no nicks, and soju has a service."""
    return line.source.nick.startswith("*") or (state.channels.shared and line.source == _SOJU)


def played(state: State, line: Line) -> Line:
    """The line as it is to be handled. In a playback in plain lines, each line gets an id that is the same each time
    that it is played, and loses the time in its text: a time of some day in some time zone. It counts as said now."""
    room = state.channels.heard(line.param(0)) if line.command == "PRIVMSG" else None
    if room is None:
        return line
    if line.source == _ZNC:
        if line.param(1) == _BEGINS:
            state.playing[room] = (state.now, {})
        elif line.param(1) == _ENDS:
            state.playing.pop(room, None)
        return line
    if not is_playing(state, line):
        return line
    text = line.param(1)
    action = _ACTION if text.startswith(_ACTION) else ""
    words = text.removeprefix(action)
    stamp = _STAMP.match(words)
    plain = action + (words[stamp.end() :] if stamp else words)
    counts = state.playing[room][1]
    said = (line.source.mask, line.param(0), text)
    counts[said] = counts.get(said, 0) + 1
    id_ = digest("playback", str(counts[said]), *said)
    return replace(line, params=(line.param(0), plain), tags={**line.tags, "msgid": id_})


def is_playing(state: State, line: Line) -> bool:
    """Whether a line is of a playback in plain lines. With server-time, ZNC marks them otherwise."""
    room = state.channels.heard(line.param(0))
    if room is None or room not in state.playing or line.command != "PRIVMSG" or "time" in line.tags:
        return False
    began, _ = state.playing[room]
    if state.now - began > _PLAYS_FOR_S:
        del state.playing[room]
        return False
    return line.source != _ZNC
