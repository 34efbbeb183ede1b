"""The manual page quackbridge(1), made from the commands. Pure."""

import inspect
from collections.abc import Iterator, Sequence

import click

from bridge import __version__
from bridge.cli import cli

_HEAD = r""".\" Made from the program; change the commands instead
.TH QUACKBRIDGE 1 "" "quackbridge {version}" "User Commands"
.SH NAME
quackbridge \- carries conversations between Matrix and IRC, for the people on your list
.SH SYNOPSIS
.B quackbridge
.I COMMAND
.RI [ OPTIONS ]
.SH DESCRIPTION
quackbridge is a daemon with ordinary accounts on Matrix and IRC. It carries what members say from one network to the
other, and everybody else can talk to a bot, the Little Yellow Duck.
.B quackbridge setup
makes a configuration by asking;
.B quackbridge run
starts the daemon. The other commands work while it runs, and when it does not.
.SH COMMANDS
"""
_FOOT = r""".SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed; another try may help. For
.BR status :
something is not well.
.TP
.B 2
The usage, the configuration or a file is wrong: another try does not help.
.TP
.B 3
No daemon runs
.RB ( status ).
.TP
.B 130
It was interrupted.
.SH FILES
.TP
.I config.yaml
The configuration, in the current folder; for the Debian package
.IR /etc/quackbridge/config.yaml .
Another one is named by
.BR \-c .
.TP
.I data/users.json
The people on the list
.RI ( users.database ).
.TP
.I data/quackbridge.sqlite
What waits to be sent, and what was sent where
.RI ( store.path ).
.SH ENVIRONMENT
.TP
.B QUACKBRIDGE_CONFIG
The configuration, unless
.B \-c
names one.
.TP
.B QUACKBRIDGE_DEBUG
If it is set, a failure prints where in the program it happened.
.TP
.B NO_COLOR
If it is set, nothing is printed in colours.
.TP
.B NOTIFY_SOCKET, WATCHDOG_USEC, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY, JOURNAL_STREAM
Are used as systemd gives them; see
.BR systemd.exec (5).
.SH SEE ALSO
.BR irssi (1),
.BR systemd.service (5)
.PP
All documentation is in the folder docs of the source.
"""


def page() -> str:
    """The page in the language of man(7)."""
    return _HEAD.format(version=__version__) + "".join(_entries(cli, ())) + _FOOT


def _entries(group: click.Group, words: tuple[str, ...]) -> Iterator[str]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _entries(command, (*words, name))
        else:
            yield _entry((*words, name), command)


def _entry(words: Sequence[str], command: click.Command) -> str:
    ctx = click.Context(command)
    usage = " ".join(command.collect_usage_pieces(ctx))
    about = inspect.cleandoc(command.help or "").partition("\f")[0].replace("\b\n", "")
    lines = [".SS " + _safe(f"{' '.join(words)} {usage}".strip())]
    lines += [_safe(line) if line.strip() else ".PP" for line in about.splitlines()]
    for param in command.params:
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            lines += [".TP", f".B {_safe(record[0])}", _safe(record[1])]
    return "\n".join(lines) + "\n"


def _safe(text: str) -> str:
    """Plain words: no character of them is a command (groff(7))."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{text}" if text.startswith(".") else text
