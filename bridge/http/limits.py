"""Limits of the clients of links: how often each may ask, and how many downloads run at a time."""

import math
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager

from bridge.lib.bucket import TokenBucket
from bridge.lib.lru import LruDict

_AT_ONCE, _EACH_AT_ONCE = 10, 4
"""Downloads at a time, and those of one address: each takes some 200 KB of memory. The server has connections left for
others."""
_EACH_BURST, _EACH_PER_S = 60, 2.0
_ALL_BURST, _ALL_PER_S = 300, 20.0
"""Requests at once, and then per second: of one address, and of all with a link that is ours."""
_ADDRESSES = 2_000
"""Addresses whose requests are counted at most: the least recently seen is forgotten."""
_SKIPPED = 5_000_000
"""Bytes that are fetched only to be skipped, for a part that begins later, which count as one more request."""
_SLOW_PER_S, _SLOW_AFTER_S = 20_000.0, 30.0
"""Bytes per second of a download that is cut off, after so many seconds, if somebody waits for its place."""
TOO_OFTEN = "Too many requests; try again in a moment."
_FULL = "Too many downloads at the same time; try again in a moment."


class NotServed(Exception):
    """The answer is an error, said in one sentence."""

    def __init__(self, status: int, sentence: str, retry_after: float | None = None, **more: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {key.replace("_", "-"): value for key, value in more.items()}
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))


class RequestRates:
    """How often each address, and all together, may ask."""

    def __init__(self) -> None:
        self._each: LruDict[str, TokenBucket] = LruDict(_ADDRESSES)
        self._all = TokenBucket(_ALL_BURST, _ALL_PER_S)

    def spend(self, address: str, now: float) -> None:
        """Count a request. Raises NotServed if `address` asks too often."""
        bucket = self._bucket(address)
        if wait := bucket.wait_s(now):
            raise NotServed(429, TOO_OFTEN, wait)
        bucket.spend(now)

    def spend_for_all(self, now: float) -> None:
        """Count a request with a link that is ours. Raises NotServed if all together ask too often. What others make up
        is not counted, so that it does not keep those out who have a link."""
        if wait := self._all.wait_s(now):
            raise NotServed(429, TOO_OFTEN, wait)
        self._all.spend(now)

    def spend_bytes(self, address: str, skipped: int, now: float) -> None:
        """Count bytes that are fetched for `address` and not sent to it. They may run into debt: who asks too often for
        the ends of large files waits for the next answer."""
        bucket = self._bucket(address)
        for _ in range(min(skipped // _SKIPPED, _EACH_BURST)):
            bucket.spend(now, debt=_EACH_BURST)

    def _bucket(self, address: str) -> TokenBucket:
        found = self._each.get(address) or TokenBucket(_EACH_BURST, _EACH_PER_S)
        self._each[address] = found
        return found


class ActiveDownload:
    """A download that runs now. `sent`: the bytes that its client has taken; `cut` ends it."""

    def __init__(self, address: str, began: float, cut: Callable[[], None]) -> None:
        self.address = address
        self.sent = 0
        self.cut = cut
        self._began = began

    def speed(self, now: float) -> float | None:
        """Bytes per second; None in the first moments."""
        took = now - self._began
        return None if took < _SLOW_AFTER_S else self.sent / took


class DownloadSlots:
    """Bounds the downloads that run at a time. A client that takes a file byte by byte loses its slot to the next."""

    def __init__(self) -> None:
        self._running: set[ActiveDownload] = set()

    def __len__(self) -> int:
        return len(self._running)

    @contextmanager
    def one(self, address: str, now: float, cut: Callable[[], None]) -> Generator[ActiveDownload, None, None]:
        """Hold a slot for a download; `cut` ends the download. Raises NotServed if there is none."""
        of = Counter(each.address for each in self._running)
        if of[address] >= _EACH_AT_ONCE:
            raise NotServed(429, _FULL, 10)
        if len(self._running) >= _AT_ONCE:
            self._make_room(now)
        running = ActiveDownload(address, now, cut)
        self._running.add(running)
        try:
            yield running
        finally:
            self._running.discard(running)

    def _make_room(self, now: float) -> None:
        """Cut off the slowest download if it is too slow. Raises NotServed if none is."""
        speeds = [(speed, each) for each in self._running if (speed := each.speed(now)) is not None]
        slowest = min(speeds, key=lambda found: found[0], default=None)
        if slowest is None or slowest[0] >= _SLOW_PER_S:
            raise NotServed(429, _FULL, 10)
        slowest[1].cut()
        self._running.discard(slowest[1])
