"""Previews: fetches the picture, sound or video that somebody links to, and uploads it to the networks where messages
can have files, while the message waits for a moment."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from bridge.lib.lru import LruDict
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import Event, EventKey, Message, Origin, Room
from bridge.model.outbox import Addressed, Attached, Owed
from bridge.model.text import plain
from bridge.network import Fetched, MediaSink, NoSuchFile, NotFetched, NotStored
from bridge.relay.limits import Terms
from bridge.relay.traffic import DailyTraffic
from bridge.store import Store, stored

log = structlog.get_logger()

PATIENCE_S = 10.0
"""Seconds that a message waits for its file at most, since it was heard."""
_AT_ONCE = 4
"""Files on their way at most: each takes `Terms.largest_upload` bytes of memory. Further messages stay links."""
_REST_S, _RESTING = 300.0, 1_000
"""Seconds that a server in trouble is left alone, and how many such servers are remembered. A guest who links to one
waits as long for the next preview: who has many slow servers would keep a room waiting for as long as they like."""
_PORTS = {"http": 80, "https": 443}
_KEPT = 1_000
"""Stored files at most that are remembered until their messages are delivered."""


class Fetch(Protocol):
    def __call__(self, address: str, limit: int, spend: Callable[[int], bool]) -> Awaitable[Fetched]:
        """The picture, sound or video at `address`, of at most `limit` bytes. `spend` pays for bytes that were read, or
        returns False: then no more is read. Raises NoSuchFile if there is none, and NotFetched if its host is to be
        left alone for a while."""
        ...


@dataclass(slots=True)
class _Coming:
    """A file that is fetched for the networks `sinks`. `deliveries`: those of its message, by network, without removed
    ones; `rooms`: where they go. `settled`: by network, set once it is known whether the file goes with the message."""

    event: Event
    sinks: dict[str, MediaSink]
    deliveries: dict[str, set[str]]
    rooms: frozenset[Room] = frozenset()
    settled: dict[str, asyncio.Event] = field(init=False)
    task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.settled = {name: asyncio.Event() for name in self.sinks}

    def is_wanted(self, network: str) -> bool:
        return bool(self.deliveries[network])

    def take_out(self, network: str, gone: Collection[str]) -> None:
        """Forget these deliveries; end it if nobody wants the file any more."""
        self.deliveries[network].difference_update(gone)
        if not self.is_wanted(network):
            self.settled[network].set()
        if self.task is not None and not any(self.deliveries.values()):
            self.task.cancel()


class Previews:
    """Fetches with `fetch` (None: never). `store` counts what is uploaded; `clock` gives seconds since the epoch."""

    def __init__(
        self, fetch: Fetch | None = None, store: Store | None = None, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._fetch = fetch
        self._store = store
        self._clock = clock
        self._sinks: dict[str, MediaSink] = {}
        self._coming: dict[EventKey, _Coming] = {}
        self._busy: set[Hashable] = set()
        self._resting: LruDict[Hashable, float] = LruDict(_RESTING)
        self._attached: LruDict[tuple[EventKey, str], tuple[str, Attached]] = LruDict(_KEPT)
        self._traffic = DailyTraffic(clock)

    async def recall_uploads(self) -> None:
        """Read from the store how much was uploaded today."""
        if self._store is not None:
            used = await stored(self._store.traffic_since, self._clock())
            self._traffic.recall_uploads(used.get(TrafficKind.UPLOADED, Traffic()).bytes)

    def add_network(self, network: str, sink: object) -> None:
        """A network runs now."""
        if isinstance(sink, MediaSink):
            self._sinks[network] = sink

    def remove_network(self, network: str, sink: object) -> None:
        """A network does not run any more."""
        if self._sinks.get(network) is not sink:
            return
        del self._sinks[network]
        for coming in [*self._coming.values()]:
            if network in coming.sinks:
                coming.take_out(network, [*coming.deliveries[network]])

    def begin_fetching(self, owed: Iterable[Addressed], terms: Terms) -> None:
        """Begin to fetch the files of messages that are about to be stored."""
        wanted: dict[EventKey, list[Addressed]] = {}
        for each in owed:
            if each.event.preview and each.event.origin is Origin.LIVE:
                wanted.setdefault(each.event.key, []).append(each)
        for key, addressed in wanted.items():
            coming = self._asked_for(addressed)
            if coming.sinks and self._may_begin(coming.event, terms):
                self._coming[key] = coming
                self._busy.add(_person(coming.event))
                show = self._show(coming, terms)
                coming.task = asyncio.get_running_loop().create_task(show, name=f"preview {key.id}")

    def cancel_deliveries(self, deliveries: Collection[str]) -> None:
        """These deliveries are removed, because their message was: upload nothing for them any more."""
        for coming in [*self._coming.values()]:
            for network in coming.sinks:
                coming.take_out(network, deliveries)

    def without_waiting(self, owed: Sequence[Owed]) -> Sequence[Owed]:
        """The beginning of `owed`, up to the first that waits for a file."""
        for number, item in enumerate(owed):
            if self.is_waited_for(item):
                return owed[:number]
        return owed

    def is_waited_for(self, item: Owed) -> bool:
        """Whether `item` waits for its file: it is not known yet whether one goes with it."""
        return self._outcome_of(item) is not None

    async def wait_for(self, item: Owed, stopping: asyncio.Event) -> None:
        """Wait until `item` waits for no file, or until `stopping`."""
        if (settled := self._outcome_of(item)) is None:
            return
        waiting = {asyncio.ensure_future(each.wait()) for each in (settled, stopping)}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def with_file(self, item: Owed) -> Owed:
        """`item` with the file that goes with it, if there is one and no edit has taken its address away."""
        if (found := self._attached.get((item.event.key, item.room.network))) is None:
            return item
        (address, file), body = found, item.event.body
        return replace(item, attached=file) if isinstance(body, Message) and address in plain(body.text) else item

    def _outcome_of(self, item: Owed) -> asyncio.Event | None:
        coming = self._coming.get(item.event.key)
        settled = coming.settled.get(item.room.network) if coming is not None else None
        return settled if settled is not None and not settled.is_set() else None

    def _asked_for(self, addressed: Sequence[Addressed]) -> _Coming:
        event = addressed[0].event
        deliveries: dict[str, set[str]] = {}
        for each in addressed:
            network = each.room.network
            if network in self._sinks and (event.key, network) not in self._attached:
                deliveries.setdefault(network, set()).add(each.delivery.id)
        rooms = frozenset(each.room for each in addressed)
        return _Coming(event, {name: self._sinks[name] for name in deliveries}, deliveries, rooms)

    def _may_begin(self, event: Event, terms: Terms) -> bool:
        if self._fetch is None or event.key in self._coming or len(self._coming) >= _AT_ONCE:
            return False
        is_resting = any((self._resting.peek(each) or 0.0) > _now() for each in _suspects(event))
        if _person(event) in self._busy or is_resting:
            return False
        return self._traffic.is_left(terms.uploads_per_day)

    async def _show(self, coming: _Coming, terms: Terms) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                if (file := await self._fetched(coming.event, terms)) is not None:
                    await asyncio.gather(*(self._attach(coming, name, file, terms) for name in coming.sinks))
        except TimeoutError:
            log.info("no_preview", id=coming.event.id, reason="too slow")
        finally:
            self._busy.discard(_person(coming.event))
            del self._coming[coming.event.key]
            for settled in coming.settled.values():
                settled.set()

    async def _fetched(self, event: Event, terms: Terms) -> Fetched | None:
        assert self._fetch is not None
        try:
            return await self._fetch(
                event.preview, terms.largest_upload, lambda size: self._traffic.count_read(size, terms.uploads_per_day)
            )
        except NoSuchFile as error:
            log.info("no_preview", id=event.id, host=_host(event.preview), reason=str(error))
        except NotFetched as error:
            self._rest(event)
            log.info("no_preview", id=event.id, host=_host(event.preview), reason=str(error), again_in_s=_REST_S)
        except Exception:  # a hostile server must not end the bridge, whatever it makes a library do
            self._rest(event)
            log.warning("preview_failed", id=event.id, host=_host(event.preview), exc_info=True)
        return None

    def _rest(self, event: Event) -> None:
        for each in _suspects(event):
            self._resting[each] = _now() + _REST_S

    async def _attach(self, coming: _Coming, network: str, file: Fetched, terms: Terms) -> None:
        """Store `file` on `network`, once for all its rooms."""
        size, event = len(file.data), coming.event
        if not coming.is_wanted(network) or not self._traffic.may_upload(size, terms.uploads_per_day):
            return
        self._traffic.count_upload(size)  # also if it fails: it may have gone over the line
        try:
            rooms = [room for room in coming.rooms if room.network == network]
            self._attached[event.key, network] = (event.preview, await coming.sinks[network].attach(file, rooms))
        except NotStored as error:
            log.info("no_preview", id=event.id, network=network, reason=str(error))
            return
        finally:
            coming.settled[network].set()
        log.info("preview", id=event.id, network=network, kind=file.kind, bytes=size)
        if self._store is not None:
            await stored(self._store.count_traffic, {TrafficKind.UPLOADED: Traffic(1, size)})


def _person(event: Event) -> Hashable:
    """Who said `event`: a member by their user, a guest by their connection, which stays under another nick, or else by
    their address."""
    sender = event.sender
    if sender.user is not None:
        return sender.user
    return sender.network, sender.connection or sender.casemapping.fold(sender.address)


def _suspects(event: Event) -> tuple[Hashable, ...]:
    """Whose fault it may be if what `event` links to cannot be fetched."""
    server = _server(event.preview)
    return (server, _person(event)) if event.sender.is_guest else (server,)


def _server(address: str) -> Hashable:
    """Scheme, host and port of `address`. Not the host alone: who names it with a port at which it does not answer
    would keep others from seeing what is there."""
    with suppress(ValueError):
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    return ""


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _now() -> float:
    return asyncio.get_running_loop().time()
