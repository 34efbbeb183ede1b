"""Proofs of delivery: tracks each post in flight until an echo, an answer or an error settles it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.irc.dialect.convert import known_as
from bridge.irc.dialect.formatting import stripped
from bridge.irc.effects import Effect, Failed, Proved
from bridge.irc.wire.line import Line
from bridge.model.casemap import Casemapping
from bridge.model.text import one_line
from bridge.network import PermanentError, SendError, Silenced, TransientError

ID_TAG = "+quackbridge.example/id"
"""The client-only tag that carries a post's id. Its domain is reserved (RFC 2606): nobody else can own it."""
_RETRY_AFTER = 60.0
_LOOK_AGAIN = 5.0
_LOOK_AGAIN_AS_LINES = 0.1
_WAITS_WITH_US = 0.1
"""Seconds before a silenced post is tried again: it waits in the adapter, which knows first when we may speak."""

_REASONS: Mapping[str, str] = {
    "401": "nobody has that nick",
    "403": "there is no such channel",
    "404": "the channel does not let us speak (moderated, banned or muted)",
    "408": "the channel allows no colours",
    "412": "there is no text to send",
    "442": "the bridge is not in the channel",
    "477": "the channel is for registered nicks only",
    "482": "only operators may speak in the channel",
    "716": "they accept no private messages from the bridge",
}
_UNKNOWN = "400"
"""ERR_UNKNOWNERROR: the command, and why not. soju says so while it has lost the network."""
_NAMELESS = frozenset({_UNKNOWN, "411", "412", "417", "421"})
"""Errors that name no target."""
_NEVER = frozenset({"401", "411", "412", "417", "716"})


SPEECH = frozenset({"PRIVMSG", "NOTICE"})
_OURS = SPEECH | {"TAGMSG", "REDACT", "TOPIC", "KICK", "MODE"}
_OF_OPERATORS = frozenset({"TOPIC", "KICK", "MODE"})
_OPERATORS_ONLY = "482"


@dataclass(frozen=True, slots=True)
class PendingPost:
    """A post that is written and not proven yet. `fancy`: it is a notice, or has formatting.
    `is_batch`: it is a message of several lines. `relayed`: the speaker for whom it is relayed by RELAYMSG, '' if it is
    not."""

    post: str
    target: str
    private: bool
    text: str = ""
    fancy: bool = False
    command: str = "PRIVMSG"
    is_batch: bool = False
    relayed: str = ""

    @property
    def is_speech(self) -> bool:
        return self.command in SPEECH

    @property
    def has_tags(self) -> bool:
        """Whether the server passes client-only tags on with it (IRCv3 message-tags)."""
        return self.is_speech or self.command == "TAGMSG"

    def is_a(self, command: str) -> bool:
        """Whether the post is of that command; a notice may have become a plain message."""
        return self.command == command or (self.is_speech and command in SPEECH)


_ECHO_WITHIN = 5.0
"""Seconds after the PONG in which the echo may still come: some servers send it a moment later."""

MUTED = frozenset({"404", "408", "477", "482"})
"""Errors by which a channel does not let us speak now, or not with such a line."""


class Proofs:
    """The posts in flight. A labelled post is settled by the answer with its label
    (https://ircv3.net/specs/extensions/labeled-response); any other by its echo or an error, at the latest by the PONG
    for the PING sent after it. What is not speech need not be echoed: that no error came proves it. Sans I/O."""

    def __init__(self) -> None:
        self._casemapping = Casemapping.RFC1459
        self._echoes = False
        self.shared = False
        """Whether others say things under our nick, too: the clients of a bouncer."""
        self._labelled: dict[str, PendingPost] = {}
        self._fenced: deque[PendingPost] = deque()
        self._answered: dict[str, tuple[PendingPost, float]] = {}

    def compare_by(self, casemapping: Casemapping) -> None:
        self._casemapping = casemapping

    def expect_echoes(self, *, on: bool) -> None:
        """Set whether the server echoes our own lines (echo-message): if so, a line without an echo was swallowed."""
        self._echoes = on

    def launched(self, pending: PendingPost, *, labelled: bool) -> None:
        if labelled:
            self._labelled[pending.post] = pending
        else:
            self._fenced.append(pending)

    def echo(self, line: Line, label: str) -> Iterable[Effect]:
        """A line of our own came back."""
        post = label or line.tags.get(ID_TAG, "")
        if post in self._labelled:
            return (_proved(self._labelled.pop(post), line),)
        pending = self._echoed(line, post)
        if pending is None:
            return ()
        self._forget(pending)
        return (_proved(pending, line),)

    def _echoed(self, line: Line, post: str) -> PendingPost | None:
        """The unlabelled post that an echo is of: by its id, else by its words, else the oldest to that target, with
        words that the server has changed. On a shared connection, other words are somebody else's."""
        flying = [each for each in self._flying() if each.is_a(line.command)]
        if post:
            return next((pending for pending in flying if pending.post == post), None)
        fold = self._casemapping.fold
        there = [pending for pending in flying if fold(pending.target) == fold(line.param(0))]
        same = (pending for pending in there if pending.text == line.param(1))
        if self.shared and line.command in SPEECH:
            same = (each for each in there if stripped(each.text) == stripped(line.param(1)))
            return next(same, None)
        return next(same, there[0] if there else None)

    def _flying(self) -> Iterator[PendingPost]:
        yield from self._fenced
        yield from (pending for pending, _ in self._answered.values())

    def _forget(self, pending: PendingPost) -> None:
        if self._answered.pop(pending.post, None) is None:
            self._fenced.remove(pending)

    def acknowledged(self, label: str) -> Iterable[Effect]:
        """ACK: the server has no other answer to the labelled line, not even an echo."""
        pending = self._labelled.pop(label, None)
        return () if pending is None else (_swallowed(pending),)

    def answered(self, label: str) -> Iterable[Effect]:
        """All that the server has to say to a labelled line is said. If it is not speech, which would be echoed, and no
        error was among it, it is done."""
        pending = self._labelled.get(label)
        if pending is None or pending.is_speech:
            return ()
        del self._labelled[label]
        return (Proved(pending.post, pending.post),)

    def pong(self, post: str, now: float) -> Iterator[Effect]:
        """The PING sent after `post` was answered: the server has dealt with all that was written before. If it echoes,
        the echo is the proof, and may come a moment later."""
        if not any(pending.post == post for pending in self._fenced):
            return
        while self._fenced:
            pending = self._fenced.popleft()
            if self._echoes and pending.is_speech:
                self._answered[pending.post] = (pending, now)
            else:
                yield Proved(pending.post, pending.post)
            if pending.post == post:
                return

    def tick(self, now: float) -> Iterator[Effect]:
        """Give up on echoes that have not come."""
        for pending, answered_at in [*self._answered.values()]:
            if now - answered_at > _ECHO_WITHIN:
                del self._answered[pending.post]
                yield _swallowed(pending)

    def __contains__(self, post: str | None) -> bool:
        """Whether a post is in flight."""
        fenced = any(pending.post == post for pending in self._fenced)
        return fenced or post in self._labelled or post in self._answered

    def bounced(self, reason: str) -> Iterator[Effect]:
        """A bouncer says something. If it names a post's target, that post did not get through (ZNC, when it has lost
        the server: "Your message to #pond got lost")."""
        words = {self._casemapping.fold(word.strip("[]<>\"',.:;()")) for word in reason.split()}
        for pending in [each for each in self._fenced if self._casemapping.fold(each.target) in words][:1]:
            self._fenced.remove(pending)
            yield Failed(pending.post, pending.target, TransientError(f"the bouncer says: {reason}", _LOOK_AGAIN))

    def refused(self, line: Line, label: str) -> PendingPost | None:
        """Remove and return the post that an error numeric or FAIL is about; None if there is none."""
        if (labelled := self._labelled.pop(label, None)) is not None:
            return labelled
        if _is_of_batch(line):
            return self._first(lambda each: each.is_batch)
        return self._first(lambda each: bool(each.relayed)) if _is_of_relay(line) else self._named(line)

    def _first(self, wanted: Callable[[PendingPost], bool]) -> PendingPost | None:
        """The oldest such post, though it may have a label that the error has not."""
        pending = next(filter(wanted, [*self._flying(), *self._labelled.values()]), None)
        if pending is not None and self._labelled.pop(pending.post, None) is None:
            self._forget(pending)
        return pending

    def _named(self, line: Line) -> PendingPost | None:
        """The oldest unlabelled post for a target that the error names, and of the command that it is about."""
        names = {self._casemapping.fold(param) for param in line.params}
        flying = [*(pending for pending, _ in self._answered.values()), *self._fenced]
        command = {"FAIL": line.param(0), "421": line.param(1), _UNKNOWN: line.param(1)}.get(line.command, "")
        if command in _OURS or line.command in ("421", _UNKNOWN):
            flying = [each for each in flying if each.is_a(command)]
        elif line.command == _OPERATORS_ONLY:
            flying.sort(key=lambda each: each.command not in _OF_OPERATORS)
        else:
            flying.sort(key=lambda each: not each.has_tags)
        for pending in flying:
            if self._casemapping.fold(pending.target) in names or line.command in _NAMELESS:
                self._forget(pending)
                return pending
        return None


def _is_of_batch(line: Line) -> bool:
    return line.command == "FAIL" and line.param(0) == "BATCH"


def _is_of_relay(line: Line) -> bool:
    return "RELAYMSG" in (line.param(0), line.param(1)) and line.command in ("FAIL", "421", "461")


def refusal(line: Line, pending: PendingPost) -> SendError:
    """The error to report for a post that an error numeric or FAIL is about. `Silenced`: we are in its channel, but may
    not speak."""
    reason = _REASONS.get(line.command, one_line(line.last) or line.command)
    if pending.is_batch and _is_of_batch(line):
        return TransientError(f"the server takes no message of several lines: {reason}", _LOOK_AGAIN_AS_LINES)
    if pending.command == "TOPIC":
        only = f"the bridge is no operator in {pending.target}, and only operators may set the topic there"
        return PermanentError(only if line.command == _OPERATORS_ONLY else f"the topic was not set: {reason}")
    if pending.command in _OF_OPERATORS:
        return PermanentError(f"nobody was kicked or banned in {pending.target}: {reason}")
    never = line.command in _NEVER or (pending.private and line.command not in ("263", _UNKNOWN))
    if line.command in MUTED and not never:
        return Silenced(reason, _WAITS_WITH_US, refused=True)
    return PermanentError(reason) if never else TransientError(reason, _RETRY_AFTER, refused=True)


def _proved(pending: PendingPost, line: Line) -> Effect:
    return Proved(pending.post, known_as(line.tags.get("msgid", "")) or pending.post)


def _swallowed(pending: PendingPost) -> Effect:
    if not pending.is_speech or pending.relayed:  # not every server echoes what it relays
        return Proved(pending.post, pending.post)
    error = PermanentError("the server accepted the message and showed it to nobody (a filter?)")
    return Failed(pending.post, pending.target, error)
