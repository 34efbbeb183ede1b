"""docs/reference/commands.md: every command with its options, from the command line itself."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence

import click

from bridge.cli import cli

PATH = "docs/reference/commands.md"

_HEAD = """\
# Every command

Made from the program by `make page`; `quackbridge COMMAND --help` says the same. What they are for:
[users](../users.md), [moderate](../how-to/moderate.md), [back up](../how-to/back-up.md),
[monitor](../how-to/monitor.md).

Every command that reads the configuration takes `-c FILE` (default: `config.yaml`, or what `QUACKBRIDGE_CONFIG` names).
Every command that prints facts takes `--json`. Every command takes `--help`.

## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed; another try may help (locked, disk full, a server away) |
| 2 | wrong usage, configuration or file: another try does not help, and nothing was changed |
| 3 | no daemon runs: `status` and other commands that ask it |
| 130 | interrupted (Ctrl-C) |

Commands that have more to say list their codes below.
"""
_SHARED: Mapping[str, str] = {"config": "-c", "as_json": "--json"}
_EXITS: Mapping[str, Mapping[str, str]] = {
    "run": {
        "0": "stopped, by SIGTERM or SIGINT",
        "1": "failed, start it again",
        "2": "the configuration, the store, or a login is wrong: starting it again does not help",
    },
    "check-config": {"0": "the configuration is right", "2": "it has problems, which are printed"},
}
"""What the exit codes of a command mean, where there is more to say than in general."""


def page() -> str:
    """All commands, in the order of `quackbridge --help`."""
    found = [*_commands(cli, ())]
    overview = ["| command | what it does |", "|---|---|"]
    for words, command in found:
        name = " ".join(words)
        overview.append(
            f"| [`{name}`](#quackbridge-{'-'.join(words)}) | {_cell(command.get_short_help_str(limit=200))} |"
        )
    return "\n".join([_HEAD, "## Overview\n", *overview, "", *(_entry(*each) for each in found)])


def _commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None, name
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, (*words, name))
        else:
            yield (*words, name), command


def _entry(words: Sequence[str], command: click.Command) -> str:
    name = f"quackbridge {' '.join(words)}"
    ctx = click.Context(command, info_name=name)
    about = inspect.cleandoc(command.help or "").partition("\f")[0].replace("\b\n", "")
    lines = [f"## {name}\n", f"    {name} {' '.join(command.collect_usage_pieces(ctx))}".rstrip() + "\n", f"{about}\n"]
    if options := [*_options(command, ctx)]:
        lines += ["| option | |", "|---|---|", *options, ""]
    shared = [f"`{word}`" for key, word in _SHARED.items() if key in {param.name for param in command.params}]
    if shared:
        lines += [f"Also {' and '.join(shared)}.", ""]
    if exits := _EXITS.get(" ".join(words)):
        lines += ["Exit codes: " + "; ".join(f"{code}: {text}" for code, text in exits.items()) + ".", ""]
    return "\n".join(lines)


def _options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """The rows of the table of options, without those that many commands share."""
    for param in command.params:
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None and param.name not in _SHARED:
            yield f"| `{_cell(record[0])}` | {_cell(record[1])} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
