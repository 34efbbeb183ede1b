"""What is wrong with a rules file: all of it at once, each with its line and rule."""

from typing import NamedTuple

from bridge.model.text import one_line

MOST = 20
"""Problems that are shown; the first is mostly the cause of the others."""


class Fault(NamedTuple):
    """`line` counts from 1; 0 is the whole file. `rule` is the pattern of the rule, '' outside of rules."""

    line: int
    rule: str
    message: str


class RulesError(ValueError):
    """The rules cannot be used. `str()` has one line per problem: `rules.yaml:12: rule "hello *": ...`."""

    def __init__(self, file: str, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(_line(file, each) for each in faults[:MOST]))
        self.faults = faults


class Wrong(ValueError):
    """One part of a rule cannot be used; the message says why, without its place."""


def _line(file: str, fault: Fault) -> str:
    place = f"{file}:{fault.line}" if fault.line else file
    rule = f'rule "{one_line(fault.rule, 60)}": ' if fault.rule else ""
    return f"{place}: {rule}{one_line(fault.message)}"
