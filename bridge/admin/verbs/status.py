"""The status: whether the daemon runs, and what is queued or dead on each network."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import click

from bridge.admin.misfits import orphans
from bridge.admin.verbs.office import Answer, Office
from bridge.lib.durations import spelled
from bridge.model.event import BOTS
from bridge.model.outbox import Entry, State
from bridge.store import Unusable


@click.command("status")
@click.pass_obj
def status(office: Office) -> Answer:
    """Show whether the daemon runs, and what is queued or dead on each network."""
    from bridge.store.backup import is_in_use  # few verbs need it

    running = is_in_use(office.config.store.path)
    try:
        entries: Sequence[Entry] = office.outbox()
    except Unusable:
        entries = ()  # no daemon has run yet
    with suppress(Unusable):
        for orphan in orphans(office.config.networks, office.stored(lambda store: store.networks()), (), ()):
            if orphan.waiting:
                office.warn(orphan.words)
    networks = {name: _of(name, entries, office.clock()) for name in (*office.config.networks, BOTS)}
    data = {
        "running": running,
        "users": len(office.users.list()),
        "links": len(office.config.links),
        "networks": networks,
    }
    words = f"the daemon {'runs' if running else 'does not run'}; users: {data['users']}, links: {data['links']}"
    waiting = [f"{name}: {found['words']}" for name, found in networks.items() if found["queued"] or found["dead"]]
    return Answer(data, "\n".join([words, *(waiting or ["the outbox is empty"])]))


def _of(network: str, entries: Sequence[Entry], now: float) -> dict[str, object]:
    mine = [entry for entry in entries if entry.room.network == network]
    count = Counter(entry.state for entry in mine)
    oldest = min((entry.since for entry in mine if entry.state is State.QUEUED), default=None)
    why = next((entry.reason for entry in mine if entry.state is State.QUEUED and entry.reason), "")
    words = f"{count[State.QUEUED]} queued, {count[State.DEAD]} dead"
    if oldest is not None:
        words += f", the oldest for {spelled(now - oldest)}" + (f" ({why})" if why else "")
    return {"queued": count[State.QUEUED], "dead": count[State.DEAD], "oldest": oldest, "reason": why, "words": words}
