"""Scripted servers with TLS on loopback, and the first attempts of our adapter to connect to them."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from bridge.irc.client import IrcNetwork
from bridge.model.event import Room
from bridge.network import Batch, Refused
from tests.integration.certificates import Signed, self_signed
from tests.integration.irc import Log
from tests.irc.test_client import Ircd
from tests.settings import irc_settings

POND = Room("net", "#pond")


def certified(folder: Path, name: str = "localhost", days: int = 9) -> Signed:
    """A new certificate in a new folder."""
    folder.mkdir(parents=True)
    return self_signed(folder, name, days)


def tls_of(signed: Signed, *, client_ca: Path | None = None) -> ssl.SSLContext:
    """What a server with this certificate needs; with `client_ca` it wants a certificate of its clients, too."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(signed.certificate, signed.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def serving(
    ircd: Ircd, signed: Signed | None = None, *, host: str = "localhost", client_ca: Path | None = None
) -> AsyncGenerator[int, None]:
    """`ircd` on a port, which is yielded."""
    context = tls_of(signed, client_ca=client_ca) if signed is not None else None
    server = await asyncio.start_server(ircd.serve, "127.0.0.1" if host == "localhost" else host, 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@dataclass
class Attempt:
    """Our adapter, what it yields and logs, and why it gave up."""

    net: IrcNetwork
    log: Log
    memory: dict[str, str]
    batches: list[Batch] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    async def online(self) -> None:
        async with asyncio.timeout(10):
            await self.net.ready()

    async def refusal(self) -> Refused:
        async with asyncio.timeout(10):
            while not self.refused:  # noqa: ASYNC110 - a list is no event
                await asyncio.sleep(0.02)
        return self.refused[0]

    async def take(self) -> None:
        """Take all that it yields, as the relay does."""
        stream = self.net.events(None)
        try:
            async for batch in stream:
                self.batches.append(batch)
                for key, value in batch.changes.items():
                    self.memory.pop(key, None)
                    if value is not None:
                        self.memory[key] = value
        except Refused as error:
            self.refused.append(error)
        finally:
            await stream.aclose()


@dataclass
class Notebook:
    """What a network remembers."""

    kept: dict[str, str]

    async def recall(self) -> Mapping[str, str]:
        return dict(self.kept)

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        raise AssertionError("what an IRC network remembers is in its batches")


@asynccontextmanager
async def attempt(
    server: Sequence[str] | str,
    memory: dict[str, str] | None = None,
    clock: Callable[[], float] = time.time,
    **changes: Any,
) -> AsyncGenerator[Attempt, None]:
    """Our adapter with these servers, while it tries to connect to them. `memory` is what it remembers."""
    settings = irc_settings(**{"name": "net", "burst": 100, "server": server, **changes})
    kept = {} if memory is None else memory
    net = IrcNetwork(settings, [POND], rng=random.Random(1), memory=Notebook(kept), clock=clock)
    with capture_logs() as entries:
        attempt = Attempt(net, Log(entries), kept)
        task = asyncio.create_task(attempt.take())
        try:
            yield attempt
        finally:
            net.leave()
            await asyncio.wait([task], timeout=2)
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()
