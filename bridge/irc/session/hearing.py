"""What is said in our channels and to us: now, or before we came and told again, as messages of proven speakers."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from bridge.irc.dialect import convert
from bridge.irc.dialect.convert import EventIds, Spoken
from bridge.irc.session.channels import Channels
from bridge.irc.session.effects import Emit, Heard, Notable
from bridge.irc.session.history import History
from bridge.irc.session.ourselves import Ourselves, Write
from bridge.irc.session.people import People
from bridge.irc.session.proof import ID_TAG, Proofs
from bridge.irc.session.speakers import Speakers
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.batches import Batches
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.line import Line
from bridge.model.event import Room
from bridge.model.text import one_line

_CTCP_EVERY = 10.0
_LONG_AGO = 60.0
"""Seconds before we came, by the server's clock: older than that is what a bouncer tells without saying so."""
SPEECH = frozenset({"PRIVMSG", "NOTICE"})


class Hearing:
    """Sans I/O; `now` is seconds of a clock that does not go back, `wall` seconds since the epoch. `speakers` and
    `history` are set by who makes them: they tell us back what is settled."""

    speakers: Speakers[Spoken]
    history: History

    def __init__(
        self,
        settings: IrcSettings,
        us: Ourselves,
        channels: Channels,
        people: People,
        proofs: Proofs,
        supports: Isupport,
        enabled: AbstractSet[str],
        emit: Emit,
        write: Write,
        *,
        origin: str,
        now: float,
    ) -> None:
        self._settings = settings
        self._us = us
        self._channels = channels
        self._people = people
        self._proofs = proofs
        self._supports = supports
        self._enabled = enabled
        self._emit = emit
        self._write = write
        self._now = self._ctcp_at = now
        self._online_since: float | None = None
        self._ids, self._old_ids = EventIds(origin), EventIds(f"{origin} history")
        self._page_end = ("", 0.0)
        self.batches = Batches()

    def welcomed(self, line: Line, wall: float) -> None:
        """Where the server says no time, its clock may be another than that of what people say."""
        self._online_since = convert.spoken_at(line, wall) if "time" in line.tags else 0.0

    # Now

    def speech(self, line: Line, now: float, wall: float) -> None:
        """PRIVMSG, NOTICE."""
        self._now = now
        if line.source.nick.startswith("*"):  # no nick: a bouncer speaks, of itself
            self._proofs.bounced(one_line(line.param(1)))
            self._emit(Notable("bouncer", one_line(line.param(1))))
            return
        if self._us.is_us(line.source.nick):
            self._us.seen(line.source)
            self._proofs.echo(line, self.label(line))
            return
        private = self._us.is_us(line.param(0))
        room = Room(self._settings.name, line.source.nick) if private else self._channels.heard(line.param(0))
        if room is None or not line.source.user:  # for the ranks of a channel only, or from a server
            return
        if convert.speech(line) is None:
            self._ctcp(line, private=private)
            return
        time = convert.spoken_at(line, wall)
        connection = self._people.connection(line.source)
        spoken = Spoken(line, room, private, self._ids.of(line), time, connection)
        if private or not self.history.heard(spoken):
            self.tell_now(spoken)

    def label(self, line: Line) -> str:
        """The label that a line answers, its own or that of the batch that it is in."""
        return line.tags.get("label") or self.batches.around(line).label

    def tell_now(self, spoken: Spoken) -> None:
        line, tagged = spoken.line, "account-tag" in self._enabled
        self.speakers.said(spoken, line.source, line.tags.get("account", "") if tagged else None, self._now)

    def tell_old(self, spoken: Spoken) -> None:
        """An account that comes with the line was the speaker's then. The history of some servers has none."""
        line = spoken.line
        same = self._people.resembles(line.source, line.param(0))
        spoken = replace(spoken, present=bool(same))
        self.speakers.replayed(spoken, line.source, line.tags.get("account"), same, self._now)

    def tell(self, spoken: Spoken, account: str) -> None:
        """Who said it is settled."""
        event = convert.event(
            spoken, account, self._us.names, self._people.casemapping, masks=self._settings.trust_hostmasks
        )
        if event is not None:
            self._emit(Heard(event, spoken.line.tags.get("msgid", "")))

    def lost(self) -> None:
        """The connection is over. Where nothing is told again, what waits to be somebody's is heard as it is."""
        if not self._enabled & {"batch", "server-time"}:
            for spoken, account in self.speakers.drain():
                self.tell(replace(spoken, replayed=True), account)

    def _ctcp(self, line: Line, *, private: bool) -> None:
        """Answer VERSION and PING to us alone, seldom enough that nobody can make us flood."""
        name, _, rest = line.param(1).strip("\x01").partition(" ")
        if line.command != "PRIVMSG" or not private or name not in ("VERSION", "PING") or self._now < self._ctcp_at:
            return
        self._ctcp_at = self._now + _CTCP_EVERY
        answer = "quackbridge" if name == "VERSION" else one_line(rest, 64)
        self._write("NOTICE", line.source.nick, f"\x01{name} {answer}\x01")

    # Before

    def batch(self, line: Line, now: float) -> None:
        """BATCH."""
        self._now = now
        begun = self.batches.begun(line)
        if begun is not None and begun.is_history:
            self._page_end = ("", 0.0)
        ended = self.batches.ended(line)
        if ended is not None and ended.is_history and (room := self._channels.heard(ended.channel)) is not None:
            self.history.page_ended(room, *self._page_end, now)

    def is_replayed(self, line: Line, wall: float) -> bool:
        """Whether a line was said before we came."""
        if "batch" in line.tags:
            return line.command != "BATCH" and self.batches.around(line).is_history
        said = line.command in SPEECH and self._supports.is_channel(line.param(0))
        if not said or self._online_since is None or "label" in line.tags or line.tags.get(ID_TAG) in self._proofs:
            return False
        return convert.spoken_at(line, wall) < self._online_since - _LONG_AGO

    def replayed(self, line: Line, now: float, wall: float) -> None:
        """A line of a channel's history. What is told of joins and the like is not asked for."""
        self._now = now
        room = self._channels.heard(line.param(0))
        if line.command not in SPEECH or room is None or not line.source.user:
            return
        time, msgid = convert.spoken_at(line, wall), line.tags.get("msgid", "")
        self._page_end = (msgid, time)
        if self._us.is_surely(line.source):
            self.history.mine(room, line.tags.get(ID_TAG, ""), msgid, time)
        elif convert.speech(line) is not None and line.source.nick not in self._us.names:
            spoken = Spoken(line, room, private=False, id=self._old_ids.of(line), time=time, replayed=True)
            tell = self.history.replayed if "batch" in line.tags else self.history.late
            tell(spoken, msgid)
