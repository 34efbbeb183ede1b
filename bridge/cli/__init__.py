"""The command line: one file per command group, imported when its command is called."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

import click

from bridge import __version__

_COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "run:run",
        "check-config": "check:check_config",
        "config-schema": "check:config_schema",
        "init-db": "users:init_db",
        "drop-db": "users:drop_db",
        "add-user": "users:add_user",
        "remove-user": "users:remove_user",
        "list-users": "users:list_users",
        "show-user": "users:show_user",
        "set-role": "users:set_role",
        "set-password": "users:set_password",
        "link-identity": "users:link_identity",
        "unlink-identity": "users:unlink_identity",
        "outbox": "outbox:outbox",
        "demo": "demo:demo",
        "chat": "chat:chat",
    }
)
"""Each command, and where it is: the help and the completion of one need not import what the others need."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are looked at."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"bridge.cli.{module}"), name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quackbridge")
def cli() -> None:
    """Carry conversations between Matrix and IRC, for the people on your list."""
