"""`quackbridge add-network` and `add-link`: later additions to a config, asked and tried like the setup's."""

import sys
from pathlib import Path

import click

from bridge.cli.options import config_option

_FILE = click.Path(path_type=Path, dir_okay=False)
_YES = click.option("-y", "--yes", is_flag=True, help="Yes: write it, and the channel's operators agree, too.")


@click.command("add-network")
@config_option
@click.argument("kind", type=click.Choice(["matrix", "irc"]), required=False)
@click.option("--name", metavar="NAME", help="Its name in the config.  [default: made of the server's]")
@click.option("--homeserver", metavar="URL", help="The homeserver, if the user id does not lead to it.")
@click.option("--matrix-user", metavar="ID", help="The bridge's own Matrix id: @duck:example.org.")
@click.option("--matrix-password-file", type=_FILE, help="A file with its password; only you can read it.")
@click.option("--irc", metavar="HOST:PORT", help="The IRC server, or a network: libera, oftc, hackint.")
@click.option("--nick", help="The bridge's nick on IRC.")
@click.option("--irc-account", metavar="ACCOUNT", help="The bridge's account at the IRC network's services.")
@click.option("--irc-password-file", type=_FILE, help="A file with its password; only you can read it.")
@_YES
def add_network(config: Path, kind: str | None, *, yes: bool, **given: str | Path | None) -> None:
    """Add an account on another network to the config. Each answer is tried at once; comments stay."""
    from bridge.setup import additions  # slow: only this command needs it
    from bridge.setup.console import Console
    from bridge.setup.options import Options
    from bridge.setup.wizard import keep_quiet

    keep_quiet()
    additions.add_network(Console(interactive=_at_terminal(), yes=yes), config, kind, Options(**given, yes=yes))  # type: ignore[arg-type]  # click's types


@click.command("add-link")
@config_option
@click.option("--room", "rooms", multiple=True, metavar="NETWORK/ROOM", help="A room of it; give one for each network.")
@click.option("--name", metavar="LINK", help="Its name in the config.  [default: that of the channel]")
@click.option("--guests", type=click.Choice(["duck-only", "relay", "ignore"]), help="What of people who are no users.")
@_YES
def add_link(config: Path, rooms: tuple[str, ...], *, name: str | None, guests: str | None, yes: bool) -> None:
    """Add a conversation to the config: rooms of its networks. Each room is tried at once; comments stay."""
    from bridge.setup import additions  # slow: only this command needs it
    from bridge.setup.console import Console
    from bridge.setup.options import Options
    from bridge.setup.wizard import keep_quiet

    keep_quiet()
    options = Options(name=name, guests=guests, yes=yes)
    additions.add_link(Console(interactive=_at_terminal(), yes=yes), config, rooms, options)


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
