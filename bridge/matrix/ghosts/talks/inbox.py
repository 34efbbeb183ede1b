"""Brings what the homeserver tells us into the one stream of what the network hears, and tells when it is stored."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge.model.event import Event
from bridge.network import Batch, NotNow

_MOST = 16
"""Most parcels that wait: the transaction of the homeserver, and the beginnings of some talks."""
_WITHIN_S = 20.0
"""Most seconds until a parcel is stored. The homeserver tries again later."""
_AWAY = "The bridge cannot store this now."


@dataclass(slots=True)
class _Parcel:
    events: Sequence[Event]
    changes: Mapping[str, str | None]
    stored: asyncio.Future[None]


class Inbox:
    """Parcels wait here for the stream, which gives each as a batch without moving the cursor of the sync."""

    def __init__(self) -> None:
        self._waiting: deque[_Parcel] = deque()
        self._stir = asyncio.Event()

    async def store(self, events: Sequence[Event], changes: Mapping[str, str | None]) -> None:
        """Return once `events` and `changes` are stored, all or nothing. Raises NotNow if they may not be; then it is
        safe to repeat."""
        if len(self._waiting) >= _MOST:
            raise NotNow("Too much waits to be stored.")
        parcel = _Parcel(events, changes, asyncio.get_running_loop().create_future())
        self._waiting.append(parcel)
        self._stir.set()
        try:
            async with asyncio.timeout(_WITHIN_S):
                await asyncio.shield(parcel.stored)
        except TimeoutError:
            raise NotNow(_AWAY) from None
        finally:
            with suppress(ValueError):
                self._waiting.remove(parcel)

    async def batches(self, heard: AsyncGenerator[Batch, None], cursor: str | None) -> AsyncGenerator[Batch, None]:
        """What is `heard`, and the parcels in between, with the cursor that is stored already: at first `cursor`."""
        coming: asyncio.Future[Batch] | None = None
        parcel: _Parcel | None = None
        try:
            while True:
                coming = coming or asyncio.ensure_future(anext(heard))
                parcel = await self._next(coming) if cursor is not None else None
                if parcel is not None and cursor is not None:
                    yield Batch(tuple(parcel.events), cursor, changes=parcel.changes)
                    parcel.stored.set_result(None)  # it was asked for the next
                    parcel = None
                    continue
                try:
                    batch = await coming
                except StopAsyncIteration:
                    return
                coming = None
                yield batch
                cursor = batch.cursor
        finally:
            if parcel is not None:
                parcel.stored.set_exception(NotNow(_AWAY))
                parcel.stored.exception()  # nobody may be there to hear it
            if coming is not None:
                coming.cancel()
                await asyncio.wait({coming})

    async def _next(self, coming: asyncio.Future[Batch]) -> _Parcel | None:
        """The parcel that waits first; None once there is a batch, of which no parcel is in the way for long."""
        while not coming.done():
            if self._waiting:
                return self._waiting.popleft()
            self._stir.clear()
            stirred = asyncio.ensure_future(self._stir.wait())
            either: set[asyncio.Future[Any]] = {coming, stirred}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stirred.cancel()
        return None
