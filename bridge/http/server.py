"""The HTTP server. Anybody may connect; each address gets a small share of the connections and requests."""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.typedefs import Middleware
from aiohttp.web_protocol import RequestHandler

from bridge.http.headers import ALWAYS
from bridge.http.limits import TOO_OFTEN
from bridge.http.peers import Proxies, neighbourhood
from bridge.lib.bucket import TokenBucket
from bridge.lib.lru import LruDict
from bridge.network import Refused

_SHUTDOWN_S = 0.3
"""Seconds for open requests to finish when the daemon ends."""
_MOST = 64
"""Connections at a time, unless the process may have so few descriptors that a quarter of them is less."""
_MOST_EACH = 16
"""Connections at a time from one address; a proxy, whose clients are many, leaves as many to others."""
_SETTLED_S = 0.25
"""Seconds for a new connection to send its request, before another may have its place: clients send it at once."""
_BURST, _PER_S, _ADDRESSES = 200, 20.0, 2_000
"""Requests at once, and then per second, of one address, whatever they ask for; and addresses that are counted."""
_REQUEST_S, _ANSWER_S = 10.0, 30.0
"""Seconds after which a connection that is not being answered is closed, and seconds after which any is."""

_NO_REQUEST = "This is not a valid HTTP request.\n"

_Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
_Connect = Callable[[], asyncio.Protocol]


async def serve(
    host: str,
    port: int,
    routes: Iterable[web.AbstractRouteDef],
    proxies: Proxies | None = None,
    bound: asyncio.Event | None = None,
) -> None:
    """Serve `routes` on `host`:`port` until cancelled; `bound` is set once connections are taken. Raises Refused if the
    address cannot be listened on."""

    async def listen(connect: _Connect) -> asyncio.Server:
        try:
            server = await asyncio.get_running_loop().create_server(connect, host, port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(f"http.listen: cannot listen on {host}:{port} ({reason}); choose another address") from None
        if bound is not None:
            bound.set()
        return server

    await _serve(listen, web.Application(), routes, proxies if proxies is not None else Proxies())


async def serve_on(listening: socket.socket, routes: Iterable[web.AbstractRouteDef], largest: int) -> None:
    """Serve `routes` on a listening unix socket until cancelled. All its clients together have the share of one
    address; a request has `largest` bytes at most."""

    async def listen(connect: _Connect) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(connect, sock=listening)

    await _serve(listen, web.Application(client_max_size=largest), routes, Proxies(()))


async def _serve(
    listen: Callable[[_Connect], Awaitable[asyncio.Server]],
    application: web.Application,
    routes: Iterable[web.AbstractRouteDef],
    proxies: Proxies,
) -> None:
    most = min(_MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
    connections = _Connections(most, proxies)
    application.middlewares.append(_counted(connections))
    application[_CONNECTIONS] = connections
    application.on_response_prepare.append(_add_headers)
    application.add_routes(routes)
    runner = web.AppRunner(application, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    manager, loop = runner.server, asyncio.get_running_loop()
    assert manager is not None

    def handler() -> RequestHandler:
        return _Handler(manager, loop=loop, access_log=None, auto_decompress=False)  # type: ignore[arg-type]

    try:
        server = await listen(lambda: _Connection(handler, connections))
        async with server:
            await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _counted(connections: "_Connections") -> Middleware:
    """Counts each request of an address, and refuses those beyond its share."""

    @web.middleware
    async def answer(request: web.Request, handler: _Handle) -> web.StreamResponse:
        connection = connections.open.get(request.transport)
        if connection is None:  # they have left already
            return await handler(request)
        if not connections.count_request(connection.address):
            response = web.Response(status=429, text=f"{TOO_OFTEN}\n")
            response.force_close()
            return response
        with connection.answering():
            return await handler(request)

    return answer


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Give each answer the headers that keep browsers safe, and none that tells which versions we run."""
    response.headers["Server"] = "quackbridge"
    for key, value in ALWAYS.items():
        response.headers.setdefault(key, value)


class _Handler(RequestHandler):
    """aiohttp's handler of a connection, which neither repeats nor logs what is no request: a link may be in it."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status < 500:
            response: web.StreamResponse = web.Response(status=status, text=_NO_REQUEST)
            response.force_close()
        else:  # a mistake of ours, which is logged
            response = super().handle_error(request, status, exc, message)
        response.headers.update({**ALWAYS, "Server": "quackbridge"})
        return response


def extend_timeout(request: web.Request, seconds: float) -> None:
    """Let the answer to `request` take `seconds` from now, longer than others may."""
    if (connection := request.app[_CONNECTIONS].open.get(request.transport)) is not None:
        connection.extend(seconds)


def take_back(request: web.Request) -> None:
    """Let `request` not count: who asks has proved to be somebody who may ask as often as they like."""
    connections = request.app[_CONNECTIONS]
    if (connection := connections.open.get(request.transport)) is not None:
        connections.take_back(connection.address)


class _Connections:
    """Counts the connections and requests of each address, and knows the open connections by their transports."""

    def __init__(self, most: int, proxies: Proxies) -> None:
        self._most = most
        self._proxies = proxies
        self._per_address: Counter[str] = Counter()
        self._spent: LruDict[str, TokenBucket] = LruDict(_ADDRESSES)
        self.open: dict[asyncio.BaseTransport | None, _Connection] = {}

    def admit(self, address: str) -> bool:
        """Whether one more may come in; then it is counted. If all places are taken, one that waits for a request is
        disconnected: of the address with the most connections, the oldest."""
        most_each = max(_MOST_EACH, self._most - _MOST_EACH) if address in self._proxies else _MOST_EACH
        if self._per_address[address] >= most_each or not self._may_ask(address):
            return False
        if self._per_address.total() >= self._most and not self._make_room(address):
            return False
        self._per_address[address] += 1
        return True

    def count_closed(self, address: str) -> None:
        """One connection that was admitted is gone."""
        self._per_address[address] -= 1
        self._per_address += Counter()  # forgets addresses without a connection

    def count_request(self, address: str) -> bool:
        """Count a request. False if `address` asks too often. The clients of a proxy are counted one by one, where
        links are answered."""
        if not self._may_ask(address):
            return False
        if address not in self._proxies:
            bucket = self._spent.get(address) or TokenBucket(_BURST, _PER_S)
            bucket.spend(asyncio.get_running_loop().time())
            self._spent[address] = bucket
        return True

    def take_back(self, address: str) -> None:
        """Let the last request of `address` not count."""
        if (bucket := self._spent.peek(address)) is not None:
            bucket.give_back()

    def _may_ask(self, address: str) -> bool:
        bucket = self._spent.peek(address)
        return bucket is None or bucket.has_token(asyncio.get_running_loop().time())

    def _make_room(self, address: str) -> bool:
        idle = [connection for connection in self.open.values() if connection.is_idle]
        victim = max(idle, key=lambda connection: self._per_address[connection.address], default=None)
        if victim is None:
            return False
        is_theirs = self._per_address[victim.address] > self._per_address[address] + 1
        settled = asyncio.get_running_loop().time() - victim.since >= _SETTLED_S
        if not is_theirs and not settled:
            return False
        victim.end()
        return True


class _Connection(asyncio.Protocol):
    """One connection: aiohttp's handler, with a limit to its time."""

    def __init__(self, handlers: Callable[[], RequestHandler], connections: _Connections) -> None:
        self._handlers = handlers  # one costs much more than a connection that is not let in
        self._handler: RequestHandler | None = None
        self._connections = connections
        self.address = ""
        self.since = 0.0
        self._timers: tuple[asyncio.TimerHandle, ...] = ()
        self._answering = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.address = neighbourhood(str((transport.get_extra_info("peername") or ("",))[0]))
        if not self._connections.admit(self.address):
            transport.abort()
            return
        self._transport, self._handler = transport, self._handlers()
        self._connections.open[transport] = self
        loop = asyncio.get_running_loop()
        self.since = loop.time()
        self._timers = (
            loop.call_later(_REQUEST_S, self._end, transport),
            loop.call_later(_ANSWER_S, transport.abort),
        )
        self._handler.connection_made(transport)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request."""
        return self._transport is not None and not self._answering

    def end(self) -> None:
        """Disconnect at once, and be counted no more."""
        self._leave(None)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a whole request is there and its answer is not."""
        self._answering = True
        try:
            yield
        finally:
            self._answering = False

    def extend(self, seconds: float) -> None:
        """Let the answer that is under way take `seconds` from now."""
        if self._transport is not None:
            _, timer = self._timers
            timer.cancel()
            later = asyncio.get_running_loop().call_later(seconds, self._transport.abort)
            self._timers = (self._timers[0], later)

    def _end(self, transport: asyncio.Transport) -> None:
        """Close the connection, behind the answer that is under way, if there is one."""
        if self._handler is not None:
            self._handler.close()
        if not self._answering:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._leave(exc)

    def _leave(self, exc: BaseException | None) -> None:
        for timer in self._timers:
            timer.cancel()
        transport, handler = self._transport, self._handler
        self._transport = self._handler = None
        if transport is not None and handler is not None:
            self._connections.count_closed(self.address)
            del self._connections.open[transport]
            transport.abort()
            handler.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._handler is not None:
            self._handler.data_received(data)

    def eof_received(self) -> None:
        if self._handler is not None:
            self._handler.eof_received()

    def pause_writing(self) -> None:
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        if self._handler is not None:
            self._handler.resume_writing()


_CONNECTIONS = web.AppKey("connections", _Connections)
