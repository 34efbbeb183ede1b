"""The --config option, which the commands share. Quick to import, unlike the config itself."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., object])


def config_option(command: Command) -> Command:
    """Add the option -c/--config to `command`, which receives it as `config`."""
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
