"""What is wrong with a rules file: all of it at once, each with its line and rule."""

from typing import NamedTuple

from bridge.model.text import one_line

MOST = 20
"""Problems that are shown; the first is mostly the cause of the others."""


class Problem(NamedTuple):
    """`line` counts from 1; 0 is the whole file. `rule` is the pattern of the rule, '' outside of rules."""

    line: int
    rule: str
    message: str


class RulesError(ValueError):
    """The rules cannot be used. `str()` has one line per problem: `rules.yaml:12: rule "hello *": ...`."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(_line(file, each) for each in problems[:MOST]))
        self.problems = problems


class Wrong(ValueError):
    """One part of a rule cannot be used; the message says why, without its place."""


def _line(file: str, problem: Problem) -> str:
    place = f"{file}:{problem.line}" if problem.line else file
    rule = f'rule "{one_line(problem.rule, 60)}": ' if problem.rule else ""
    return f"{place}: {rule}{one_line(problem.message)}"
