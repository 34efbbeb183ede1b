"""Holds lines back, in order, until the network has said which account their speaker has."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from bridge.irc.dialect.convert import Spoken
from bridge.irc.effects import written
from bridge.irc.hearing.steps import Learnt, Settled, Step
from bridge.irc.wire.line import Source
from bridge.lib.bucket import TokenBucket
from bridge.model.casemap import Casemapping

_ANSWER_WITHIN_S = 10.0
"""Seconds after which a line is carried as an unknown person's: a lost answer must not stop the conversation."""
_OLD_ANSWER_WITHIN_S = 20.0
"""The same for a line of history: there may be many people to ask about."""
_AT_ONCE, _PER_SECOND = 4, 0.5
"""WHOIS questions at once, and then per second: the server counts each as a line of ours."""
_MOST_WAITING = 500
"""Most lines that wait; if there are more, the oldest is carried as an unknown person's."""

_MOST_PASSING = 100
"""Lines waiting at which those that are nobody's words (joins and the like) do not wait with them: a thousand people
who come at once must not push out what others said."""


@dataclass(slots=True)
class _Waiting:
    spoken: Spoken
    since: float
    account: str | None  # None: not settled yet

    @property
    def source(self) -> Source:
        return self.spoken.line.source


@dataclass(slots=True)
class _Question:
    nick: str
    asked_at: float
    mask: Source | None = None
    account: str = ""
    since: float = math.inf
    stale: bool = False


class Speakers:
    """Asks for the accounts of speakers, one WHOIS at a time. Sans I/O. If a speaker leaves or changes nick before the
    answer, their line is carried as an unknown person's: the answer would be about the person who has the nick now."""

    def __init__(self) -> None:
        self._casemapping = Casemapping.RFC1459
        self._waiting: deque[_Waiting] = deque()
        self._questions: dict[str, str] = {}  # nicks, by their casefolded form
        self._open: _Question | None = None
        self._answers = True
        self._pace = TokenBucket(_AT_ONCE, _PER_SECOND)

    def compare_by(self, casemapping: Casemapping) -> None:
        self._casemapping = casemapping

    def said(self, spoken: Spoken, account: str | None, now: float) -> Iterator[Step]:
        """Somebody said something. `account` is what is known of them: '' for none, None to ask the server."""
        asking = account is None and self._answers and self._may_ask(spoken.line.source.nick)
        if account is None and not asking:
            account = ""
        passing = spoken.account is not None and len(self._waiting) >= _MOST_PASSING
        if account is not None and (passing or not self._waiting):
            yield Settled(spoken, account)
            return
        self._waiting.append(_Waiting(spoken, now, account))
        if asking:
            yield from self._next(now)
        if len(self._waiting) > _MOST_WAITING:
            self._waiting[0].account = self._waiting[0].account or ""
        yield from self._release(now)

    def changed(self, nick: str, now: float) -> Iterator[Step]:
        """The person who had `nick` has left or changed it."""
        for waiting in self._waiting:
            if waiting.account is None and self._same(waiting.source.nick, nick):
                waiting.account = ""
        if self._open and self._same(self._open.nick, nick):
            self._open.stale = True
        yield from self._release(now)

    def user(self, nick: str, user: str, host: str) -> None:
        """311 (RPL_WHOISUSER): the mask of the person that the answer is about."""
        if self._open is not None and self._same(self._open.nick, nick):
            self._open.mask = Source(nick, user, host)

    def logged_in(self, nick: str, account: str) -> None:
        """330 (RPL_WHOISACCOUNT)."""
        if self._open is not None and self._same(self._open.nick, nick):
            self._open.account = account

    def connected_since(self, nick: str, time: float) -> None:
        """317 (RPL_WHOISIDLE): when they connected (seconds since the epoch, by the server)."""
        if self._open is not None and self._same(self._open.nick, nick):
            self._open.since = time

    def answered(self, nick: str, now: float) -> Iterator[Step]:
        """318 (RPL_ENDOFWHOIS)."""
        if self._open is None or not self._same(self._open.nick, nick):
            return
        question, self._open = self._open, None
        if question.stale:
            self._again(question.nick)
        else:
            yield from self._settle(question)
        yield from self._release(now)
        yield from self._next(now)

    def cannot_ask(self, now: float) -> Iterator[Step]:
        """The server has no WHOIS: people not known already stay unknown."""
        self._answers, self._open = False, None
        self._questions.clear()
        for waiting in self._waiting:
            waiting.account = waiting.account or ""
        yield from self._release(now)

    def drain(self) -> list[tuple[Spoken, str]]:
        """Remove and return the waiting lines, in order, with the known accounts: no more answers will come."""
        left = [(waiting.spoken, waiting.account or "") for waiting in self._waiting]
        self._waiting.clear()
        return left

    def tick(self, now: float) -> Iterator[Step]:
        if self._open and now - self._open.asked_at > _ANSWER_WITHIN_S:
            self._open = None
        yield from self._next(now)
        yield from self._release(now)

    def _same(self, one: str, other: str) -> bool:
        return self._casemapping.fold(one) == self._casemapping.fold(other)

    def _may_ask(self, nick: str) -> bool:
        """Queue a question about `nick`; False if too many are queued already."""
        if self._open is not None and self._same(self._open.nick, nick):
            return True
        if len(self._questions) >= _MOST_WAITING:
            return False
        self._questions.setdefault(self._casemapping.fold(nick), nick)
        return True

    def _again(self, nick: str) -> None:
        """Ask about the nick again if somebody else said something under it meanwhile."""
        if any(each.account is None and self._same(each.source.nick, nick) for each in self._waiting):
            self._questions[self._casemapping.fold(nick)] = nick

    def _next(self, now: float) -> Iterator[Step]:
        if self._open is None and self._questions and self._pace.has_token(now):
            self._pace.spend(now)
            nick = self._questions.pop(next(iter(self._questions)))
            self._open = _Question(nick, now)
            yield from written("WHOIS", *((nick, nick) if self._is_of_old(nick) else (nick,)))

    def _is_of_old(self, nick: str) -> bool:
        """Whether a line of history waits for `nick`. Only the server of that person knows since when they are
        connected: it is asked if the nick is named twice (RFC 2812, 3.6.2)."""
        return any(
            each.account is None and each.spoken.replayed and self._same(each.source.nick, nick)
            for each in self._waiting
        )

    def _settle(self, question: _Question) -> Iterator[Step]:
        mask = question.mask
        if mask is not None:
            yield Learnt(mask, question.account, question.since)
        for waiting in self._waiting:
            if waiting.account is None and self._same(waiting.source.nick, question.nick):
                same = mask is not None and (mask.user, mask.host) == (waiting.source.user, waiting.source.host)
                then = not waiting.spoken.replayed or question.since < math.floor(waiting.spoken.time)
                waiting.account = question.account if same and then else ""

    def _release(self, now: float) -> Iterator[Step]:
        while self._waiting:
            first = self._waiting[0]
            patience = _ANSWER_WITHIN_S if not first.spoken.replayed else _OLD_ANSWER_WITHIN_S
            if first.account is None and now - first.since <= patience:
                return
            self._waiting.popleft()
            yield Settled(first.spoken, first.account or "")
