"""Verbs for the outbox: list, retry and drop deliveries."""

from collections.abc import Sequence

import click

from bridge.admin.verbs.office import Answer, Office, done
from bridge.admin.verbs.params import DEAD, DELIVERY
from bridge.lib.durations import spelled
from bridge.model.outbox import Entry
from bridge.model.text import plain

_SHORTEST = 4  # characters to which an id may be shortened, if they fit only one
_WORDS = 40  # characters of a message in the table


@click.command("list")
@click.pass_obj
def list_(office: Office) -> Answer:
    """List queued and dead deliveries, with the reason."""
    entries = office.outbox()
    data = [_plain(entry) for entry in entries]
    columns = ("id", "state", "room", "sender", "age", "tries", "reason", "text") if entries else ()
    rows = [_row(entry, office.clock()) for entry in entries]
    return Answer(data, "the outbox is empty: everything has been sent", columns, rows)


@click.command("retry")
@click.argument("delivery", type=DEAD, metavar="ID")
@click.pass_obj
def retry(office: Office, delivery: str) -> Answer:
    """Queue a dead delivery again, at its old place. ID may be shortened."""
    found = _find(office.outbox(), delivery)
    office.audit.record(office.by, "outbox retry", f"{found.delivery} for {found.room}")
    if not office.stored(lambda store: store.retry(found.delivery)):
        raise click.ClickException(f"{found.delivery} is not dead: it is queued already")
    return done(f"queued again: {found.delivery} for {found.room}", id=found.delivery)


@click.command("drop")
@click.argument("delivery", type=DELIVERY, metavar="ID")
@click.pass_obj
def drop(office: Office, delivery: str) -> Answer:
    """Give up a delivery for good. ID may be shortened."""
    found = _find(office.outbox(), delivery)
    office.audit.record(office.by, "outbox drop", f"{found.delivery} for {found.room}")
    if not office.stored(lambda store: store.drop(found.delivery)):
        raise click.ClickException(f"{found.delivery} has been sent meanwhile")
    return done(f"dropped: {found.delivery} for {found.room}", id=found.delivery)


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


def _row(entry: Entry, now: float) -> Sequence[str]:
    return (
        entry.delivery[:8],
        str(entry.state),
        str(entry.room),
        entry.event.sender.address,
        spelled(now - entry.since),
        str(entry.attempts),
        entry.reason,
        plain(entry.event.text)[:_WORDS],
    )
