"""`quackbridge check-config` and `config-schema`: the configuration, checked and described."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import yaml

from bots.hosting.unseen import UNSEEN
from bots.load import load_bot
from bridge.admin.databases import users_of
from bridge.admin.misfits import orphans, unknown_users
from bridge.cli.options import config_option
from bridge.config import Config, ConfigError, Problem, check, effective
from bridge.config.schema import schema
from bridge.lib import exits
from bridge.store import StoreError
from bridge.store.peek import networks_of
from bridge.users import Users, UsersError


@click.command("check-config")
@config_option
@click.option("--show", is_flag=True, help="Print all settings that hold, with the defaults, without the secrets.")
@click.option("--strict", is_flag=True, help="Take a warning for a problem: exit code 2.")
@click.option("--live", is_flag=True, help="Then try the networks, too: the same as `quackbridge doctor`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
@click.pass_context
def check_config(ctx: click.Context, config: Path, show: bool, strict: bool, live: bool, as_json: bool) -> None:
    """Check the config: print `ok`, or every problem with its line and column."""
    try:
        settings = _checked(config)
    except ConfigError as error:
        if not as_json:
            raise
        _print_json(error.problems, (), None)
        ctx.exit(exits.WRONG)
    warnings = (*settings.warnings, *_misfits(settings))
    shown = effective(settings) if show else None
    if as_json and not live:
        _print_json((), warnings, shown)
    elif not as_json:
        for warning in warnings:
            click.echo(f"quackbridge: warning: {warning}", err=True)
        if show:
            click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120), nl=False)
        elif not live:
            click.echo("ok")
    if strict and warnings:
        ctx.exit(exits.WRONG)
    if live:
        from bridge.cli.doctor import look, show_all  # slow to import

        show_all(look(settings), as_document=as_json)


def _checked(config: Path) -> Config:
    settings = check(config)
    if problems := tuple(_missing_bots(settings, config.parent)):
        raise ConfigError(config, problems)
    return settings


def _print_json(problems: Sequence[Problem], warnings: Sequence[str], shown: object) -> None:
    told = [{"line": each.line, "column": each.column, "key": each.where, "message": each.message} for each in problems]
    answer: dict[str, object] = {"ok": not problems, "problems": told, "warnings": [*warnings]}
    if shown is not None:
        answer["settings"] = shown
    click.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def _misfits(settings: Config) -> Iterator[str]:
    """What does not fit the user database and the store, as these are now: the configuration itself is fine."""
    users: Users | None = None
    try:
        users = users_of(settings)
    except UsersError as error:
        yield str(error)
    try:
        there = networks_of(settings.store.place) if settings.store.is_there else {}
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
