"""The command line: the daemon's own commands, one file each, and the verbs of administration."""

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

import click
from click.shell_completion import CompletionItem

from bridge import __version__
from bridge.admin.verbs import ALIASES, VERBS

_COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "run": ("run:run", "Log in to the networks and carry the conversations."),
        "reload": ("reload:reload", "Let the daemon read its config again."),
        "watch": ("watch:watch", "Show what is carried, as it happens."),
        "healthcheck": ("healthcheck:healthcheck", "Ask the daemon whether it works, for supervisors."),
        "setup": ("setup:setup", "Make a config: a few questions, each answer tried at once."),
        "add-link": ("additions:add_link", "Add a conversation to the config."),
        "add-network": ("additions:add_network", "Add an account on another network to the config."),
        "check-config": ("check:check_config", "Check the config: print ok, or every problem."),
        "doctor": ("doctor:doctor", "Look at everything that the bridge needs, and say what to do."),
        "migrate-config": ("migrate:migrate_config", "Give the keys of an older config their present names."),
        "move-store": ("move_store:move_store", "Move the store to a database that workers share, or back."),
        "config-schema": ("check:config_schema", "Print the JSON Schema of the config, for editors."),
        "irc-cert": ("irc_cert:irc_cert", "Make a certificate, by which an IRC network knows the bridge."),
        "registration": ("registration:registration", "Print what lets a homeserver give people on IRC accounts."),
        "systemd-unit": ("systemd_unit:systemd_unit", "Print the unit by which systemd starts the bridge."),
        "completion": ("completion:completion", "Print the script for completion in your shell."),
        "demo": ("demo:demo", "Try it out: run servers and bridge on this machine."),
        "bots": ("bots:bots", "Show which bots and brains there are."),
        "chat": ("chat:chat", "Talk to the duck in the terminal."),
        "duck": ("duck:duck", "Train the duck, and test what it knows."),
    }
)
"""Each command that is not a verb: module:attribute, imported when it is called, and its line in the overview."""
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "outbox": "List, retry and drop queued and dead deliveries.",
        "media": "Revoke links to files and long texts.",
    }
)
"""The first words of two-word verbs."""
_IN_CHAT = ("login", "logout", "whoami", "passwd", "irc-login", "prove", "request")
"""The desk's commands that are no verbs (`bridge.admin.desk`)."""
_HIDDEN = "users"
"""The chat's name for `list-users`. On the command line both work, and the overview shows `list-users`."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called. `words` is what all their names begin with, or ''."""

    def __init__(self, name: str, words: str = "", about: str = "") -> None:
        super().__init__(name, help=about or None)
        self._words = words

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._overview()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if not self._words and cmd_name in _GROUPS:
            return _Lazy(cmd_name, f"{cmd_name} ", _GROUPS[cmd_name])
        if not self._words and cmd_name in _COMMANDS:
            module, _, name = _COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(f"bridge.cli.{module}"), name)
            return command
        verb = VERBS.get(ALIASES.get(self._words + cmd_name, self._words + cmd_name))
        if verb is None:
            return None
        from bridge.cli.verbs import in_shell  # slow: imports the config, which --help does not need

        return in_shell(verb, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name.startswith("-") or ctx.resilient_parsing or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        near = get_close_matches(name, self._overview(), 1)
        if not self._words and name in _IN_CHAT:
            hint = "; say that to the duck, in a private chat"
        else:
            hint = f"; did you mean {self._words}{near[0]}?" if near else ""
        raise click.UsageError(f"there is no command {self._words + name!r}{hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([*self._overview().items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [CompletionItem(name, help=about) for name, about in self._overview().items()]
        return [name for name in names if name.value.startswith(incomplete)] + click.Command.shell_complete(
            self, ctx, incomplete
        )

    def _overview(self) -> dict[str, str]:
        if self._words:
            return {
                name.removeprefix(self._words): verb.about
                for name, verb in VERBS.items()
                if name.startswith(self._words)
            }
        verbs = {name.partition(" ")[0]: verb.about for name, verb in VERBS.items()} | dict(_GROUPS)
        shown = {"list-users" if name == _HIDDEN else name: about for name, about in verbs.items()}
        return {"run": _COMMANDS["run"][1], **shown, **{name: about for name, (_, about) in _COMMANDS.items()}}


cli = click.version_option(__version__, prog_name="quackbridge")(
    _Lazy("quackbridge", about="Carry conversations between Matrix and IRC, for the people on your list.")
)
cli.context_settings = {"help_option_names": ["-h", "--help"]}
"""The whole command line."""
