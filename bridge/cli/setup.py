"""`quackbridge setup`: makes a config, by questions that are tried at once."""

import signal
import sys
from pathlib import Path

import click

from bridge.cli.options import config_option

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@config_option
@click.option("--homeserver", metavar="URL", help="The homeserver, if the user id does not lead to it.")
@click.option("--matrix-user", metavar="ID", help="The bridge's own Matrix id: @duck:example.org.")
@click.option("--matrix-password-file", type=_FILE, help="A file with its password; only you can read it.")
@click.option("--room", metavar="ALIAS|ID", help="The Matrix room.")
@click.option("--irc", metavar="HOST:PORT", help="The IRC server, or a network: libera, oftc, hackint.")
@click.option("--nick", help="The bridge's nick on IRC.")
@click.option("--channel", help="The IRC channel.")
@click.option("--irc-account", metavar="ACCOUNT", help="The bridge's account at the IRC network's services.")
@click.option("--irc-password-file", type=_FILE, help="A file with its password; only you can read it.")
@click.option("--name", metavar="LINK", help="The link's name in the config.  [default: that of the channel]")
@click.option("--guests", type=click.Choice(["duck-only", "relay", "ignore"]), help="What of people who are no users.")
@click.option("--admin-matrix", metavar="ID", help="Your own Matrix id; you become the first admin.")
@click.option("--admin-irc", metavar="ACCOUNT", help="Your own account at the IRC network's services.")
@click.option("--no-first-message", is_flag=True, help="Do not run the bridge for a first message.")
@click.option("-y", "--yes", is_flag=True, help="Yes: the channel's operators agree, too.")
def setup(config: Path, *, no_first_message: bool, yes: bool, **given: str | Path | None) -> None:
    """Make a config: each answer is tried at once, and nothing is written before all of it works.

    Each question is also an option. Without a terminal nothing is asked, and all missing options are listed.
    """
    from bridge.setup.console import Console  # slow: only the setup needs them
    from bridge.setup.options import Options
    from bridge.setup.wizard import set_up

    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if interactive:  # a closed window ends it in order, as Ctrl-C does, even if who started us has ignored that
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
    console = Console(interactive=interactive, yes=yes)
    set_up(console, config, Options(**given, yes=yes), carry=not no_first_message)  # type: ignore[arg-type]  # click's types
