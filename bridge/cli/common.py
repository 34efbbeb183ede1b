"""Reading the config, for all commands."""

import os
from pathlib import Path

import click

from bridge import config as settings
from bridge.config import Config


def load(path: Path) -> Config:
    """The settings with all secrets; warnings go to standard error."""
    config = settings.load(path, os.environ)
    for warning in config.warnings:
        click.echo(f"quackbridge: warning: {warning}", err=True)
    return config


def load_settings(path: Path) -> Config:
    """The settings without secrets, which may be missing or unreadable: for commands that do not log in."""
    return settings.load_settings(path, os.environ)
