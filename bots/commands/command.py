"""What a command is: a plain function of a call, whose docstring is its help and whose examples are tests.

    @command("double N")
    def double(call: Call) -> str | None:
        '''Double a number.

        >>> double 21
        42
        '''
        return str(int(call.args) * 2) if call.args.isdecimal() else None

It returns its answer as plain text, or None if what was said is no such command after all: `double trouble`. Then the
next brain is asked. Commands need no sign before them, so each takes only what is certainly meant for it.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from bots.api import Home, Question

if TYPE_CHECKING:
    from bots.commands.state import State


class Call(NamedTuple):
    """A command that was said: `args` is what stood behind its name, in one line. `now`: seconds since the epoch."""

    args: str
    question: Question
    now: float
    home: Home
    state: "State"
    chance: random.Random


Answer: TypeAlias = str | None
Run: TypeAlias = Callable[[Call], Answer | Awaitable[Answer]]


class Sample(NamedTuple):
    """An example: what is said, and the answer, in which `...` is anything."""

    said: str
    answer: str


@dataclass(frozen=True, slots=True)
class Command:
    """`usage` begins with the name, or some with | between them; `about` is one sentence. `needs`: the setting
    without which there is no such command."""

    names: tuple[str, ...]
    usage: str
    about: str
    more: str
    samples: tuple[Sample, ...]
    run: Run
    needs: str = ""

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def needs_words(self) -> bool:
        """Whether it means nothing alone."""
        return self.usage not in self.names and "[" not in self.usage


def command(usage: str, *others: str, needs: str = "") -> Callable[[Run], Command]:
    """Make a command of a function. `usage`: "roll DICE"; its name is what stands before the first word in capitals or
    sign. `others` are more names for it."""
    name = " ".join(_until_capitals(usage))

    def made(run: Run) -> Command:
        about, more, samples = _read(run.__doc__ or "")
        return Command((name, *others), usage, about, more, samples, run, needs)

    return made


def _until_capitals(usage: str) -> list[str]:
    names = []
    for word in usage.split():
        if not word.isalpha() or word.isupper():
            break
        names.append(word)
    return names


def _read(doc: str) -> tuple[str, str, tuple[Sample, ...]]:
    """The first sentence of a docstring, what follows, and the examples."""
    text, samples = [], list[Sample]()
    for line in map(str.strip, doc.splitlines()):
        if line.startswith(">>> "):
            samples.append(Sample(line[4:], ""))
        elif samples and line:
            said, answer = samples.pop()
            samples.append(Sample(said, f"{answer}\n{line}".strip()))
        elif not samples:
            text.append(line)
    about, *more = "\n".join(text).strip().split("\n\n")
    return " ".join(about.split()), " ".join(" ".join(more).split()), tuple(samples)
