"""Renames a network in the store: its position, its queue, the message map, its memory, losses and outages."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bridge.lib.files import make_folders
from bridge.model.event import BOTS, EventKey, Room
from bridge.model.outbox import Delivery
from bridge.network import UNCOPIED
from bridge.store.contract import StoreError, Unusable
from bridge.store.moving import Rows, SqlRows, copy
from bridge.store.peek import Place
from bridge.store.schema import connect
from bridge.store.sqlite import lock
from bridge.store.tables.networks import waiting

_BY_ROOM = ("events", "deliveries", "posts", "rooms", "sent", "tallies", "losses", "outages")
"""The tables with the columns `network` and `room`."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a rename has moved: whether there was anything at all, and how many deliveries of it wait."""

    found: bool
    waiting: int = 0


@contextmanager
def renaming(place: Place, folder: Path, old: str, new: str) -> Iterator[Moved]:
    """Rename the network `old` to `new` in the store at `place`; the change is committed at the end of the context, or
    undone if that is left by an error. Raises `Unusable`, with nothing changed, if a daemon runs on the store, or if
    both names have heard the same message. A store that workers share is renamed in a copy of it in `folder`, which
    then replaces it."""
    if isinstance(place, str):
        with _renaming_there(place, folder, old, new) as moved:
            yield moved
        return
    held = lock(place)
    try:
        with closing(connect(place, upgrade=False)) as sql:
            try:
                sql.execute("BEGIN IMMEDIATE")
                yield rename(sql, old, new)
                sql.execute("COMMIT")
            except sqlite3.Error as error:
                raise StoreError(f"{place}: nothing was renamed in the store ({error})") from error
    finally:
        os.close(held)


@contextmanager
def _renaming_there(url: str, folder: Path, old: str, new: str) -> Iterator[Moved]:
    from bridge.store.opening import check_library, is_redis

    check_library(url)
    if not is_redis(url):
        from bridge.store.postgres.moving import changing as in_one_transaction  # only with the extra

        with in_one_transaction(url) as rows:
            with _renamed(rows, folder, old, new) as (copied, moved):
                if moved.found:
                    rows.empty()
                    copy(copied, rows)
            yield moved
        return
    from bridge.store.redis.moving import changing  # only with the extra

    with changing(url, old, new) as change:
        if change.begun:  # the rest of what was cut short
            yield Moved(found=True)
            return
        with _renamed(change.old, folder, old, new) as (copied, moved):
            if moved.found:
                change.filled(partial(copy, copied))
        yield moved


@contextmanager
def _renamed(rows: Rows, folder: Path, old: str, new: str) -> Iterator[tuple[SqlRows, Moved]]:
    """A copy of all rows, in which the network is renamed."""
    make_folders(folder)
    with (
        TemporaryDirectory(dir=folder, prefix=".renaming") as place,
        closing(connect(Path(place, "store.sqlite"), upgrade=True)) as sql,
    ):
        sql.execute("BEGIN")
        copied = SqlRows(sql)
        copy(rows, copied)
        yield copied, rename(sql, old, new)


def rename(sql: sqlite3.Connection, old: str, new: str) -> Moved:
    """Rename `old` to `new` inside the open transaction.

    If `new` is in the store already (a daemon has run with the new name), the two become one: `old` is the older, so
    its position counts, and what is heard again is recognised. The ids of frozen posts stay, since a network may know
    them already; the ids of deliveries are derived from rooms, and change.
    """
    queued = waiting(sql)
    if old not in queued and not _has_memory(sql, old):
        return Moved(found=False)
    sql.create_function("renamed", 2, partial(_room, old=old, new=new), deterministic=True)
    sql.create_function("delivery_id", 5, _delivery_id, deterministic=True)
    _list_moves(sql, old, new)
    _check_apart(sql, old, new)
    sql.execute("CREATE TEMP TABLE before AS SELECT seq, id FROM deliveries WHERE state = 'queued'")
    _move_rooms(sql)
    _move_network(sql, old, new)
    _rewrite(sql, old, new)
    _derive_ids(sql, new)
    for table in ("moves", "before"):
        sql.execute(f"DROP TABLE temp.{table}")
    return Moved(found=True, waiting=queued.get(old, 0))


def _has_memory(sql: sqlite3.Connection, network: str) -> bool:
    return any(
        sql.execute(f"SELECT 1 FROM {table} WHERE network = ? LIMIT 1", (network,)).fetchone()  # noqa: S608
        for table in ("memory", *_BY_ROOM)
    )


def _list_moves(sql: sqlite3.Connection, old: str, new: str) -> None:
    """Make the table `moves`: each room of `old`, and each ear of a bot that is named after one, with its new name."""
    every = " UNION ".join(f"SELECT network, room FROM {table}" for table in _BY_ROOM)  # noqa: S608
    sql.execute(
        "CREATE TEMP TABLE moves (network, room, to_network, to_room, PRIMARY KEY (network, room)) WITHOUT ROWID"
    )
    sql.execute(
        f"INSERT INTO moves SELECT network, room, CASE network WHEN ?1 THEN ?2 ELSE ?3 END, ear FROM"  # noqa: S608
        f" (SELECT network, room, renamed(network, room) AS ear FROM ({every}))"
        " WHERE network = ?1 OR (network = ?3 AND ear != room)",
        (old, new, BOTS),
    )


def _check_apart(sql: sqlite3.Connection, old: str, new: str) -> None:
    same = sql.execute(
        "SELECT 1 FROM moves AS m JOIN events AS e ON (e.network, e.room) = (m.network, m.room)"
        " JOIN events AS x ON (x.network, x.room, x.id) = (to_network, to_room, e.id) LIMIT 1"
    ).fetchone()
    if same:
        raise Unusable(
            f"the same message was heard under both names, {old!r} and {new!r}: they cannot become one;"
            " nothing was renamed"
        )


def _move_rooms(sql: sqlite3.Connection) -> None:
    (beyond,) = sql.execute("SELECT coalesce(max(part), 0) + 1 FROM posts").fetchone()
    sql.execute(  # what is frozen under the new name already goes after what was frozen under the old one
        "UPDATE posts SET part = part + ? FROM moves WHERE (posts.network, posts.room) = (to_network, to_room)",
        (beyond,),
    )
    for table in ("events", "deliveries", "posts", "sent", "rooms", "outages"):
        or_replace = "OR REPLACE" if table == "rooms" else ""  # how long a room waits is of no use to anybody now
        sql.execute(
            f"UPDATE {or_replace} {table} SET network = to_network, room = to_room FROM moves"  # noqa: S608
            f" WHERE ({table}.network, {table}.room) = (moves.network, moves.room)"
        )
    sql.execute(
        "INSERT INTO tallies SELECT minute, to_network, to_room, what, reason, number FROM tallies JOIN moves"
        " USING (network, room) WHERE true ON CONFLICT DO UPDATE SET number = number + excluded.number"
    )
    sql.execute(
        "INSERT INTO losses SELECT to_network, to_room, reason, number, since, until FROM losses JOIN moves"
        " USING (network, room) WHERE true ON CONFLICT DO UPDATE SET number = number + excluded.number,"
        " since = min(since, excluded.since), until = max(until, excluded.until)"
    )
    for table in ("tallies", "losses"):
        sql.execute(f"DELETE FROM {table} WHERE (network, room) IN (SELECT network, room FROM moves)")  # noqa: S608


def _move_network(sql: sqlite3.Connection, old: str, new: str) -> None:
    sql.execute(  # the keys of two devices do not mix; which device it is moves too
        "DELETE FROM memory WHERE network = ?1 AND substr(key, 1, ?3) = ?4"
        " AND EXISTS (SELECT 1 FROM memory WHERE network = ?2 AND substr(key, 1, ?3) = ?4)",
        (new, old, len(UNCOPIED), UNCOPIED),
    )
    sql.execute("UPDATE OR REPLACE memory SET network = ? WHERE network = ?", (new, old))
    sql.execute(
        "INSERT INTO networks (name, cursor) SELECT ?, cursor FROM networks WHERE name = ?"
        " ON CONFLICT (name) DO UPDATE SET token = NULL, cursor = coalesce(excluded.cursor, cursor)",
        (new, old),
    )
    sql.execute("DELETE FROM networks WHERE name = ?", (old,))


def _rewrite(sql: sqlite3.Connection, old: str, new: str) -> None:
    """Rename the network inside stored JSON; of frozen posts only inside those for bots, which are our own events."""
    sql.create_function("rewritten", 1, partial(_rewritten, old=old, new=new), deterministic=True)
    written = json.dumps(old, ensure_ascii=False)[1:-1]
    for column in ("body", "sender"):
        sql.execute(f"UPDATE events SET {column} = rewritten({column}) WHERE instr({column}, ?)", (written,))  # noqa: S608
    sql.execute(
        "UPDATE posts SET payload = rewritten(payload) WHERE network = ? AND instr(payload, ?)", (BOTS, written)
    )


def _derive_ids(sql: sqlite3.Connection, new: str) -> None:
    """Derive the ids of the moved deliveries anew, and name them so in the posts that carry them."""
    sql.execute(
        "UPDATE deliveries SET id = delivery_id(e.network, e.room, e.id, deliveries.network, deliveries.room)"
        " FROM events AS e WHERE e.seq = event"
        " AND (e.network IN (?1, ?2) OR deliveries.network IN (?1, ?2))",
        (new, BOTS),
    )
    changed = dict(sql.execute("SELECT b.id, d.id FROM temp.before AS b JOIN deliveries AS d USING (seq)"))
    posts = sql.execute("SELECT network, room, part, deliveries FROM posts").fetchall()
    sql.executemany(
        "UPDATE posts SET deliveries = ?4 WHERE (network, room, part) = (?1, ?2, ?3)",
        [(*place, json.dumps([changed.get(each, each) for each in json.loads(carried)])) for *place, carried in posts],
    )


def _delivery_id(network: str, room: str, event: str, to_network: str, to_room: str) -> str:
    return Delivery.of(EventKey(Room(network, room), event), Room(to_network, to_room)).id


def _room(network: str, room: str, old: str, new: str) -> str:
    """A room's id under the new name. Only bots' ears change (`bridge.rules.routing.ear`): `bot@old/room`,
    `bot@@old/room`."""
    bot, at, scope = room.partition("@")
    if network != BOTS or not at:
        return room
    everywhere = "@" if scope.startswith("@") else ""
    of, slash, rest = scope.removeprefix("@").partition("/")
    return f"{bot}@{everywhere}{new}/{rest}" if slash and of == old else room


def _rewritten(text: str, old: str, new: str) -> str:
    return json.dumps(_value(json.loads(text), old, new), ensure_ascii=False, separators=(",", ":"))


def _value(value: Any, old: str, new: str) -> Any:
    """Stored JSON with the network renamed: rooms, senders and their proofs have it under `network`."""
    if isinstance(value, list):
        return [_value(each, old, new) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: _value(each, old, new) for key, each in value.items()}
    if made.get("network") == old:
        made["network"] = new
    elif made.get("network") == BOTS and isinstance(made.get("id"), str):
        made["id"] = _room(BOTS, made["id"], old, new)
    return made
