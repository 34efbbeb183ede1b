"""Asks the operator on the terminal, or takes the answer from an option."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError

from bridge.irc.probing import ProbeError as IrcError
from bridge.lib import secret_files
from bridge.lib.settings import NamedSection
from bridge.matrix.probing import ProbeError as MatrixError
from bridge.model.text import printable

Result = TypeVar("Result")
Settings = TypeVar("Settings", bound=NamedSection)


class WrongAnswer(click.ClickException):
    """An option has a value that does not work, and nobody can be asked for another. Or nobody wants to go on."""

    exit_code = 2


class Console:
    """`interactive`: somebody is at the terminal, who may be asked. `yes`: the channel's
    operators agree, as an option says."""

    def __init__(self, *, interactive: bool, yes: bool) -> None:
        self.interactive = interactive
        self._yes = yes

    def say(self, text: str = "") -> None:
        click.echo(printable(text))

    def title(self, text: str) -> None:
        self.say()
        click.secho(printable(text), bold=True)

    def ask(self, question: str, default: str | None = None) -> str:
        answer: str = click.prompt(question, default=default, type=str)
        return answer.strip()

    def secret(self, question: str) -> str:
        answer: str = click.prompt(question, default="", show_default=False, hide_input=True, type=str)
        return answer

    def confirm(self, question: str) -> bool:
        """What the person says. Asked even with `yes`, which is no answer to each question; only on a terminal."""
        return click.confirm(question, default=False)

    def agreed(self, question: str) -> bool:
        """What the person says, or `yes`."""
        return self._yes or self.confirm(question)

    def settled(self, given: str | None, ask: Callable[[], str], attempt: Callable[[str], Result]) -> Result:
        """What `attempt` makes of `given`, or of the first answer that works. Each failure is told."""
        while True:
            answer = given if given is not None else ask()
            try:
                return attempt(answer)
            except (MatrixError, IrcError, ValueError) as error:
                if not self.interactive:
                    raise WrongAnswer(str(error)) from None
                self.say(f"  That does not work: {error}")
                given = None


def password_of(path: Path | None) -> str | None:
    """The password in a file that only its owner can read; None without a file."""
    try:
        return None if path is None else secret_files.read(path)
    except ValueError as error:
        raise WrongAnswer(str(error)) from None


def valid(kind: type[Settings], values: Mapping[str, object]) -> Settings:
    """The settings of a network, as the config would give them. Raises ValueError with a sentence."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        said = str(found.get("ctx", {}).get("error", found["msg"]))
        raise ValueError(said.partition(", or set allow_plaintext")[0]) from None  # there is nothing to set it in yet


def one_of(answer: str, choices: Sequence[str]) -> str:
    """The choice that `answer` is, or begins. Raises ValueError."""
    found = [each for each in choices if answer and each.startswith(answer.lower())]
    if len(found) != 1:
        raise ValueError(f"{answer!r} is none of {', '.join(choices)}")
    return found[0]
