"""`quackbridge bots`: which bots and brains there are."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bots.load import brain_class, brains, offered_bots
from bridge.cli.common import load_settings
from bridge.cli.options import config_option


@click.group()
def bots() -> None:
    """Show which bots and brains there are."""


@bots.command("list")
@config_option
def list_bots(config: Path) -> None:
    """List the bots of the config, and all brains that can be used."""
    console = Console()
    if config.exists():
        table = Table("bot", "name", "brain", "links", title="In the config")
        settings = load_settings(config)
        for key, bot in settings.bots.items():
            links = ", ".join(name for name, link in settings.links.items() if key in link.bots)
            table.add_row(key, bot.name, ", ".join(bot.brain), links or "none")
        console.print(table)
    for name in offered_bots():
        console.print(f"use: {name} (an installed bot)")
    table = Table("brain", "what it does", title="Brains")
    for name in brains():
        table.add_row(name, _about(name))
    console.print(table)


@bots.command("show")
@config_option
@click.argument("brain")
def show(config: Path, brain: str) -> None:
    """Show what a BRAIN does, and its settings."""
    try:
        made = brain_class(brain)
    except ValueError as error:
        raise click.UsageError(f"{error}; there are: {', '.join(brains())}") from error
    click.echo(_about(brain))
    for line in _settings(made):
        click.echo(line)


def _about(name: str) -> str:
    """The first sentence about a brain."""
    try:
        made = brain_class(name)
    except ValueError as error:
        return str(error)
    module = inspect.getmodule(made)
    said = (module.__doc__ if module is not None and name in brains() else made.__doc__) or "says nothing about itself"
    return said.strip().partition("\n")[0]


def _settings(made: type) -> Iterator[str]:
    model = getattr(made, "Settings", None)
    if model is None:
        yield "It has no settings."
        return
    yield "Settings:"
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"default: {field.get_default(call_default_factory=True)!r}"
        about = f": {field.description}" if field.description else ""
        yield f"  {name} ({default}){about}"
