"""`quackbridge duck`: what the duck knows."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import click

from bots.rules import DEFAULT, RulesError, read_file
from bots.rules.examples import failures
from bridge.cli.options import config_option
from bridge.model.text import printable


@click.group()
def duck() -> None:
    """Train the duck, and test what it knows."""


@duck.command("test")
@config_option
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=DEFAULT)
def test(config: Path, file: Path) -> None:
    """Run the examples in a FILE of rules; without one, in the rules that come with the bridge.

    Prints each example that goes wrong, with its line. Exit code 1 if there are any, 2 if the file cannot be read.
    """
    try:
        script = read_file(file)
    except RulesError as error:
        click.echo(str(error), err=True)  # one line a problem, each with its place
        raise click.exceptions.Exit(2) from error
    wrong = [*failures(script)]
    for each in wrong:
        click.echo(f"{file}:{each}")
    counted = f"{len(script.examples)} examples of {len(script.book.rules)} rules"
    click.echo(f"{counted}, {len(wrong) or 'none'} wrong", err=bool(wrong))
    if wrong:
        raise click.exceptions.Exit(1)


@duck.command("train")
@config_option
@click.argument("corpora", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The model file.")
def train(config: Path, corpora: tuple[Path, ...], out: Path) -> None:
    """Learn from CORPORA, files or folders, and write a model for the trained brain.

    Questions with answers (YAML of chatterbot-corpus, CSV, JSON lines) become known questions. Conversations (logs of
    irssi and weechat, an export of a Matrix room, the archive of a link, chitchat-dataset) teach it small talk.
    """
    trained = _trained()
    with _reported(), trained.one_thread(), click.progressbar(length=1000, label="Learning", file=sys.stderr) as bar:
        model = trained.train(trained.read(corpora), lambda part: bar.update(int(part * 1000) - bar.pos))
        trained.write(out, model)
    click.echo(f"{out}: {trained.described(model)}")


@duck.command("info")
@config_option
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def info(config: Path, model: Path) -> None:
    """Show what a MODEL was made of, what it knows, and from which score on it speaks."""
    trained = _trained()
    with _reported():
        for line in trained.info(model):
            click.echo(printable(line))


@duck.command("eval")
@config_option
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("corpora", type=click.Path(path_type=Path, exists=True), nargs=-1)
@click.option("--mine", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Questions of your own.")
def evaluate(config: Path, model: Path, corpora: tuple[Path, ...], mine: Path | None) -> None:
    """Measure a MODEL with the CORPORA that it was made of: by what training held back, and by slips.

    With --mine, a CSV or YAML file of questions and answers: shows which of them it does not answer so, and how many it
    does. The same files give the same figures.
    """
    if not corpora and mine is None:
        raise click.UsageError("name the CORPORA that the model was made of, or --mine FILE")
    trained = _trained()
    with _reported(), trained.one_thread():
        for line in trained.measured(model, corpora, mine):
            click.echo(printable(line))


def _trained() -> ModuleType:
    """All about models; it is slow to import, and its packages are an extra."""
    try:
        from bots.trained import desk
    except ImportError as error:
        click.echo(f"quackbridge: {error}: install quackbridge[trained]", err=True)
        raise click.exceptions.Exit(2) from error
    return desk


@contextmanager
def _reported() -> Iterator[None]:
    """What is wrong with a file is one line, and exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        click.echo(f"quackbridge: {printable(str(error))}", err=True)
        raise click.exceptions.Exit(2) from error
