"""What the real store finds in its files, as values by name (promises.py), and whether it can go on with them."""

import sqlite3
from contextlib import aclosing, closing
from pathlib import Path

from bridge.matrix.crypto.rows import PREFIX
from bridge.model.event import EventKey, Room
from bridge.model.outbox import Delivery, State
from bridge.store import Commit, Lease
from bridge.store.sqlite import SqliteStore
from tests.durability.crypto import named
from tests.durability.promises import Values
from tests.durability.workload import IDLE, STORE, TARGETS
from tests.events import HOME, matrix, said

LATER = 1e12  # seconds since the epoch: everything is due


class BrokenStoreError(Exception):
    """The content of the store is inconsistent."""


async def survey(folder: Path) -> Values:
    """Open the store as the daemon does, look at all that is in it, and hear and queue one message more."""
    path = folder / STORE
    found: dict[str, object] = {}
    async with aclosing(SqliteStore.open(path, lambda: 5_000.0)) as store:
        keys = _read(path, found)
        home = await _lease(store, HOME.network)
        cursor = await home.cursor()
        found[f"cursor of {HOME.network}"] = cursor
        memory = await home.recall()
        found |= {f"memory of {HOME.network}": memory.get("since"), f"what {HOME.network} told": memory.get("told")}
        found |= named({key: text for key, text in memory.items() if key.startswith(PREFIX)})
        found |= await store.writer.read(
            lambda core: {
                f"remote ids of {delivery}": list(remote_ids)
                for delivery, (event, room) in keys.items()
                if (remote_ids := core.remote_ids(event, room))
            }
        )
        for count, number in (await store.ledger(0.0)).counts:
            found[f"count of {count.reason}"] = number
        due: set[str] = set()
        for room in (*TARGETS, IDLE):
            lease = await _lease(store, room.network)
            due |= await _due(lease, found)
            found |= {f"losses of {loss.room}": loss.number for loss in await lease.losses()}
        _agree(found, due, {entry.delivery: entry.state for entry in await store.outbox()})
        await _go_on(home, cursor)
    return found


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, "survey")
    assert lease is not None
    return lease


def _read(path: Path, found: dict[str, object]) -> dict[str, tuple[EventKey, Room]]:
    """The states of the deliveries, and what each carries where. BrokenStoreError where SQLite finds fault."""
    with closing(sqlite3.connect(path)) as sql:
        verdict = [row[0] for row in sql.execute("PRAGMA integrity_check")]
        if verdict != ["ok"] or sql.execute("PRAGMA foreign_key_check").fetchall():
            raise BrokenStoreError(f"integrity_check: {verdict}")
        rows = sql.execute(
            "SELECT d.id, state, events.network, events.room, events.id, d.network, d.room"
            " FROM deliveries AS d JOIN events ON events.seq = d.event"
        ).fetchall()
        excerpts = sql.execute(
            "SELECT id, excerpt FROM events WHERE id LIKE '$slip%' AND type != 'redaction'"
        ).fetchall()
    found |= {f"delivery {row[0]}": row[1] for row in rows}
    found |= {f"excerpt of {event}": excerpt for event, excerpt in excerpts}
    return {row[0]: (EventKey(Room(row[2], row[3]), row[4]), Room(row[5], row[6])) for row in rows}


async def _due(lease: Lease, found: dict[str, object]) -> set[str]:
    """The deliveries that come due, with the frozen posts and the attempts of their rooms."""
    due = set()
    for backlog in await lease.due(LATER, each=10_000):
        found |= {f"frozen post {post.id}": post.payload for post in backlog.posts}
        if backlog.attempts:
            found[f"attempts of {backlog.room}"] = backlog.attempts
        due |= {owed.delivery for owed in backlog.owed} | {each for post in backlog.posts for each in post.deliveries}
    return due


def _agree(found: Values, due: set[str], outbox: dict[str, State]) -> None:
    """Only queued deliveries become due, and queued and dead ones can be listed with their text."""
    states = {name.removeprefix("delivery "): state for name, state in found.items() if name.startswith("delivery ")}
    if wrong := [each for each in due if states.get(each) != State.QUEUED]:
        raise BrokenStoreError(f"due, and not queued: {wrong}")
    owed = {each: state for each, state in states.items() if state in (State.QUEUED, State.DEAD)}
    if owed != outbox:
        raise BrokenStoreError(f"owed is {owed}, and listed {outbox}")


async def _go_on(home: Lease, cursor: str | None) -> None:
    event = said(HOME, matrix("alice"), "and then?")
    deliveries = [Delivery.of(event.key, room) for room in TARGETS]
    committed = await home.commit(Commit(cursor, "next", [event], deliveries))
    if committed.new != len(TARGETS) or await home.cursor() != "next":
        raise BrokenStoreError("it does not go on")
