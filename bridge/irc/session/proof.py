"""What became of what we wrote: each post in flight, until the server's echo, its answer or an error tells."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.irc.session.effects import Emit, Failed, Proved
from bridge.irc.wire.line import Line
from bridge.model.casemap import Casemapping
from bridge.model.text import one_line
from bridge.network import PermanentError, SendError, Silenced, TransientError

ID_TAG = "+quackbridge.example/id"
"""The client-only tag that carries a post's id. The domain is one that nobody can own (RFC 2606), so ours."""
_RETRY_AFTER = 60.0
_LOOK_AGAIN = 5.0
_WAITS_WITH_US = 0.1
"""Seconds: the adapter knows first when a channel lets us speak, so there the post waits."""

_REASONS: Mapping[str, str] = {
    "401": "there is nobody of that nick",
    "403": "there is no such channel",
    "404": "the channel does not let us speak (moderated, banned or muted)",
    "408": "the channel allows no colours",
    "412": "there is no text to send",
    "442": "we are not in the channel",
    "477": "the channel is for registered nicks only",
    "482": "only operators may speak in the channel",
    "716": "they accept no private messages from us",
}
_NEVER = frozenset({"401", "411", "412", "417", "716"})


@dataclass(frozen=True, slots=True)
class Flight:
    """A post on its way; `fancy` where there is more to it than plain words."""

    post: str
    target: str
    private: bool
    fancy: bool = False


MUTED = frozenset({"404", "408", "477", "482"})
"""Errors by which a channel does not let us speak, now, or not so."""


class Proofs:
    """Sans I/O. A labelled post is settled by what carries its label (https://ircv3.net/specs/extensions/
    labeled-response); any other by its echo or an error, and at the latest by the PONG for the PING sent behind it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.casemapping = Casemapping.RFC1459
        self.echoes = False
        self._labelled: dict[str, Flight] = {}
        self._fenced: deque[Flight] = deque()

    def launched(self, flight: Flight, *, labelled: bool) -> None:
        if labelled:
            self._labelled[flight.post] = flight
        else:
            self._fenced.append(flight)

    def echo(self, line: Line, label: str) -> None:
        """Our own PRIVMSG or NOTICE came back."""
        post = label or line.tags.get(ID_TAG, "")
        if post in self._labelled:
            self._proved(self._labelled.pop(post), line)
            return
        fold = self.casemapping.fold
        for flight in self._fenced:
            if flight.post == post if post else fold(flight.target) == fold(line.param(0)):
                self._fenced.remove(flight)
                self._proved(flight, line)
                return

    def acknowledged(self, label: str) -> None:
        """ACK: the server has nothing to say to the labelled line, not even an echo."""
        flight = self._labelled.pop(label, None)
        if flight is not None:
            self._swallowed(flight)

    def pong(self, post: str) -> None:
        """The PING behind `post` was answered: all that was written before was dealt with."""
        if not any(flight.post == post for flight in self._fenced):
            return
        while self._fenced:
            flight = self._fenced.popleft()
            if self.echoes:
                self._swallowed(flight)
            else:
                self._emit(Proved(flight.post, flight.post))
            if flight.post == post:
                return

    def __contains__(self, post: str | None) -> bool:
        """Whether a post is on its way."""
        return post in self._labelled or any(flight.post == post for flight in self._fenced)

    def bounced(self, reason: str) -> None:
        """A bouncer has something to say: where it names a target, that it did not get through (ZNC, which has lost
        the server: "Your message to #pond got lost")."""
        words = {self.casemapping.fold(word.strip("[]<>\"',.:;()")) for word in reason.split()}
        for flight in [each for each in self._fenced if self.casemapping.fold(each.target) in words][:1]:
            self._fenced.remove(flight)
            self._failed(flight, TransientError(f"the bouncer says: {reason}", _LOOK_AGAIN))

    def refused(self, line: Line, label: str, absence: Callable[[str], SendError | None]) -> Flight | None:
        """An error numeric or FAIL. `absence` knows why we are not in a channel, which says more than that we cannot
        speak there. The post that a channel which we are in did not take."""
        flight = self._labelled.pop(label, None) or self._named(line)
        if flight is None:
            return None
        if (absent := absence(flight.target)) is not None:
            self._failed(flight, absent)
            return None
        reason = _REASONS.get(line.command, one_line(line.last) or line.command)
        never = line.command in _NEVER or (flight.private and line.command != "263")
        if line.command in MUTED and not never:
            self._failed(flight, Silenced(reason, _WAITS_WITH_US))
            return flight
        self._failed(flight, PermanentError(reason) if never else TransientError(reason, _RETRY_AFTER))
        return None

    def _named(self, line: Line) -> Flight | None:
        """The oldest unlabelled post for a target that the error names."""
        names = {self.casemapping.fold(param) for param in line.params}
        for flight in self._fenced:
            if self.casemapping.fold(flight.target) in names or line.command in ("411", "412", "417"):
                self._fenced.remove(flight)
                return flight
        return None

    def _proved(self, flight: Flight, line: Line) -> None:
        self._emit(Proved(flight.post, line.tags.get("msgid") or flight.post))

    def _swallowed(self, flight: Flight) -> None:
        self._failed(flight, PermanentError("the server took the line and showed it to nobody (a filter?)"))

    def _failed(self, flight: Flight, error: SendError) -> None:
        self._emit(Failed(flight.post, flight.target, error))
