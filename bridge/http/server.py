"""The HTTP server: anybody may connect to it, and nobody can take more than a small share of our connections."""

import asyncio
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

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

_Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve(host: str, port: int, routes: Iterable[web.AbstractRouteDef]) -> None:
    """Serve `routes` on `host`:`port` until cancelled. Raises Refused if the address cannot be listened on."""
    door = _Door(min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))

    @web.middleware
    async def answer(request: web.Request, handler: _Handle) -> web.StreamResponse:
        visit = door.visits.get(request.transport)
        if visit is None:  # they have left already
            return await handler(request)
        with visit.answering():
            return await handler(request)

    application = web.Application(middlewares=[answer])
    application[_DOOR] = door
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE_S)
    await runner.setup()
    handlers = runner.server
    assert handlers is not None

    try:
        try:
            server = await asyncio.get_running_loop().create_server(lambda: _Visit(handlers(), door), host, port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(f"http.listen: cannot listen on {host}:{port} ({reason}); choose another address") from None
        async with server:
            await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def give_time(request: web.Request, seconds: float) -> None:
    """Let the answer to `request` take `seconds` from now, longer than others may."""
    if (visit := request.app[_DOOR].visits.get(request.transport)) is not None:
        visit.last(seconds)


class _Door:
    """Counts the connections of each address, and knows those that are open by their transports."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: Counter[str] = Counter()
        self.visits: dict[asyncio.BaseTransport | None, _Visit] = {}

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
        self._answering = False
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        address = str((transport.get_extra_info("peername") or ("",))[0])
        if not self._door.lets_in(address):
            transport.abort()
            return
        self._address, self._transport = address, transport
        self._door.visits[transport] = self
        loop = asyncio.get_running_loop()
        self._timers = (
            loop.call_later(_REQUEST_S, self._end, transport),
            loop.call_later(_ANSWER_S, transport.abort),
        )
        self._handler.connection_made(transport)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a whole request is there and its answer is not."""
        self._answering = True
        try:
            yield
        finally:
            self._answering = False

    def last(self, seconds: float) -> None:
        """Let the answer that is under way take `seconds` from now."""
        if self._transport is not None and self._address is not None:
            _, timer = self._timers
            timer.cancel()
            assert isinstance(self._transport, asyncio.Transport)
            later = asyncio.get_running_loop().call_later(seconds, self._transport.abort)
            self._timers = (self._timers[0], later)

    def _end(self, transport: asyncio.Transport) -> None:
        """Close the connection, behind the answer that is under way, if there is one."""
        self._handler.close()
        if not self._answering:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in self._timers:
            timer.cancel()
        if self._address is not None:
            self._door.out(self._address)
            del self._door.visits[self._transport]
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


_DOOR = web.AppKey("door", _Door)
