"""`quackbridge run`: the daemon."""

import asyncio
from pathlib import Path

import click

from bridge.cli.common import config_option, load


@click.command()
@config_option
def run(config: Path) -> None:
    """Log in to the networks and carry the conversations, until told to stop (SIGTERM or Ctrl-C)."""
    settings = load(config)
    from bridge import app, log  # only the daemon needs what these import

    log.configure()
    asyncio.run(app.run(settings))
