"""Whether this process works: its event loop turns, its tasks go on, and the store can be written. Never asks a
network: if a homeserver is away, starting the bridge again does not bring it back."""

import asyncio

from bridge.lib.heartbeats import Heartbeats
from bridge.store import Full, Store, StoreError, Unavailable

_LOOK_S = 1.0
_TRY_EVERY_S = 2.0
"""Seconds between trials of the store. A trial costs no disk: it takes the lock for writing, and changes nothing."""
_LONGEST_S = 5.0
"""Seconds that the loop may be late, or that a transaction of the store may take."""
_SILENT_S = 60.0
"""Seconds without a heartbeat after which a task counts as stuck. Those that wait for a server beat every 10 s."""


class Liveness:
    """Tries every 2 s whether the `store` ends a transaction that writes in time, and listens to `heartbeats`."""

    def __init__(self, store: Store, heartbeats: Heartbeats) -> None:
        self._store = store
        self._heartbeats = heartbeats
        self._begun: float | None = None
        self._looked: float | None = None
        self.lag = 0.0
        """How late the event loop was at the last look, in seconds."""
        self.full = ""
        """Why what is heard has to wait for disk space; '' if it does not."""
        self.away = ""
        """Why a store that workers share cannot be written; '' if it can."""

    def problem(self) -> str:
        """Why the process does not work any more; '' if it does. No I/O."""
        now = asyncio.get_running_loop().time()
        if self._begun is not None and now - self._begun > _LONGEST_S:
            return f"the store could not be written for {now - self._begun:.0f} s"
        if self._looked is not None and now - self._looked > _LOOK_S + _LONGEST_S:
            return f"the event loop was stuck for {now - self._looked:.0f} s"
        if (silent := self._heartbeats.silent(_SILENT_S)) is not None:
            return f"the task {silent[0]!r} has not gone on for {silent[1]:.0f} s"
        return ""

    async def keep(self) -> None:
        """Look every second, for ever. Raises what made the store fail for good: nothing works then."""
        loop = asyncio.get_running_loop()
        trial: asyncio.Task[None] | None = None
        tried = loop.time() - _TRY_EVERY_S
        try:
            while True:
                self._looked = loop.time()
                if trial is not None and trial.done():
                    trial.result()
                    trial = None
                if trial is None and self._looked - tried >= _TRY_EVERY_S:
                    tried = self._looked
                    trial = asyncio.create_task(self._try_store(), name="try the store")
                await asyncio.sleep(_LOOK_S)
                self.lag = max(0.0, loop.time() - self._looked - _LOOK_S)
                if self.lag > _LONGEST_S:  # the whole process was stopped, as by a suspended machine
                    self._heartbeats.excuse()
        finally:
            if trial is not None:
                trial.cancel()

    async def _try_store(self) -> None:
        if self._begun is None:
            self._begun = asyncio.get_running_loop().time()
        try:
            await self._store.try_to_write()
        except Unavailable as error:
            self._heartbeats.excuse()
            if self._store.shared:  # its server is away: starting this process again does not bring it back
                self._begun, self.away = None, str(error)
            return  # else it is locked by another program, which may take long: still the same trial
        except StoreError:
            pass  # an answer, if no good one
        self._begun, self.away = None, ""
        await self._try_intake()

    async def _try_intake(self) -> None:
        """Find out whether there is disk space for what is heard. Tasks that wait for it are not stuck."""
        try:
            await self._store.try_to_take_in()
        except Full as error:
            self.full = str(error)
            self._heartbeats.excuse()
        except StoreError:
            self._heartbeats.excuse()
        else:
            self.full = ""
