"""What every store has in common that several workers share: who believes in which lease, and until when."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection
from operator import methodcaller
from typing import Any

from bridge.lib.waiting import is_set_within
from bridge.store.contract import BELIEVED_S, Lease, LeaseLost, Store
from bridge.store.sqlite import Asked

_LOOK_S = 1.0
"""Seconds after which a network looks for work unasked: a doorbell may be lost."""


def _random_token() -> str:
    return secrets.token_hex(16)


class SharedStore(Store):
    """The engine of a store with leases that run out. A worker believes in its lease for `BELIEVED_S` by its own steady
    clock, from before it asked: for less time than the store gives it, whatever the answer took.

    A subclass sets `writer`, which runs the verbs.
    """

    shared = True
    writer: Asked

    def __init__(
        self,
        clock: Callable[[], float],
        steady: Callable[[], float],
        token: Callable[[], str] = _random_token,
    ) -> None:
        super().__init__(self)
        self.clock = clock
        self._steady = steady
        self._token = token
        self._believed: dict[str, tuple[str, float]] = {}
        """By network: the token of our lease, and until when we believe in it."""
        self._asking: dict[str, str] = {}
        self._bells: dict[str, asyncio.Event] = {}

    async def acquire(self, network: str, worker: str) -> Lease | None:
        """Ask for the lease. The same token is asked for until there is an answer: that of a request whose answer was
        lost is ours, too."""
        before = self._steady()
        token = self._asking.setdefault(network, self._token())
        taken = await self.write("acquire", network, token, worker)
        del self._asking[network]
        if not taken:
            return None
        self._believed[network] = (token, before + BELIEVED_S)
        return Lease(self, network, token)

    async def aclose(self) -> None:
        self._believed.clear()
        await self.writer.aclose()

    async def read(self, verb: str, *args: Any, **named: Any) -> Any:
        """See `bridge.store.contract.Engine`."""
        return await self._while_ours(args, self.writer.read(methodcaller(verb, *args, **named)))

    async def write(self, verb: str, *args: Any, **named: Any) -> Any:
        """See `bridge.store.contract.Engine`."""
        before = self._steady()
        result = await self._while_ours(args, self.writer.write(methodcaller(verb, *args, **named), self.ring))
        if verb == "keep":
            self._believed[args[0]] = (args[1], before + BELIEVED_S)
        return result

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        """See `bridge.store.contract.Engine`."""
        return await self._while_ours(args, self.writer.take_in(methodcaller(verb, *args, **named), self.ring))

    async def note(self, verb: str, *args: Any, **named: Any) -> Any:
        """See `bridge.store.contract.Engine`."""
        return await self._while_ours(args, self.writer.note(methodcaller(verb, *args, **named), self.ring))

    def holds(self, network: str, token: str) -> bool:
        """See `bridge.store.contract.Engine`."""
        held, until = self._believed.get(network, ("", 0.0))
        return held == token and self._steady() < until

    def let_go(self, network: str, token: str) -> None:
        """See `bridge.store.contract.Engine`."""
        if self._believed.get(network, ("", 0.0))[0] == token:
            del self._believed[network]

    async def wait(self, network: str, until: float) -> None:
        """See `bridge.store.contract.Engine`."""
        bell = self._bells.setdefault(network, asyncio.Event())
        await is_set_within(bell, min(_LOOK_S, max(0.0, until - self.clock())))
        bell.clear()

    def is_ours(self, network: str) -> bool:
        """Whether this worker runs `network`, as far as it knows."""
        return network in self._believed

    def ring(self, networks: Collection[str]) -> None:
        """Wake these networks here."""
        for network in sorted(networks):
            self._bells.setdefault(network, asyncio.Event()).set()

    async def _while_ours(self, args: tuple[Any, ...], verb: Awaitable[Any]) -> Any:
        """Do `verb`; if its lease is lost, we do not believe in it any more."""
        try:
            return await verb
        except LeaseLost:
            self.let_go(args[0], args[1])
            raise
