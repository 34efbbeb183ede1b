"""The command line: one file per command group, imported when its command is called."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

import click
from click.shell_completion import CompletionItem

from bridge import __version__

_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("run:run", "Log in to the networks and carry the conversations."),
        "check-config": ("check:check_config", "Say ok, or everything that is wrong with the config."),
        "config-schema": ("check:config_schema", "Print the JSON Schema of the config, for editors."),
        "init-db": ("users:init_db", "Make an empty user database."),
        "drop-db": ("users:drop_db", "Remove the user database; a dated backup is kept."),
        "add-user": ("users:add_user", "Add a user, known by the identities given."),
        "remove-user": ("users:remove_user", "Remove a user, who is a guest from then on."),
        "list-users": ("users:list_users", "List all users with their roles and identities."),
        "show-user": ("users:show_user", "Show a user."),
        "set-role": ("users:set_role", "Make a user a member or an admin."),
        "set-password": ("users:set_password", "Give a user a password."),
        "link-identity": ("users:link_identity", "Let a user be known by more identities."),
        "unlink-identity": ("users:unlink_identity", "Let a user not be known by some identities any more."),
        "outbox": ("outbox:outbox", "Show, retry and drop the deliveries that are not done."),
        "demo": ("demo:demo", "Run everything on this machine, to try it out."),
        "chat": ("chat:chat", "Talk to the duck in the terminal."),
    }
)
"""Each command: where it is, and what the overview says of it, for which it need not be imported."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"bridge.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=about) for name, (_, about) in _COMMANDS.items()]
        return [name for name in names if name.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quackbridge")
def cli() -> None:
    """Carry conversations between Matrix and IRC, for the people on your list."""
