"""`quackbridge reload`: lets the running daemon read its config again."""

import json
from pathlib import Path

import click

from bridge.cli import reaching
from bridge.cli.options import config_option
from bridge.lib import exits
from bridge.model.text import printable


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
def reload(config: Path, as_json: bool) -> int:
    """Let the daemon read its config again, wait for it, and show what came of it.

    Exits with 0 if the config is in use now; with 2 if it has a problem: then the daemon goes on as before; with 3 if
    no daemon runs."""
    from bridge.admin.live import SocketLive  # slow to import

    found = SocketLive(reaching.places(config), config).ask("reload")
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return exits.DONE if found.get("reloaded") else exits.WRONG
    if not found.get("reloaded"):
        for problem in found.get("problems", ()):
            click.echo(printable(str(problem)), err=True)
        click.echo("quackbridge: not reloaded: the daemon goes on with its previous configuration", err=True)
        return exits.WRONG
    for warning in found.get("warnings", ()):
        click.echo(f"quackbridge: warning: {printable(str(warning))}", err=True)
    changes = [f"{what}: {', '.join(map(str, found[what]))}" for what in ("stopped", "started") if found.get(what)]
    click.echo("\n".join(["reloaded", *map(printable, changes)]))
    return exits.DONE
