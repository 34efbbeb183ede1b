"""`quackbridge check-config` and `config-schema`: the configuration, checked and described."""

import json
from pathlib import Path

import click

from bots.load import load_bot
from bridge.cli.common import config_option, load
from bridge.config import Config


@click.command("check-config")
@config_option
def check_config(config: Path) -> None:
    """Say `ok`, or everything that is wrong, each with its line and column."""
    settings = load(config)
    for key, bot in settings.bots.items():
        try:
            load_bot(bot.use, bot.name, bot.brain, bot.delay)
        except (ValueError, TypeError) as error:
            raise click.UsageError(f"{config}: bots.{key}: {error}") from error
    click.echo("ok")


@click.command("config-schema")
@config_option
def config_schema(config: Path) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(Config.model_json_schema(by_alias=True), indent=2))
