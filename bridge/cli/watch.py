"""`quackbridge watch`: shows what is carried, as it happens."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from bridge.cli import reaching
from bridge.cli.options import config_option
from bridge.lib import exits
from bridge.model.text import printable


@click.command()
@config_option
@click.option("--words", is_flag=True, help="Also show who said what. Nothing of private conversations.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one document a line, for scripts.")
def watch(config: Path, words: bool, as_json: bool) -> int:
    """Show what is heard, sent and refused, as it happens, until Ctrl-C.

    One line for each message: when, what became of it, its room, its id, and where it goes or why not."""
    from bridge.admin.live import SocketLive  # slow to import

    live = SocketLive(reaching.places(config), config)
    for line in live.lines(f"/watch?words={int(words)}"):
        click.echo(json.dumps(line, ensure_ascii=False) if as_json else printable(_told(line)))
        if sys.stdout is not None:
            sys.stdout.flush()
    click.echo("quackbridge: the daemon has ended", err=True)
    return exits.NOT_RUNNING


def _told(line: Mapping[str, Any]) -> str:
    if missed := line.get("missed"):
        return f"... {missed} lines were too many to be shown"
    where = ", ".join(line.get("to", ()))
    kind = line.get("type", "")
    parts = [
        line["time"],
        line["what"] if kind in ("", "message") else f"{line['what']} {kind}",
        line["room"],
        *([f"-> {where or 'nowhere'}"] if line["what"] == "heard" else []),
        *([f"({line['reason']})"] if line.get("reason") else []),
        *([f"id {line['id']}"] if line.get("id") else []),
        *([f"<{line['who']}> {line['words']}"] if "who" in line else []),
    ]
    return " ".join(parts)
