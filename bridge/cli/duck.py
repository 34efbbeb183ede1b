"""`quackbridge duck`: what the duck knows."""

from pathlib import Path

import click

from bots.rules import DEFAULT, RulesError, read_file
from bots.rules.examples import failures
from bridge.cli.options import config_option


@click.group()
def duck() -> None:
    """Test what the duck knows."""


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
