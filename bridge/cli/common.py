"""Reading the config, for all commands."""

import os
from pathlib import Path

import click

from bridge import config as settings
from bridge.config import Config, ConfigError


def load(path: Path) -> Config:
    """The settings with all secrets; warnings go to standard error."""
    config = settings.load(path, os.environ)
    for warning in config.warnings:
        _warn(warning)
    return config


def load_settings(path: Path) -> Config:
    """The settings without secrets, for commands that do not log in: those that the daemon uses.

    If the config has a problem, they are those that the daemon has started with or reloaded last, with a warning;
    so are the user database and the store if a daemon runs on others than the config names now.
    """
    last = settings.recall(path)
    try:
        config = settings.load_settings(path, os.environ)
    except ConfigError as error:
        if last is None:
            raise
        more = len(error.problems) - 1
        _warn(f"{error.problems[0].text(path)}{f' (and {more} more: see `quackbridge check-config`)' if more else ''}")
        _warn(f"used the settings that the daemon had last: {_files(last)}")
        return last
    if last is None or _files(last) == _files(config) or not _runs(last):
        return config
    _warn(f"the daemon runs with other files than {path} names now, and goes on with them until it is restarted")
    _warn(f"used those of the daemon: {_files(last)}")
    users = config.users.model_copy(update={"database": last.users.database})
    store = config.store.model_copy(update={"path": last.store.path})
    return config.model_copy(update={"users": users, "store": store})


def _files(config: Config) -> str:
    return f"users {config.users.database}, store {config.store.path}"


def _runs(config: Config) -> bool:
    from bridge.store.backup import is_in_use  # few commands need it

    return is_in_use(config.store.path)


def _warn(text: str) -> None:
    click.echo(f"quackbridge: warning: {text}", err=True)
