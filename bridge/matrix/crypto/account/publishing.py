"""The keys of our device at the homeserver: there are always some with which others can begin to write to us."""

from collections.abc import Callable
from functools import partial

import structlog

from bridge.matrix.account import Account
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.signatures import ONE_TIME
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import Homeserver
from bridge.matrix.http.patience import Patience

log = structlog.get_logger()

_LOST = (
    "the keys of this device are not here (was the store restored from a backup?): the bridge logs in as a new device."
    " Messages from before that it has not read cannot be read"
)


class Publishing:
    """`number`: of our one-time keys at the homeserver; None if not known. `needs_fallback`: it has no unused fallback
    key of ours. `signed_only`: see `Machine`."""

    def __init__(
        self,
        network: str,
        homeserver: Homeserver,
        account: Account,
        patience: Patience,
        rows: Rows,
        clock: Callable[[], float],
        *,
        signed_only: bool = False,
    ) -> None:
        self.number: int | None = None
        self.needs_fallback = False
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._patience = patience
        self._rows = rows
        self._clock = clock
        self._signed_only = signed_only

    async def machine(self, before: Machine | None) -> Machine | None:
        """The keys of our device: those of `before`, if it is the same one. If the homeserver has others, and we have
        lost these, the device is replaced by a new one; None if it cannot be."""
        device = self._account.device
        there = await self._patience.ask(partial(self._there, device))
        machine = before if before is not None and before.device == device else self._loaded()
        if not there:
            machine.unpublish()
            return machine
        if word(table(there, "keys"), f"ed25519:{device}") == machine.ed25519:
            return machine
        if not await self._patience.ask(self._account.replace_device):
            return None
        log.warning("new_device", network=self._network, device=self._account.device, hint=_LOST)
        return self._loaded()

    async def publish(self, machine: Machine) -> None:
        """Publish what the homeserver does not have, or too few of."""
        body = machine.upload(self.number, fallback=self.needs_fallback)
        if body is None:
            return
        await self._rows.flush()
        answer = await self._homeserver.post("keys", "upload", body=body)
        machine.uploaded()
        self.needs_fallback = False
        number = table(answer, "one_time_key_counts").get(ONE_TIME)
        self.number = number if isinstance(number, int) else None

    async def publish_again(self, machine: Machine) -> bool:
        """Publish all, if the homeserver has forgotten them. Returns whether it had."""
        if await self._there(machine.device):
            return False
        machine.unpublish()
        self.number, self.needs_fallback = None, True
        await self.publish(machine)
        return True

    def _loaded(self) -> Machine:
        us, device = self._account.us.user, self._account.device
        return Machine(us, device, self._rows, signed_only=self._signed_only, clock=self._clock)

    async def _there(self, device: str) -> Json:
        us = self._account.us.user
        answer = await self._homeserver.post("keys", "query", body={"device_keys": {us: [device]}})
        return table(answer, "device_keys", us, device)
