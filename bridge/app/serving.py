"""What the daemon serves over HTTP: health, metrics, and the files and texts of links. Keeps the counts of traffic."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from bridge.app import wiring
from bridge.app.health import HealthWatch
from bridge.app.peers import Peers
from bridge.config import Config
from bridge.config.settings import HttpSection
from bridge.http import appservice, health, links, media, metrics, status, texts
from bridge.http.answers import Common
from bridge.http.cache import Cache
from bridge.http.counts import Counts
from bridge.http.limits import DownloadSlots
from bridge.http.peers import Proxies
from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.outbox import handle, text_handle
from bridge.network import Network, NotFetched
from bridge.relay.shared import Shared
from bridge.store import Store, StoreError

log = structlog.get_logger()

Found = TypeVar("Found")

_COUNTS_EVERY_S = 60.0
_CACHE = "media-cache"
"""The folder beside the store."""
_AWAY = "The bridge cannot look up this link right now; try again later."


class Serving:
    """What the daemon serves. `config` is the one that holds now; `networks` are those that run."""

    def __init__(
        self, config: Callable[[], Config], store: Store, networks: Callable[[], Mapping[str, Network]]
    ) -> None:
        self._config = config
        self._store = store
        self._networks = networks
        self._slots = DownloadSlots()
        self._cache = Cache(config().store.path.parent / _CACHE, self._bound)
        self.counts = Counts()

    async def open(self) -> None:
        """Find the files that were cached, and remove those that must not be any more."""
        await self._cache.open()

    async def routes(
        self,
        http: HttpSection,
        shared: Shared,
        watch: HealthWatch,
    ) -> Sequence[web.AbstractRouteDef]:
        """All endpoints; with a public URL, messages have links from now on. The key of the links is made once, and
        kept in the store."""
        collectors = [
            metrics.StateMetrics(watch.latest, shared.counters, self._config().store.path),
            metrics.CarriedMetrics(shared.counters, watch.latest),
            metrics.MediaMetrics(self.counts, self._slots, self._cache),
        ]
        routes = [
            *health.routes(watch.wedged, watch.now),
            *metrics.routes(collectors),
            *status.routes(watch.latest, shown=http.status),
            *appservice.routes(Peers(self._config, self._networks)),
        ]
        if http.public_url is not None:
            key = await wiring.link_key(self._store)
            _make_links(shared, http.public_url, key)
            common = Common(key, time.time, Proxies(http.proxies), self.counts, slots=self._slots)
            routes += self._links(common, urlsplit(http.public_url).path)
        return routes

    def _bound(self) -> int:
        http = self._config().http
        return self._config().media.cache if http is not None and http.public_url is not None else 0

    def _links(self, common: Common, prefix: str) -> Sequence[web.AbstractRouteDef]:
        files = media.FileAccess(
            _asked(self._store.file),
            lambda name: wiring.media_source(self._networks(), name),
            largest=lambda: self._config().media.max_size,
            cache=self._cache,
        )
        return [*media.routes(common, files, prefix), *texts.routes(common, _asked(self._store.text), prefix)]

    async def reloaded(self) -> None:
        """Apply a new bound of the cache."""
        await self._cache.fit()

    async def sweep(self) -> None:
        """Erase cached files that have no working link. An error is logged."""
        try:
            await self._cache.sweep(self._is_linked)
        except StoreError as error:
            log.warning("cache_not_swept", reason=str(error), hint="tried again in an hour")

    async def _is_linked(self, name: str) -> bool:
        return await self._store.file(name) is not None

    async def keep_counts(self) -> None:
        """Write what was counted, and read what was uploaded today, every minute, for ever."""
        while True:
            with suppress(StoreError):  # it is shown a minute later
                used = await self._store.traffic_since(time.time())
                self.counts.set_total(TrafficKind.UPLOADED, used.get(TrafficKind.UPLOADED, Traffic()))
            await asyncio.sleep(_COUNTS_EVERY_S)
            await self.write_counts()

    async def write_counts(self) -> None:
        """Write what was counted since the last time. What cannot be written is kept for the next."""
        if not (taken := self.counts.drain()):
            return
        try:
            await self._store.count_traffic(taken)
        except StoreError as error:
            self.counts.restore(taken)
            log.warning("counts_not_written", reason=str(error), hint="tried again in a minute")


def _make_links(shared: Shared, public_url: str, key: bytes) -> None:
    """Let messages have links to files and whole texts under `public_url`, signed with `key`."""
    shared.link_to = lambda event, file: links.link(public_url, key, handle(event, file), file.until)
    shared.link_to_text = lambda event: links.link(public_url, key, text_handle(event), event.text_until, links.TEXT)


def _asked(verb: Callable[[str], Awaitable[Found]]) -> Callable[[str], Awaitable[Found]]:
    """`verb` of the store, with an error that may be shown to anybody."""

    async def ask(name: str) -> Found:
        try:
            return await verb(name)
        except StoreError:
            raise NotFetched(_AWAY) from None

    return ask
