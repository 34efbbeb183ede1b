"""`quackbridge check-config` and `config-schema`: the configuration, checked and described."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from bots.hosting.unseen import UNSEEN
from bots.load import load_bot
from bridge.admin.misfits import orphans, unknown_users
from bridge.cli.common import load
from bridge.cli.options import config_option
from bridge.config import Config, ConfigError, Problem
from bridge.config.schema import schema
from bridge.store import StoreError
from bridge.store.rename import networks_of
from bridge.users import Users, UsersError
from bridge.users.tinydb import TinyUsers


@click.command("check-config")
@config_option
@click.option("--live", is_flag=True, help="Then try the networks, too: the same as `quackbridge doctor`.")
def check_config(config: Path, *, live: bool) -> None:
    """Check the config: print `ok`, or every problem with its line and column."""
    settings = load(config)
    if problems := tuple(_missing_bots(settings, config.parent)):
        raise ConfigError(config, problems)
    for warning in _warnings(settings):  # the configuration itself is fine
        click.echo(f"quackbridge: warning: {warning}", err=True)
    if live:
        from bridge.cli.doctor import look, show  # slow to import

        show(look(settings), as_document=False)
        return
    click.echo("ok")


def _warnings(settings: Config) -> Iterator[str]:
    """What does not fit the user database and the store, as these are now."""
    users: Users | None = None
    try:
        users = TinyUsers(settings.users.database)
    except UsersError as error:
        yield str(error)
    try:
        there = networks_of(settings.store.path) if settings.store.path.exists() else {}
    except (OSError, StoreError) as error:
        there = {}
        yield f"the store cannot be looked at: {error}"
    found = orphans(settings.networks, there, users.list() if users else (), users.sanctions() if users else ())
    yield from (orphan.words for orphan in found)
    if users is not None:
        yield from unknown_users(settings, users.list())


def _missing_bots(settings: Config, folder: Path) -> Iterator[Problem]:
    for key, bot in settings.bots.items():
        try:
            load_bot(bot.use, bot.name, bot.brain, bot.delay, settings=bot.settings, home=UNSEEN, folder=folder)
        except (ValueError, TypeError) as error:
            yield Problem(0, 0, f"bots.{key}", str(error))


@click.command("config-schema")
@config_option
def config_schema(config: Path) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    click.echo(json.dumps(schema(), indent=2))
