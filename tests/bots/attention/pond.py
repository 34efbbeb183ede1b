"""A room with several ducks and people in it, in made-up time: each hears what the others say, some time later."""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from bots.attention import Attention, Decision, Heard, Manners
from bridge.model.answering import Answers
from tests.bots.attention.heard import NOW


@dataclass
class Duck:
    """A bot that does not show that it is one. `thinks_s`: seconds until it has an answer; `parts`: how many messages
    an answer is; `calls`: it answers by name. `member`: others take it for one."""

    name: str
    thinks_s: float = 1.0
    calls: bool = False
    member: bool = False
    parts: int = 1
    words: str = "quack"
    hears_all: bool = False
    answers: Answers = Answers.ALWAYS
    mind: Attention = field(init=False)
    answered: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        manners = Manners(names=(self.name,), answers=self.answers, hears_all=self.hears_all, per_person=None)
        self.mind = Attention(manners, lambda: 0.999)


class Pond:
    """The room. `lag_s`: seconds until a message is heard. `said` counts what was said by whom."""

    def __init__(self, ducks: Sequence[Duck], lag_s: float = 0.1) -> None:
        self.ducks = ducks
        self.lag_s = lag_s
        self.now = NOW
        self.said: Counter[str] = Counter()
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def say(self, name: str, text: str, after_s: float = 0.0, *, member: bool = True) -> None:
        """Somebody says something, so many seconds from now."""
        self._at(after_s, lambda: self._spread(name, text, member=member))

    def run(self, most: int = 2_000) -> None:
        """Let everything happen that follows."""
        for _ in range(most):
            if not self._due:
                return
            self.now, _, happens = heapq.heappop(self._due)
            happens()
        raise AssertionError("they talk for ever")

    def _at(self, after_s: float, happens: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + after_s, next(self._order), happens))

    def _spread(self, name: str, text: str, *, member: bool) -> None:
        self.said[name] += 1
        for duck in self.ducks:
            if duck.name != name:
                called = text.startswith(f"{duck.name}: ")
                message = Heard(
                    id=str(next(self._order)),
                    room="libera/#pond",
                    who=name,
                    name=name,
                    text=text.removeprefix(f"{duck.name}: "),
                    time=self.now,
                    member=member,
                    called=called,
                )
                self._at(self.lag_s, lambda duck=duck, message=message: self._hears(duck, message))  # type: ignore[misc]

    def _hears(self, duck: Duck, message: Heard) -> None:
        decision = duck.mind.decide(message, self.now)
        if decision.may_speak:
            self._at(duck.thinks_s, lambda: self._answers(duck, message, decision))

    def _answers(self, duck: Duck, message: Heard, decision: Decision) -> None:
        if not duck.mind.may_send(message, decision, self.now):
            return
        duck.answered[message.who] += 1
        duck.mind.answered(message, decision, self.now)
        for _ in range(duck.parts):
            words = f"{message.who}: {duck.words}" if duck.calls else duck.words
            self._spread(duck.name, words, member=duck.member)
