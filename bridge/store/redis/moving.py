"""The two ends of moving a store (`bridge.store.moving`) on Redis, and its renaming of a network. While that lasts, a
mark in the store keeps everybody else out; a target that was not filled to the end keeps it."""

import asyncio
import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from bridge.store.contract import StoreError, Unusable
from bridge.store.moving import Row, Table
from bridge.store.redis import packing, settings
from bridge.store.redis.address import Address
from bridge.store.redis.keys import Keys
from bridge.store.redis.packing import decimal
from bridge.store.redis.scripts import Mode, script
from bridge.store.redis.server import Server
from bridge.store.redis.verbs import Request
from bridge.store.tables.bodies import load

Found = TypeVar("Found")
Hash = Mapping[str, str]

_KEPT_S = 60
"""Seconds after which the mark of a command that was killed does not count any more."""
_PAGE = 200
"""Rows, or keys, that are asked for at once."""
_ROWS, _BYTES = 100, 128 * 1024
"""What one script is given at most: it takes some milliseconds, in which the server does nothing else."""
_STAGE = "new:"
_FILLING, _CLEARING, _PLACING = "fill", "clear", "place"
_TIMES = frozenset({"began", "done", "ended", "held", "said", "since"})
_NUMBERS = frozenset(
    {"attempts", "behind", "bytes", "day", "delivery", "event", "minute", "number", "part", "removed", "seq", "size"}
    | {"target"}
)
_COUNTED = ("events", "deliveries", "outages", "runs")
"""The tables whose rows are numbered."""


@contextmanager
def moving_from(url: str) -> Iterator["RedisRows"]:
    """The store, which nobody changes meanwhile. Raises `Unusable` if a worker runs on it."""
    why = "is being moved by `quackbridge move-store`; wait until that has ended"
    with _marked(url, "from", why) as held:
        try:
            with closing(RedisRows(held)) as rows:
                yield rows
        finally:
            held.end()


@contextmanager
def moving_to(url: str) -> Iterator["RedisRows"]:
    """The store, which can be used from the end of the context on. Raises `Unusable` if it holds something."""
    why = "is being filled by `quackbridge move-store`, or that was cut short: run it again until it ends well"
    with _marked(url, "to", why) as held:
        if not held.phase and held.has_something():
            held.end()
            raise Unusable(
                "the store to move to has something in it already: give an empty one, such as one with another ?name="
            )
        held.keep(_FILLING, why)
        try:
            held.clear()  # what an earlier attempt has left
            with closing(RedisRows(held)) as rows:
                yield rows
                rows.count()
        except BaseException:
            held.clear()
            held.end()
            raise
        held.end(rows.users)


@contextmanager
def changing(url: str, old: str, new: str) -> Iterator["Change"]:
    """The store, to replace all that is in it, but the users, in order to rename `old` to `new`. Raises `Unusable` if a
    worker runs on it."""
    command = f"`quackbridge rename-network {old} {new}`"
    with _marked(url, f"rename {old} {new}", f"is being changed by {command}; wait until that has ended") as held:
        change = Change(held, f"was half changed when {command} was cut short: run that again")
        try:
            with closing(change.old):
                yield change
            change.finish()
        except BaseException:
            if not change.begun:
                held.clear(_STAGE)
                held.end()
            raise
        held.end()


class _Held:
    """A store that nobody else uses. The methods may be called where an event loop runs, too."""

    def __init__(self, url: str) -> None:
        self.address = Address.parse(url)
        self.server = Server(self.address)
        self.prefix = self.address.prefix
        self.phase = ""
        self._token = secrets.token_hex(16)
        self._runner = asyncio.Runner()
        self._thread = ThreadPoolExecutor(1)

    def run(self, coroutine: Coroutine[Any, Any, Found]) -> Found:
        async def translated() -> Found:
            with self.server.translated():
                return await coroutine

        return self._thread.submit(self._runner.run, translated()).result()

    def mark(self, way: str, why: str) -> None:
        self.run(settings.check(self.server))
        args = {"token": self._token, "way": way, "why": why, "seconds": _KEPT_S}
        found = self.call("begin_move", args, {"moves": True})
        if "why" in found:
            raise Unusable(f"{self.address}: the store {found['why']}")
        if "workers" in found:
            workers = ", ".join(sorted({*found["workers"]}))
            raise Unusable(f"workers run on this store: {workers}; stop them first")
        self.phase = found["phase"]

    def keep(self, phase: str = "", why: str = "") -> None:
        """The store is still ours; with a `phase`, until it has come to its end. Raises StoreError if it is not."""
        self.call("keep_move", {"seconds": _KEPT_S, **({"phase": phase, "why": why} if phase else {})})

    def fill(self, stage: str, table: str, rows: Sequence[Mapping[str, str]]) -> None:
        self.call("fill", {"table": table, "rows": rows, "seconds": _KEPT_S}, stage=stage, mode=Mode.INTAKE)

    def end(self, users: str | None = None) -> None:
        self.call("end_move", {"users": users})

    def has_something(self) -> bool:
        mine = {self.prefix + name for name in ("moving", "confirmed")}
        return self.run(_any(key not in mine async for keys in self.scan("") for key in keys))

    def clear(self, stage: str = "") -> None:
        """Remove all below `stage`, but the mark; without one, but what is below a stage."""
        self._each(stage, self._unlink, lambda key: not key.startswith(("moving", _STAGE)))

    def clear_old(self) -> None:
        """Remove all but the mark, the users, and what is below the stage."""
        self._each("", self._unlink, lambda key: not key.startswith(("moving", "users:", _STAGE)))

    def place(self) -> None:
        """Let what is below the stage be the store."""

        async def rename(keys: Sequence[str]) -> None:
            pipe = self.server.client.pipeline(transaction=False)
            for key in keys:
                pipe.rename(key, self.prefix + key.removeprefix(self.prefix + _STAGE))
            await pipe.execute()

        self._each(_STAGE, rename, lambda _: True)

    async def _unlink(self, keys: Sequence[str]) -> None:
        await self.server.client.unlink(*keys)

    def _each(self, stage: str, do: Callable[[Sequence[str]], Coroutine[Any, Any, None]], which: Any) -> None:
        """Do it with all keys below `stage` whose names fit."""

        async def every() -> None:
            async for keys in self.scan(stage):
                if wanted := [key for key in keys if which(key.removeprefix(self.prefix + stage))]:
                    await self._called("keep_move", {"seconds": _KEPT_S})
                    await do(wanted)

        self.run(every())

    async def scan(self, pattern: str) -> AsyncIterator[Sequence[str]]:
        """The names of the keys that begin with `pattern`, behind the prefix; some may come twice."""
        client: Any = self.server.client
        cursor, begun = 0, False
        while cursor or not begun:
            cursor, found = await client.scan(cursor, match=f"{self.prefix}{pattern}*", count=_PAGE)
            begun = True
            yield [key.decode() for key in found]

    def call(
        self,
        verb: str,
        args: Mapping[str, Any],
        header: Mapping[str, Any] | None = None,
        *,
        stage: str = "",
        mode: Mode = Mode.DRAIN,
    ) -> Any:
        return self.run(self._called(verb, args, header, stage, mode))

    async def _called(
        self,
        verb: str,
        args: Mapping[str, Any],
        header: Mapping[str, Any] | None = None,
        stage: str = "",
        mode: Mode = Mode.DRAIN,
    ) -> Any:
        about = {"now": "0", "network": "", "mover": self._token, "marker": f"{self.prefix}moving", **(header or {})}
        about["confirm"] = self.server.replicas > 0
        keys = [*Keys(self.prefix + stage).of(Request({})), about["marker"]]
        texts = [json.dumps(each, ensure_ascii=False).encode() for each in (about, args)]
        reply = json.loads(await self.server.run(script(verb, mode), keys, *texts, writes=True))
        if isinstance(reply, dict):
            raise StoreError(f"{self.address}: the store is not ours any more: nothing was changed; try again")
        return reply[0]

    def close(self) -> None:
        self._thread.submit(self._runner.run, self.server.aclose()).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()


@contextmanager
def _marked(url: str, way: str, why: str) -> Iterator[_Held]:
    with closing(_Held(url)) as held:
        held.mark(way, why)
        yield held


async def _any(each: AsyncIterator[bool]) -> bool:
    async for true in each:
        if true:
            return True
    return False


class RedisRows:
    """The rows of a store on Redis, below `stage`."""

    def __init__(self, held: _Held, stage: str = "") -> None:
        self.users: str | None = None
        self._held, self._stage = held, stage
        self._prefix = held.prefix + stage
        self._client: Any = held.server.client
        self._ids = sqlite3.connect("", check_same_thread=False)  # on the disk, while it lasts
        self._ids.execute("CREATE TABLE ids (seq INTEGER PRIMARY KEY, id TEXT NOT NULL)")
        self._last = dict.fromkeys(_COUNTED, 0)

    def close(self) -> None:
        self._ids.close()

    # Filling

    def is_empty(self, table: Table) -> bool:
        """The whole store is."""
        return True

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        if table.name in self._last:
            self._last[table.name] = max(self._last[table.name], *(row[0] for row in rows))
        if table.name == "deliveries":
            self._ids.executemany("INSERT INTO ids VALUES (?, ?)", [row[:2] for row in rows])
        self._fill(table.name, (self._packed(table, row) for row in rows))

    def take_users(self, text: str | None, lines: Sequence[str]) -> None:
        self.users = text
        self._fill("audit", ({"line": line} for line in lines))

    def count(self) -> None:
        """Numbers go on behind those that were filled in."""
        self._fill("counters", ({"name": name, "number": str(last)} for name, last in self._last.items()))

    def _packed(self, table: Table, row: Row) -> Mapping[str, str]:
        found = zip(table.columns, row, strict=True)
        packed = {name: _text(value) for name, value in found if value is not None}
        if table.name == "events" and "body" in packed:
            refers = [packing.key(each) for each in load(packed["body"]).refers]
            packed["refers"] = json.dumps(refers, ensure_ascii=False)
        elif table.name == "sent":
            (packed["id"],) = self._ids.execute("SELECT id FROM ids WHERE seq = ?", (row[0],)).fetchone()
        return packed

    def _fill(self, table: str, rows: Iterator[Mapping[str, str]]) -> None:
        some: list[Mapping[str, str]] = []
        size = 0
        for row in rows:
            weight = sum(map(len, row.values()))
            if some and (len(some) == _ROWS or size + weight > _BYTES):
                self._held.fill(self._stage, table, some)
                some, size = [], 0
            some.append(row)
            size += weight
        if some:
            self._held.fill(self._stage, table, some)

    # Reading

    def confirm(self) -> None:
        self._held.keep()

    def batches(self, table: Table) -> Iterator[Sequence[Row]]:
        pages = getattr(self, f"_{table.name}")()

        async def following() -> Sequence[Mapping[str, Any]] | None:
            found: Sequence[Mapping[str, Any]] | None = await anext(pages, None)
            return found

        while (page := self._held.run(following())) is not None:
            self._held.keep()
            if page:
                yield [_row(table, item) for item in page]

    async def _networks(self) -> AsyncIterator[Sequence[Hash]]:
        for names in _chunks(sorted(await self._client.smembers(self._key("nets")))):
            nets = await self._hashes(self._key("net", name.decode()) for name in names)
            yield [{"name": name.decode(), **net} for name, net in zip(names, nets, strict=True)]

    async def _memory(self) -> AsyncIterator[Sequence[Hash]]:
        async for network, key in self._named("mem"):
            for kept in _chunks([*(await self._hash(key)).items()]):
                yield [{"network": network, "key": name, "value": value} for name, value in kept]

    async def _events(self) -> AsyncIterator[Sequence[Hash]]:
        async for page in self._event_pages():
            yield [{"removed": "0", "seq": seq, **event} for seq, event in page]

    async def _deliveries(self) -> AsyncIterator[Sequence[Hash]]:
        async for page in self._delivery_pages():
            yield [{"id": id_, **delivery} for id_, delivery in page]

    async def _sent(self) -> AsyncIterator[Sequence[Hash]]:
        async for page in self._delivery_pages():
            yield [
                {**delivery, "delivery": delivery["seq"], "part": str(part), "remote": remote}
                for _, delivery in page
                for part, remote in json.loads(delivery.get("remotes", "[]"))
            ]

    async def _posts(self) -> AsyncIterator[Sequence[Hash]]:
        async for place, key in self._named("p"):
            network, room = _place(place)
            for texts in _chunks(await self._client.lrange(key, 0, -1)):
                posts = [json.loads(text) for text in texts]
                yield [
                    {"network": network, "room": room, "part": str(part), "id": post, "payload": payload}
                    | {"deliveries": json.dumps(deliveries)}
                    for part, post, deliveries, payload in posts
                ]

    async def _rooms(self) -> AsyncIterator[Sequence[Hash]]:
        async for place, key in self._named("w"):
            network, room = _place(place)
            yield [{"network": network, "room": room, "attempts": "0", "reason": "", **await self._hash(key)}]

    async def _tallies(self) -> AsyncIterator[Sequence[Hash]]:
        async for minutes in self._sorted(self._key("minutes")):
            counts = await self._hashes(self._key("tallies", minute) for minute in minutes)
            for minute, count in zip(minutes, counts, strict=True):
                names = ("network", "room", "what", "reason")
                yield [
                    {"minute": minute, "number": number, **dict(zip(names, json.loads(key), strict=True))}
                    for key, number in count.items()
                ]

    async def _losses(self) -> AsyncIterator[Sequence[Hash]]:
        async for network, key in self._named("losses"):
            found = [(json.loads(field), json.loads(text)) for field, text in (await self._hash(key)).items()]
            yield [
                {"network": network, "room": room, "reason": reason, "number": str(number), "since": since, "until": to}
                for (room, reason), (number, since, to) in found
            ]

    async def _media(self) -> AsyncIterator[Sequence[Hash]]:
        async for handles in self._sorted(self._key("until")):
            files = await self._hashes(self._key("m", handle) for handle in handles)
            yield [
                {"handle": handle, **{name: value for name, value in file.items() if name != "size" or value}}
                for handle, file in zip(handles, files, strict=True)
            ]

    async def _traffic(self) -> AsyncIterator[Sequence[Hash]]:
        numbers, sizes = [await self._hash(self._key("traffic", each)) for each in ("number", "bytes")]
        days = [(*field.split(" ", 1), number, sizes[field]) for field, number in numbers.items()]
        yield [{"day": day, "what": what, "number": number, "bytes": size} for day, what, number, size in days]

    async def _outages(self) -> AsyncIterator[Sequence[Hash]]:
        for found in _chunks([*(await self._hash(self._key("outages"))).items()]):
            yield [{"seq": seq, **_known(text)} for seq, text in found]

    async def _runs(self) -> AsyncIterator[Sequence[Hash]]:
        for found in _chunks([*(await self._hash(self._key("runs"))).items()]):
            yield [{"seq": seq, **_known(text)} for seq, text in found]

    async def _event_pages(self) -> AsyncIterator[Sequence[tuple[str, Hash]]]:
        for place in sorted(await self._client.smembers(self._key("places"))):
            async for seqs in self._sorted(self._key("in", place.decode())):
                yield [*zip(seqs, await self._hashes(self._key("ev", seq) for seq in seqs), strict=True)]

    async def _delivery_pages(self) -> AsyncIterator[Sequence[tuple[str, Hash]]]:
        async for page in self._event_pages():
            for ids in _chunks([each for _, event in page for each in json.loads(event.get("to", "[]"))]):
                yield [*zip(ids, await self._hashes(self._key("d", each) for each in ids), strict=True)]

    def _key(self, *parts: str) -> str:
        return self._prefix + ":".join(parts)

    async def _named(self, kind: str) -> AsyncIterator[tuple[str, str]]:
        """All keys of that kind: the rest of the name, and the whole of it."""
        keys = {key async for page in self._held.scan(f"{self._stage}{kind}:") for key in page}
        for key in sorted(keys):
            yield key.removeprefix(self._key(kind, "")), key

    async def _sorted(self, name: str) -> AsyncIterator[Sequence[str]]:
        """The members of a sorted set, a page at a time."""
        rank = 0
        while found := await self._client.zrange(name, rank, rank + _PAGE - 1):
            yield [each.decode() for each in found]
            rank += _PAGE

    async def _hash(self, name: str) -> Hash:
        """A hash of any size, read in pieces; a field may come twice."""
        found = {field.decode(): value.decode() async for field, value in self._client.hscan_iter(name, count=_PAGE)}
        return dict(sorted(found.items()))

    async def _hashes(self, names: Iterator[str]) -> Sequence[Hash]:
        pipe = self._client.pipeline(transaction=False)
        for name in names:
            pipe.hgetall(name)
        return [{field.decode(): value.decode() for field, value in found.items()} for found in await pipe.execute()]


class Change:
    """What replaces a store: it is filled beside it, and takes its place at the end. From then on it has to come to
    its end: `begun` from an earlier attempt means that only that is left to do."""

    def __init__(self, held: _Held, why: str) -> None:
        self.begun = bool(held.phase)
        self.old = RedisRows(held)
        self.is_filled = False
        self._held, self._why = held, why

    def filled(self, copy: Callable[[RedisRows], object]) -> None:
        """Let `copy` fill in all that shall be there."""
        self._held.clear(_STAGE)
        with closing(RedisRows(self._held, _STAGE)) as rows:
            copy(rows)
            rows.count()
        self.is_filled = True

    def finish(self) -> None:
        """Let what was filled in take the place of the store."""
        if not (self.is_filled or self.begun):
            return
        if self._held.phase != _PLACING:
            self._held.keep(_CLEARING, self._why)
            self.begun = True
            self._held.clear_old()
            self._held.keep(_PLACING, self._why)
        self._held.place()


def _chunks(found: Sequence[Found]) -> Iterator[Sequence[Found]]:
    for first in range(0, len(found), _PAGE):
        yield found[first : first + _PAGE]


def _place(text: str) -> tuple[str, str]:
    """The network and the room of a place, which begins with the length of the network in bytes."""
    length, _, both = text.partition(":")
    network = both.encode()[: int(length)]
    return network.decode(), both.encode()[int(length) :].decode()


def _known(text: str) -> Hash:
    """What JSON of a script has, without what is null."""
    return {name: value for name, value in json.loads(text).items() if value is not None}


def _text(value: Any) -> str:
    return decimal(value) if isinstance(value, float) else str(value)


def _row(table: Table, item: Mapping[str, str]) -> Row:
    return tuple(_value(table.name, name, item.get(name)) for name in table.columns)


def _value(table: str, name: str, text: str | None) -> Any:
    if text is None:
        return None
    if name in _NUMBERS or (table, name) == ("media", "until"):
        return int(text)
    return float(text) if name in _TIMES or name == "until" else text
