"""The HTTP server: anybody may connect to it, and nobody can take more than a small share of our connections."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from bridge.network import Refused

_GOODBYE_S = 0.3
"""Seconds for open requests to finish when the daemon ends."""
_MOST = 64
"""Connections at a time, unless the process may have so few descriptors that a quarter of them is less."""
_MOST_EACH = 16
"""Connections at a time from one address."""
_REQUEST_S, _ANSWER_S = 10.0, 30.0
"""Seconds after which a connection that is not being answered is closed, and seconds after which any is."""


async def serve(host: str, port: int, routes: Iterable[web.AbstractRouteDef]) -> None:
    """Serve `routes` on `host`:`port` until cancelled. Raises Refused if the address cannot be listened on."""
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE_S)
    await runner.setup()
    door = _Door(min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
    handle = runner.server
    assert handle is not None
    try:
        try:
            server = await asyncio.get_running_loop().create_server(lambda: _Visit(handle(), door), host, port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(f"http.listen: cannot listen on {host}:{port} ({reason}); choose another address") from None
        async with server:
            await asyncio.Event().wait()
    finally:
        await runner.cleanup()


class _Door:
    """Counts the connections of each address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: Counter[str] = Counter()

    def lets_in(self, address: str) -> bool:
        """Whether one more may come in; then it is counted."""
        if self._inside.total() >= self._most or self._inside[address] >= _MOST_EACH:
            return False
        self._inside[address] += 1
        return True

    def out(self, address: str) -> None:
        self._inside[address] -= 1
        self._inside += Counter()  # forgets addresses without a connection


class _Visit(asyncio.Protocol):
    """One connection: aiohttp's handler, with a limit to its time."""

    def __init__(self, handler: RequestHandler, door: _Door) -> None:
        self._handler = handler
        self._door = door
        self._address: str | None = None
        self._timers: tuple[asyncio.TimerHandle, ...] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        address = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._door.lets_in(address):
            transport.abort()
            return
        self._address = address
        loop = asyncio.get_running_loop()
        later = loop.call_later(_REQUEST_S, self._handler.close), loop.call_later(_ANSWER_S, transport.abort)
        self._timers = later
        self._handler.connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._address is not None:
            self._door.out(self._address)
            self._handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is not None:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._address is not None:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()
