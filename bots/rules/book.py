"""A book of rules: finds the rule that a question fits best, and words its answer. Pure."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bots.api import Question
from bots.rules import templates
from bots.rules.patterns import Lexicon
from bots.rules.programs import Effort, Pattern
from bots.rules.templates import Known, Template
from bots.rules.tokens import Tokens, tokens
from bridge.model.text import Text, plain

_REDIRECTS = 5
"""Redirects in a row: more are a circle."""
_EFFORT = 50_000
"""Steps that are tried for one question, its redirects too: some 50 ms."""


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the question; what is None does not matter. `user`: True is any user. `variables`: the value that
    each must have; '' is none."""

    role: str | None = None
    user: bool | str | None = None
    link: tuple[str, ...] | None = None
    network: tuple[str, ...] | None = None
    private: bool | None = None
    carried: bool | None = None
    variables: tuple[tuple[str, str], ...] = ()

    def holds(self, question: Question, variables: Mapping[str, str]) -> bool:
        return (
            self.role in (None, question.role or "guest")
            and (self.user is None or self.user in (question.user, question.user is not None))
            and (self.link is None or question.link in self.link)
            and (self.network is None or question.room.network in self.network)
            and self.private in (None, question.private)
            and self.carried in (None, question.carried)
            and all(variables.get(name, "").casefold() == value.casefold() for name, value in self.variables)
        )


@dataclass(frozen=True, slots=True)
class Say:
    """One answer. `redirects`: it is a question to answer instead."""

    template: Template
    weight: int = 1
    redirects: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Some answers, one of which is said at random by weight, `when` a condition holds."""

    says: tuple[Say, ...]
    when: When | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """`patterns` -> the first of `answers` whose condition holds. `after`: the bot must have said this just before.
    `topic`: only in this topic. `line`: where it begins."""

    patterns: tuple[Pattern, ...]
    answers: tuple[Group, ...]
    line: int
    after: Pattern | None = None
    topic: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, with what is known of the person from earlier."""

    question: Question
    bot: str = ""
    topic: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer, and what the person's variables and topic are now. `rule` made the answer by `pattern`."""

    text: Text
    variables: Mapping[str, str]
    topic: str
    rule: Rule
    pattern: Pattern
    forgets: bool = False


class Book:
    """Rules, ready to be asked."""

    def __init__(self, rules: Sequence[Rule], lexicon: Lexicon) -> None:
        self.rules = tuple(rules)
        self._lexicon = lexicon
        entries = [(rule, pattern) for rule in self.rules for pattern in rule.patterns]
        entries.sort(key=lambda each: (-each[0].priority, each[0].after is None, each[1].rank))
        self._entries = entries
        self._by_word: dict[str, list[int]] = {}
        self._others: list[int] = []  # patterns that need no word
        for number, (_, pattern) in enumerate(entries):
            for word in pattern.needs or ():
                self._by_word.setdefault(word, []).append(number)
            if pattern.needs is None:
                self._others.append(number)

    def tokens(self, text: str) -> Tokens:
        """The words of `text`, as the patterns have them."""
        return tokens(text, self._lexicon.spoken)

    def answer(self, asked: Asked, chance: random.Random) -> Outcome | None:
        """The answer to a question; None if no rule has one."""
        question = asked.question
        known = Known(_fields(asked), dict(asked.variables), asked.topic)
        said = self.tokens(plain(question.text))
        before = self.tokens(next((turn.text for turn in reversed(question.turns) if turn.ours), ""))
        effort = Effort(_EFFORT)
        for _ in range(_REDIRECTS + 1):
            found = next(self._found(said, before, question, known, effort), None)
            if found is None:
                return None
            rule, pattern, says = found
            say = chance.choices(says, [each.weight for each in says])[0]
            text = templates.fill(say.template, known)
            if not say.redirects:
                return Outcome(text, known.variables, known.topic, rule, pattern, known.forgets)
            said = self.tokens(plain(text))
        return None

    def _found(
        self, said: Tokens, before: Tokens, question: Question, known: Known, effort: Effort
    ) -> Iterator[tuple[Rule, Pattern, tuple[Say, ...]]]:
        """The rules that `said` fits and that have an answer, the best first; `known` has its captures."""
        for rule, pattern in self._candidates(said, known.topic):
            if effort.left < 0:
                return
            known.stars = known.bot_stars = ()
            if rule.after is not None:
                if (bot_stars := rule.after.match(before, effort)) is None:
                    continue
                known.bot_stars = bot_stars
            if (stars := pattern.match(said, effort)) is None:
                continue
            known.stars = stars
            for answers in rule.answers:
                if answers.when is None or answers.when.holds(question, known.variables):
                    yield rule, pattern, answers.says
                    break

    def _candidates(self, said: Tokens, topic: str) -> Iterator[tuple[Rule, Pattern]]:
        """The rules that may fit, the best first: those of the topic before the others."""
        if not said.words:
            return
        numbers = {number for token in said.words for number in self._by_word.get(token.word, ())}
        entries = [self._entries[number] for number in sorted(numbers.union(self._others))]
        if topic:
            yield from (entry for entry in entries if entry[0].topic == topic)
        yield from (entry for entry in entries if not entry[0].topic)


def _fields(asked: Asked) -> Mapping[str, str]:
    question = asked.question
    return {
        "name": question.asker.name,
        "user": question.user or "",
        "role": question.role or "guest",
        "link": question.link,
        "network": question.room.network,
        "bot": asked.bot,
    }
