"""The administration verbs as commands: adds -c and --json, and prints the answer."""

import gc
import getpass
import json
import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import click

from bridge.admin.databases import users_of
from bridge.admin.live import SocketLive
from bridge.admin.verbs import Verb
from bridge.admin.verbs.office import Again, Answer, Office, Terminal
from bridge.cli.common import load_settings
from bridge.cli.options import config_option
from bridge.lib import sockets
from bridge.model.text import printable
from bridge.users.passwords import LONGEST

_ANSWER = 20
"""Most characters that are read of an answer."""


def in_shell(verb: Verb, name: str) -> click.Command:
    """`verb` as the command `name`, which reads the config and prints."""
    command = verb.command

    def run(config: Path, as_json: bool, **values: Any) -> int:
        gc.disable()  # a short process: with ten thousand users, collecting takes a third of its time
        context = click.get_current_context()
        assert command.callback is not None
        before: Again | None = None
        while True:
            context.obj = office = _office(config, as_json=as_json)
            answer: Answer = context.invoke(command.callback, **values)
            for warning in office.warnings if before is None else ():
                click.echo(f"quackbridge: warning: {warning}", err=True)
            if (again := answer.again) is None:
                break
            _print_again(answer, before, as_json=as_json)
            before = again
            time.sleep(again.seconds)
        print_answer(answer, as_json=as_json)
        if answer.printed is not None and sys.stdout is not None:  # None: it was closed, and nothing was printed
            sys.stdout.flush()
            answer.printed()
        return answer.code

    made = click.Command(name, callback=run, params=[*command.params], help=command.help, short_help=verb.about)
    json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    return config_option(json_option(made))


def _office(config: Path, *, as_json: bool) -> Office:
    settings = load_settings(config)
    by = f"shell:{_who()}"
    users = partial(users_of, settings, by)
    store = settings.store.path
    live = SocketLive(sockets.places(store, config, os.environ), store)
    terminal = Terminal(_ask, _read, _take, None if as_json else _confirm)
    return Office(settings, users, by=by, terminal=terminal, live=live)


def _print_again(answer: Answer, before: Again | None, *, as_json: bool) -> None:
    """Print an answer that others follow: on a terminal in the place of the last; else if it tells something new, as
    JSON in one line."""
    if sys.stdout is None:  # it was closed
        return
    is_terminal = sys.stdout.isatty() and not as_json
    if is_terminal:
        click.clear()
    elif before is not None and answer.again is not None and answer.again.changed == before.changed:
        return
    if as_json:
        click.echo(json.dumps(answer.data, ensure_ascii=False))
    else:
        print_answer(answer, as_json=False)
        if not is_terminal:
            click.echo()
    sys.stdout.flush()


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print an answer for people, or as JSON."""
    if as_json:
        click.echo(json.dumps(answer.data, ensure_ascii=False, indent=2))
    elif answer.columns:
        _print_table(answer)
    else:
        click.echo("\n".join(map(printable, answer.words.split("\n"))))


def _print_table(answer: Answer) -> None:
    """Print a table as wide as the terminal; if it is wider, each row as a block of lines. For another program: the
    cells separated by tabs, a row in a line."""
    if sys.stdout is None or not sys.stdout.isatty():  # None: it was closed (`>&-`)
        for row in (answer.columns, *answer.rows):
            click.echo("\t".join(printable(cell.replace("\n", ", ")) for cell in row))
        return
    width = shutil.get_terminal_size().columns
    if _width(answer) > width:
        _print_blocks(answer)
        return
    from rich.console import Console  # slow to import, and not needed to add a user
    from rich.table import Table
    from rich.text import Text

    table = Table(*answer.columns, box=None)
    for row in answer.rows:
        table.add_row(*(Text("\n".join(map(printable, cell.split("\n")))) for cell in row))
    Console(width=width).print(table)


def _width(answer: Answer) -> int:
    """How many terminal columns the table takes."""
    from rich.cells import cell_len  # slow to import

    cells = zip(answer.columns, *answer.rows, strict=True)
    return sum(max(cell_len(line) for cell in column for line in cell.split("\n")) + 2 for column in cells)


def _print_blocks(answer: Answer) -> None:
    """Print each row as lines of column and cell, with an empty line between the rows."""
    indent = max(map(len, answer.columns)) + 2
    for number, row in enumerate(answer.rows):
        if number:
            click.echo()
        for column, cell in zip(answer.columns, row, strict=True):
            for place, line in enumerate(cell.split("\n") if cell else ()):
                click.echo(f"{'' if place else column:{indent}}{printable(line)}")


def _ask() -> str:
    """Ask twice for a password at the terminal. Raises UsageError if there is none: nobody could answer."""
    if not _has_terminal():
        raise click.UsageError("there is no terminal to type a password at: use --password-stdin")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _take(what: str, why: str) -> str:
    """Ask once for a secret at the terminal, without an echo; without a terminal, read it from standard input."""
    if sys.stdin is not None and sys.stdin.isatty() and _has_terminal():
        click.echo(printable(why), err=True)
        typed: str = click.prompt(what, hide_input=True, err=True)
        return typed
    try:
        line = sys.stdin.readline(4 * LONGEST) if sys.stdin is not None else ""
    except (OSError, UnicodeDecodeError):
        line = ""
    if not line.strip():
        raise click.UsageError(f"{why.rstrip('.')}. Standard input is empty: pipe it into the command ({what})")
    return line.rstrip("\r\n")


def _has_terminal() -> bool:
    """Whether `getpass` can ask without an echo: at the terminal that controls us, or at standard input."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True


def _confirm(question: str) -> str:
    """Show `question`, and read a line of standard input; empty if there is none."""
    click.echo("\n".join(map(printable, question.split("\n"))), err=True)
    if sys.stdin is None:
        return ""
    click.echo("yes or no: ", nl=False, err=True)
    try:
        return sys.stdin.readline(_ANSWER)
    except (OSError, UnicodeDecodeError):
        return ""


def _read() -> str:
    """The first line of standard input. Raises UsageError if there is none, or it is no text."""
    if sys.stdin is None:
        raise click.UsageError("standard input is closed: pipe the password into the command")
    try:
        line = sys.stdin.readline(4 * LONGEST)
    except UnicodeDecodeError as error:
        raise click.UsageError("the password on standard input is not UTF-8 text") from error
    except OSError as error:
        raise click.UsageError(f"standard input cannot be read: {error.strerror}") from error
    if not line:
        raise click.UsageError("standard input is empty: pipe the password into the command, as its first line")
    return line.rstrip("\r\n")


def _who() -> str:
    """The user at the terminal; under sudo the real one too: `alice(root)`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # no entry for our user id, as in some containers
        name = str(os.geteuid())
    return f"{os.environ['SUDO_USER']}({name})" if os.environ.get("SUDO_USER") else name
