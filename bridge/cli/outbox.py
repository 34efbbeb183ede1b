"""`quackbridge outbox`: what waits to be sent, and what can never be."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.cli.common import config_option, load_settings
from bridge.model import Entry
from bridge.store import Store
from bridge.store.sqlite import SqliteStore
from bridge.text import plain, printable

Result = TypeVar("Result")
_SHORTEST = 4  # characters by which a delivery may be named, where they name only one
_WORDS = 40  # characters of a message in the table


@click.group()
def outbox() -> None:
    """Show, retry and drop the deliveries that are not done."""


@outbox.command("list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array, for scripts.")
def list_(config: Path, as_json: bool) -> None:
    """List what is queued and what is dead, with the reason."""
    entries = _with_store(config, lambda store: store.outbox())
    if as_json:
        click.echo(json.dumps([_plain(entry) for entry in entries], ensure_ascii=False, indent=2))
    elif entries:
        Console().print(_table(entries))
    else:
        click.echo("the outbox is empty: everything has been sent")


@outbox.command()
@config_option
@click.argument("delivery", metavar="ID")
def retry(config: Path, delivery: str) -> None:
    """Queue a dead delivery again, at its old place. ID may be shortened."""
    found = _find(_with_store(config, lambda store: store.outbox()), delivery)
    if not _with_store(config, lambda store: store.retry(found.delivery)):
        raise click.ClickException(f"{found.delivery} is not dead: it is queued already")
    click.echo(f"queued again: {found.delivery} for {found.room}")


@outbox.command()
@config_option
@click.argument("delivery", metavar="ID")
def drop(config: Path, delivery: str) -> None:
    """Give up a delivery for good. ID may be shortened."""
    found = _find(_with_store(config, lambda store: store.outbox()), delivery)
    if not _with_store(config, lambda store: store.drop(found.delivery)):
        raise click.ClickException(f"{found.delivery} has been sent meanwhile")
    click.echo(f"dropped: {found.delivery} for {found.room}")


def _with_store(config: Path, verb: Callable[[Store], Awaitable[Result]]) -> Result:
    path = load_settings(config).store.path

    async def run() -> Result:
        async with aclosing(SqliteStore.attach(path, time.time)) as store:
            return await verb(store)

    return asyncio.run(run())


def _find(entries: Sequence[Entry], start: str) -> Entry:
    found = [entry for entry in entries if entry.delivery.startswith(start)]
    exact = [entry for entry in found if entry.delivery == start]
    if exact or (len(found) == 1 and len(start) >= _SHORTEST):
        return (exact or found)[0]
    if len(found) > 1:
        raise click.ClickException(f"{len(found)} deliveries begin with {start!r}: give more of the id")
    raise click.ClickException(f"no delivery {start!r} is in the outbox; `quackbridge outbox list` shows what is")


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.delivery,
        "state": str(entry.state),
        "room": str(entry.room),
        "from": str(entry.event.room),
        "sender": entry.event.sender.address,
        "since": entry.since,
        "attempts": entry.attempts,
        "reason": entry.reason,
        "text": plain(entry.event.text),
    }


def _table(entries: Sequence[Entry]) -> Table:
    table = Table("id", "state", "room", "sender", "age", "tries", "reason", "text", box=None)
    for entry in entries:
        cells = (
            entry.delivery[:8],
            str(entry.state),
            str(entry.room),
            entry.event.sender.address,
            _age(time.time() - entry.since),
            str(entry.attempts),
            entry.reason,
            plain(entry.event.text)[:_WORDS],
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
