"""`quackbridge check-config` and `config-schema`: the configuration, checked and described."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from bots.load import load_bot
from bridge.cli.common import load
from bridge.cli.options import config_option
from bridge.config import Config, ConfigError, Problem
from bridge.config.schema import schema
from bridge.users import UsersError
from bridge.users.tinydb import TinyUsers


@click.command("check-config")
@config_option
def check_config(config: Path) -> None:
    """Check the config: print `ok`, or every problem with its line and column."""
    settings = load(config)
    if problems := tuple(_missing_bots(settings)):
        raise ConfigError(config, problems)
    try:
        TinyUsers(settings.users.database)
    except UsersError as error:  # the configuration itself is fine
        click.echo(f"quackbridge: warning: {error}", err=True)
    click.echo("ok")


def _missing_bots(settings: Config) -> Iterator[Problem]:
    for key, bot in settings.bots.items():
        try:
            load_bot(bot.use, bot.name, bot.brain, bot.delay)
        except (ValueError, TypeError) as error:
            yield Problem(0, 0, f"bots.{key}", str(error))


@click.command("config-schema")
@config_option
def config_schema(config: Path) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(schema(), indent=2))
