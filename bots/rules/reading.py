"""Reads a rules file: YAML nodes to a book and its examples, or all that is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from bots.rules import document, patterns, programs, templates
from bots.rules.answers import answers_of
from bots.rules.book import Book, Group, Rule
from bots.rules.document import BYTES, Items, Node, Table
from bots.rules.examples import Example, Script, example_of
from bots.rules.nodes import Failed, entries, keyed, line_of, number, scalar, texts
from bots.rules.patterns import Lexicon, Part
from bots.rules.problems import Fault, RulesError, Wrong
from bots.rules.programs import Pattern
from bots.rules.tokens import tokens

DEFAULT = Path(__file__).parent / "default.yaml"
"""The rules that come with the bridge."""
_RULES = 2_000
_STEPS = 200_000
"""Steps of all compiled patterns at most: some 40 MB."""
_TOP = ("spoken", "sets", "manners", "answers", "rules")
_RULE = ("match", "answer", "redirect", "after", "topic", "priority", "examples")
_Made = TypeVar("_Made")


def read_file(path: Path) -> Script:
    """The rules in the file `path`. Raises RulesError, OSError."""
    with path.open("rb") as file:
        return read(file.read(BYTES + 1), str(path))


def read(content: bytes, file: str = "rules") -> Script:
    """The rules in `content`. Raises RulesError, in which the file is called `file`."""
    reader = _Reader(document.parse(content, file))
    script = reader.script()
    if reader.faults:
        raise RulesError(file, tuple(sorted(reader.faults)))
    return script


class _Reader:
    """Reads one file, and gathers its problems."""

    def __init__(self, root: Node) -> None:
        self.faults: list[Fault] = []
        self._root = root
        self._rule = ""
        self._steps = 0
        self._named: dict[str, tuple[Group, ...]] = {}
        self._lexicon = Lexicon({}, {})
        self._manners: tuple[Part, Part] | None = None

    def script(self) -> Script:
        """The book and its examples; of no use if there are `faults`."""
        top = self._tried(self._root, keyed, self._root, _TOP) or {}
        spoken = dict(self._each(top.get("spoken"), self._spoken))
        self._lexicon = Lexicon({}, spoken)
        for name, part in self._each(top.get("sets"), self._set):
            self._lexicon = Lexicon({**self._lexicon.sets, name: part}, spoken)
        self._manners = self._tried(top.get("manners"), self._read_manners, top.get("manners"))
        for name, answers in self._each(top.get("answers"), self._answer):  # each may name those before it
            self._named[name] = answers
        rules, examples = self._rules(top.get("rules"))
        return Script(Book(rules, self._lexicon), tuple(examples))

    def _tried(self, node: Node | None, read: Callable[..., _Made], *given: object) -> _Made | None:
        """What `read` returns; None if that went wrong, with a problem at its own place or that of `node`."""
        try:
            return read(*given)
        except Failed as error:
            self.faults.append(Fault(error.line, self._rule, str(error)))
        except Wrong as error:
            self.faults.append(Fault(line_of(node), self._rule, str(error)))
        return None

    def _each(self, node: Node | None, read: Callable[[str, Node], _Made]) -> Iterator[tuple[str, _Made]]:
        """The entries of a mapping that could be read."""
        for key, value in self._tried(node, entries, node) or ():
            if (made := self._tried(value, read, key.text, value)) is not None:
                yield key.text, made

    def _spoken(self, word: str, node: Node) -> tuple[str, ...]:
        if [each.word for each in tokens(word).words] != [word]:
            raise Failed(f"{word!r} is not one word in small letters, without accents and signs", line_of(node))
        return tuple(each.word for each in tokens(scalar(node)).words)

    def _set(self, _name: str, node: Node) -> Part:
        return patterns.phrases(texts(node), self._lexicon)

    def _read_manners(self, node: Node | None) -> tuple[Part, Part] | None:
        if node is None:
            return None
        found = keyed(node, ("before", "after"))
        before, after = (
            patterns.Choice(
                patterns.phrases(texts(found[key]), self._lexicon).options if key in found else (), repeats=True
            )
            for key in ("before", "after")
        )
        return (before if before.options else patterns.Chain(()), after if after.options else patterns.Chain(()))

    def _answer(self, _name: str, node: Node) -> tuple[Group, ...]:
        return answers_of(node, self._named)

    def _rules(self, node: Node | None) -> tuple[list[Rule], list[Example]]:
        rules: list[Rule] = []
        examples: list[Example] = []
        if node is None:
            self.faults.append(Fault(self._root.line, "", "there are no rules: a list under `rules:`"))
        for each in self._tried(node, _list, node) or ():
            self._rule = ""
            if (rule := self._tried(each, self._read_rule, each)) is None:
                continue
            rules.append(rule)
            if len(rules) > _RULES or self._steps > _STEPS:
                self.faults.append(Fault(each.line, "", "too many rules, or too long ones"))
                break
            examples += self._tried(each, self._examples, each, rule) or ()
        self._rule = ""
        return rules, examples

    def _read_rule(self, node: Node) -> Rule:
        found = keyed(node, _RULE)
        if "match" not in found:
            raise Failed("`match` is missing: the pattern", node.line)
        sources = texts(found["match"])
        self._rule = sources[0]
        read = tuple(self._pattern(each, self._manners) for each in sources)
        self._steps += sum(len(each.steps) for each in read)
        after = self._pattern(scalar(found["after"]), None) if "after" in found else None
        if ("answer" in found) == ("redirect" in found):
            raise Failed("a rule has either `answer` or `redirect`", node.line)
        answers = answers_of(found.get("answer", node), self._named, found.get("redirect"))
        _check_stars(answers, min(each.captures for each in read), after.captures if after else 0)
        return Rule(
            read,
            answers,
            node.line,
            after,
            topic=templates.named(scalar(found["topic"])) if "topic" in found else "",
            priority=number(found["priority"], -100, 100) if "priority" in found else 0,
        )

    def _pattern(self, source: str, manners: tuple[Part, Part] | None) -> Pattern:
        return programs.compiled(source, patterns.parse(source, self._lexicon), manners)

    def _examples(self, node: Node, rule: Rule) -> Sequence[Example]:
        given = keyed(node, _RULE).get("examples")
        if given is None:
            return ()
        if isinstance(given, Table):
            return [example_of(key, rule, self._lexicon, value) for key, value in given.pairs]
        return [example_of(each, rule, self._lexicon) for each in _list(given)]


def _list(node: Node | None) -> Sequence[Node]:
    if node is not None and not isinstance(node, Items):
        raise Failed("this must be a list: lines that begin with -", node.line)
    return node.values if node is not None else ()


def _check_stars(answers: Sequence[Group], captures: int, of_bot: int) -> None:
    for each in answers:
        for say in each.says:
            for star in templates.stars(say.template):
                if star.number > (of_bot if star.of_bot else captures):
                    name = f"<{'botstar' if star.of_bot else 'star'}{star.number}>"
                    raise Wrong(f"the answer says {name}, and the pattern has not so many wildcards or (alternatives)")
