"""What the commands share: where the config is, and how it is read."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from bridge import config as settings
from bridge.config import Config

Command = TypeVar("Command", bound=Callable[..., object])


def config_option(command: Command) -> Command:
    """Give `command` the option -c/--config, which it gets as `config`."""
    option = click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("config.yaml"),
        show_default=True,
        envvar="QUACKBRIDGE_CONFIG",
        help="The configuration file.",
    )
    return option(command)


def load(path: Path) -> Config:
    """The settings with all secrets; warnings go to standard error."""
    config = settings.load(path, os.environ)
    for warning in config.warnings:
        click.echo(f"quackbridge: warning: {warning}", err=True)
    return config


def load_settings(path: Path) -> Config:
    """The settings without the secrets, which may be missing or unreadable: for whoever does not log in."""
    return settings.load_settings(path, os.environ)
