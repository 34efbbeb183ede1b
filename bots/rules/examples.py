"""Examples in a rules file: questions with the answers that they must get. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bots.api import Question, Turn
from bots.rules import patterns, programs
from bots.rules.answers import ROLES
from bots.rules.book import Asked, Book, Rule
from bots.rules.document import Node, Scalar
from bots.rules.nodes import Failed, entries, keyed, scalar, switch, texts
from bots.rules.patterns import Lexicon
from bots.rules.problems import Wrong
from bots.rules.programs import Pattern
from bridge.model.event import Room
from bridge.model.people import Role, Sender
from bridge.model.text import one_line, plain, words

_KEYS = ("ask", "answer", "after", "topic", "as")
_AS = ("name", "user", "role", "link", "network", "private", "carried", "variables")
_TRIES = 20
"""How often an example is asked: its rule may have several answers."""
_NOTHING = ("", "null", "~")


@dataclass(frozen=True, slots=True)
class Example:
    """`asked` must be answered by `rule`; if there are `answers`, with one of these texts or patterns. `is_silent`:
    the rule must not answer."""

    line: int
    asked: Asked
    rule: Rule
    answers: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """A rules file: the rules, and examples of them."""

    book: Book
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that went wrong. `line`: where it is."""

    line: int
    asked: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}: {one_line(self.asked)!r}: {one_line(self.message, 400)}"


def failures(script: Script, seed: int = 1) -> Iterator[Failure]:
    """The examples of `script` that go wrong. Random answers are tried several times, the same ones for one `seed`."""
    for example in script.examples:
        found = (_failure(script.book, example, random.Random(f"{seed} {each}")) for each in range(_TRIES))  # noqa: S311 - no secret
        if (message := next(filter(None, found), None)) is not None:
            yield Failure(example.line, plain(example.asked.question.text), message)


def _failure(book: Book, example: Example, chance: random.Random) -> str | None:
    found = book.answer(example.asked, chance)
    ours = found is not None and (found.rule is example.rule or example.patterns or example.answers)
    if example.is_silent:
        return f"this rule must not answer: {plain(found.text)!r}" if found and found.rule is example.rule else None
    if found is None:
        return "no rule answers"
    said = plain(found.text)
    if not ours:
        return f"another rule answers, that in line {found.rule.line}: {said!r}"
    if not example.answers or said in example.answers:
        return None
    text = book.tokens(said)
    if any(pattern.match(text) is not None for pattern in example.patterns):
        return None
    return f"the answer is {said!r}"


def example_of(node: Node, rule: Rule, lexicon: Lexicon, expected: Node | None = None) -> Example:
    """An example: a question alone, a question with the answer that is `expected`, or a mapping. Raises Wrong."""
    if isinstance(node, Scalar):
        found: dict[str, Node] = {"ask": node} | ({"answer": expected} if expected is not None else {})
    else:
        found = keyed(node, _KEYS)
    if "ask" not in found:
        raise Failed("`ask` is missing: the question", node.line)
    asked = _asked(found)
    given = found.get("answer")
    if given is None:
        return Example(node.line, asked, rule)
    if isinstance(given, Scalar) and given.text in _NOTHING and not given.is_quoted:
        return Example(node.line, asked, rule, is_silent=True)
    answers = tuple(texts(given))
    return Example(node.line, asked, rule, answers, tuple(_patterns(answers, lexicon)))


def _patterns(answers: Sequence[str], lexicon: Lexicon) -> Iterator[Pattern]:
    """Those of `answers` that are patterns; others are compared as they are."""
    for each in answers:
        try:
            yield programs.compiled(each, patterns.parse(each, lexicon))
        except Wrong:
            continue


def _role(name: str) -> Role | None:
    return None if name == "guest" else Role(name)


def _asked(found: dict[str, Node]) -> Asked:
    given = keyed(found["as"], _AS) if "as" in found else {}
    text = {key: scalar(node) for key, node in given.items() if key in ("name", "user", "role", "link", "network")}
    flags = {key: switch(node) for key, node in given.items() if key in ("private", "carried")}
    network, user, role = text.get("network", "net"), text.get("user"), text.get("role")
    if role not in (None, *ROLES):
        raise Failed(f"a role is one of {', '.join(ROLES)}", given["role"].line)
    name = text.get("name", user or "somebody")
    private = flags.get("private", False)
    question = Question(
        id="example",
        text=words(scalar(found["ask"])),
        asker=Sender(network, name, name, user=user),
        room=Room(network, name if private else "#room"),
        time=0.0,
        private=private,
        role=_role(role or ("member" if user else "guest")),
        link=text.get("link", "" if private else "link"),
        carried=flags.get("carried", False),
        turns=(Turn("bot", scalar(found["after"]), ours=True),) if "after" in found else (),
    )
    variables = {key.text: scalar(value) for key, value in entries(given.get("variables"))}
    return Asked(question, "bot", scalar(found["topic"]) if "topic" in found else "", variables)
