"""The problems of a configuration: all at once, each with its place."""

from dataclasses import dataclass
from pathlib import Path

from bridge.model.text import printable


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `line` and `column` count from 1; 0 is the whole file. `where` is the dotted path of the key."""

    line: int
    column: int
    where: str
    message: str

    def text(self, file: Path) -> str:
        """The line shown to the operator: `config.yaml:10:5: networks.libera.tls: ...`; always a single line."""
        place = f"{file}:{self.line}:{self.column}" if self.line else str(file)
        return printable(": ".join(part for part in (place, self.where, self.message) if part))


class ConfigError(Exception):
    """The configuration cannot be used. `str()` has one line per problem."""

    def __init__(self, file: Path, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(problem.text(file) for problem in problems))
        self.file = file
        self.problems = problems
