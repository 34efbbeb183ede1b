"""What is wrong with a configuration: all of it at once, each with its place."""

from dataclasses import dataclass
from pathlib import Path

from bridge.model.text import printable


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` and `column` count from 1; 0 where the whole file is meant. `where` is the dotted path of the key."""

    line: int
    column: int
    where: str
    message: str

    def text(self, file: Path) -> str:
        """As the operator reads it: `config.yaml:10:5: networks.libera.tls: ...`; one line, whatever the file says."""
        place = f"{file}:{self.line}:{self.column}" if self.line else str(file)
        return printable(": ".join(part for part in (place, self.where, self.message) if part))


class ConfigError(Exception):
    """The configuration cannot be used. `str()` is one line a problem."""

    def __init__(self, file: Path, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(problem.text(file) for problem in problems))
        self.file = file
        self.problems = problems
