"""Who says what is heard: lines wait, in order, until the network has said which account the speaker has."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bridge.irc.session.people import People
from bridge.irc.wire.line import Source
from bridge.lib.bucket import TokenBucket

_ANSWER_WITHIN = 10.0
"""Seconds after which a line is carried as an unknown person's, so that a lost answer cannot stop the conversation."""
_AT_ONCE, _PER_SECOND = 4, 0.5
"""Questions: a WHOIS counts as a line of ours."""
_MOST_WAITING = 500
"""Lines that wait; the oldest is let go as an unknown person's when there are more."""

_Item = TypeVar("_Item")


@dataclass(slots=True)
class _Waiting(Generic[_Item]):
    item: _Item
    source: Source
    since: float
    account: str | None  # None: not settled yet


@dataclass(slots=True)
class _Question:
    nick: str
    asked_at: float
    mask: Source | None = None
    account: str = ""
    stale: bool = False


class Speakers(Generic[_Item]):
    """Sans I/O. One WHOIS at a time. A line whose speaker leaves or changes their nick before the answer is settled as
    said by nobody that we know: the answer would be about whoever has the nick now."""

    def __init__(self, people: People, ask: Callable[[str], None], tell: Callable[[_Item, str], None]) -> None:
        self._people = people
        self._ask = ask
        self._tell = tell
        self._waiting: deque[_Waiting[_Item]] = deque()
        self._questions: dict[str, str] = {}  # nicks, by how they compare
        self._open: _Question | None = None
        self._answers = True
        self._pace = TokenBucket(_AT_ONCE, _PER_SECOND)

    def said(self, item: _Item, source: Source, account: str | None, now: float) -> None:
        """`account` is what came with the line itself: '' for none, None where we must find out."""
        if account is None:
            known = self._people.knows(source.nick)
            account = self._people.account(source, now) if known else ""
        self._take(item, source, account, now)

    def replayed(self, item: _Item, source: Source, account: str | None, same: bool | None, now: float) -> None:  # noqa: FBT001
        """What was said before. `same` is whether the very same person is in the channel now, None where that is not
        known yet; of anybody else nobody can tell who they were."""
        if account is None and same is not None:
            account = self._people.account(source, now) if same else ""
        self._take(item, source, account, now)

    def _take(self, item: _Item, source: Source, account: str | None, now: float) -> None:
        if account is None and not (self._answers and self._wonder(source.nick, now)):
            account = ""
        if account is not None and not self._waiting:
            self._tell(item, account)
            return
        self._waiting.append(_Waiting(item, source, now, account))
        if len(self._waiting) > _MOST_WAITING:
            self._waiting[0].account = self._waiting[0].account or ""
        self._release(now)

    def changed(self, nick: str, now: float) -> None:
        """Whoever had `nick` has left or changed it."""
        same = self._people.casemapping.fold
        for waiting in self._waiting:
            if waiting.account is None and same(waiting.source.nick) == same(nick):
                waiting.account = ""
        if self._open and same(self._open.nick) == same(nick):
            self._open.stale = True
        self._release(now)

    def user(self, nick: str, user: str, host: str) -> None:
        """311: whom the answer is about."""
        if self._about(nick):
            self._open.mask = Source(nick, user, host)  # type: ignore[union-attr]

    def logged_in(self, nick: str, account: str) -> None:
        """330."""
        if self._about(nick):
            self._open.account = account  # type: ignore[union-attr]

    def answered(self, nick: str, now: float) -> None:
        """318."""
        if self._open is None or not self._about(nick):
            return
        question, self._open = self._open, None
        if question.stale:
            self._again(question.nick)
        else:
            self._settle(question, now)
        self._release(now)
        self._next(now)

    def cannot_ask(self, now: float) -> None:
        """The server has no WHOIS: whom we do not know already remains unknown."""
        self._answers, self._open = False, None
        self._questions.clear()
        for waiting in self._waiting:
            waiting.account = waiting.account or ""
        self._release(now)

    def drain(self) -> list[tuple[_Item, str]]:
        """What waits, in order, with the accounts that are known: nobody will answer any more."""
        left = [(waiting.item, waiting.account or "") for waiting in self._waiting]
        self._waiting.clear()
        return left

    def tick(self, now: float) -> None:
        if self._open and now - self._open.asked_at > _ANSWER_WITHIN:
            self._open = None
        self._next(now)
        self._release(now)

    def _about(self, nick: str) -> bool:
        fold = self._people.casemapping.fold
        return self._open is not None and fold(self._open.nick) == fold(nick)

    def _wonder(self, nick: str, now: float) -> bool:
        """Ask; False where too many are asked about already."""
        if not self._about(nick):
            if len(self._questions) >= _MOST_WAITING:
                return False
            self._questions.setdefault(self._people.casemapping.fold(nick), nick)
            self._next(now)
        return True

    def _again(self, nick: str) -> None:
        """Somebody else said something under the nick meanwhile: a question of their own."""
        fold = self._people.casemapping.fold
        if any(each.account is None and fold(each.source.nick) == fold(nick) for each in self._waiting):
            self._questions[fold(nick)] = nick

    def _next(self, now: float) -> None:
        if self._open is None and self._questions and self._pace.has_token(now):
            self._pace.spend(now)
            nick = self._questions.pop(next(iter(self._questions)))
            self._open = _Question(nick, now)
            self._ask(nick)

    def _settle(self, question: _Question, now: float) -> None:
        fold = self._people.casemapping.fold
        mask = question.mask
        if mask is not None:
            self._people.learn(mask, question.account, now)
        for waiting in self._waiting:
            if waiting.account is None and fold(waiting.source.nick) == fold(question.nick):
                same = mask is not None and (mask.user, mask.host) == (waiting.source.user, waiting.source.host)
                waiting.account = question.account if same else ""

    def _release(self, now: float) -> None:
        while self._waiting:
            first = self._waiting[0]
            if first.account is None and now - first.since <= _ANSWER_WITHIN:
                return
            self._waiting.popleft()
            self._tell(first.item, first.account or "")
