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


@duck.command("train")
@config_option
@click.argument("corpora", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The model file.")
def train(config: Path, corpora: tuple[Path, ...], out: Path) -> None:
    """Learn the questions and answers of CORPORA, files or folders, and write a model for the trained brain."""
    from bots.trained import corpora as reading  # slow: imports numpy
    from bots.trained import modelfile, training

    try:
        read = [reading.read(path) for each in corpora for path in reading.files(each)]
        model = training.train(read)
        modelfile.write(out, model)
    except (ValueError, OSError) as error:
        click.echo(f"quackbridge: {error}", err=True)
        raise click.exceptions.Exit(2) from error
    click.echo(f"{out}: {len(model.texts['questions'])} questions, threshold {model.texts['threshold']:.2f}")


@duck.command("info")
@config_option
@click.argument("model", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def info(config: Path, model: Path) -> None:
    """Show what a MODEL was made of, and its threshold."""
    from bots.trained import modelfile  # slow: imports numpy

    try:
        texts = modelfile.read(model).texts
    except modelfile.ModelError as error:
        click.echo(f"quackbridge: {error}", err=True)
        raise click.exceptions.Exit(2) from error
    click.echo(f"{len(texts.get('questions', ()))} questions, threshold {texts.get('threshold')}")
    for name, count in dict(texts.get("corpora", {})).items():
        click.echo(f"{ascii(name)[1:-1]}: {count} conversations")
