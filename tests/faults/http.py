"""A proxy that understands HTTP: it passes requests on to a real homeserver, and spoils the answers it is told to."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from bridge.demo.servers.process import HOST

Ask = Callable[[], Awaitable[web.Response]]
"""Passes the request on, and gives the homeserver's answer."""

Fault = Callable[[web.Request, Ask], Awaitable[web.StreamResponse]]
"""What comes instead of the answer."""

_BLOCK = b'{"next_batch":' + b" " * 65536
_HOP = ("Transfer-Encoding", "Content-Encoding", "Content-Length", "Connection")


@dataclass(slots=True)
class _Rule:
    part: str
    fault: Fault
    times: int


class HttpProxy:
    """Between the bridge and the homeserver at `target`, with TLS where there is a `tls` context."""

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self.asked: list[str] = []
        """Method and path of each request so far."""
        self._target = target
        self._tls = tls
        self._rules: list[_Rule] = []
        self._asked_one = asyncio.Condition()

    def spoil(self, part: str, fault: Fault, times: int = 1) -> None:
        """Spoil the answers of so many requests whose `METHOD /path` contains `part`."""
        self._rules.append(_Rule(part, fault, times))

    def mend(self) -> None:
        """Spoil nothing any more."""
        self._rules.clear()

    @property
    def spent(self) -> bool:
        """Whether every answer that was to be spoilt has been spoilt."""
        return not any(rule.times for rule in self._rules)

    async def spoilt(self) -> None:
        """Return when every answer that was to be spoilt is being spoilt."""
        async with self._asked_one:
            await self._asked_one.wait_for(lambda: self.spent)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession()
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0, ssl_context=self._tls).start()
        scheme, host = ("https", "localhost") if self._tls else ("http", HOST)
        self.url = f"{scheme}://{host}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._http.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = f"{request.method} {request.path}"
        self.asked.append(asked)
        body = await request.read()

        async def ask() -> web.Response:
            url = URL(self._target + request.raw_path, encoded=True)
            headers = {key: value for key, value in request.headers.items() if key not in ("Host", "Content-Length")}
            async with self._http.request(request.method, url, data=body, headers=headers) as answer:
                kept = {key: value for key, value in answer.headers.items() if key not in _HOP}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)

        for rule in self._rules:
            if rule.times and rule.part in asked:
                rule.times -= 1
                async with self._asked_one:
                    self._asked_one.notify_all()
                return await rule.fault(request, ask)
        return await ask()


def says(status: int, body: str, kind: str = "application/json") -> Fault:
    """Give this answer without asking the homeserver."""

    async def fault(_request: web.Request, _ask: Ask) -> web.Response:
        return web.Response(status=status, text=body, content_type=kind)

    return fault


async def lost(request: web.Request, ask: Ask) -> web.Response:
    """The homeserver does as asked, and its answer never arrives."""
    answer = await ask()
    assert request.transport is not None
    request.transport.abort()
    return answer


async def cut(_request: web.Request, ask: Ask) -> web.Response:
    """Half of the answer."""
    answer = await ask()
    assert isinstance(answer.body, bytes)
    return web.Response(status=answer.status, body=answer.body[: len(answer.body) // 2])


async def unended(request: web.Request, ask: Ask) -> web.StreamResponse:
    """Half of the answer, and then nothing, for as long as anybody waits."""
    body = (await ask()).body
    assert isinstance(body, bytes)
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    await asyncio.Event().wait()
    return answer


async def endless(request: web.Request, _ask: Ask) -> web.StreamResponse:
    """An answer without end, as fast as it is read."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(_BLOCK)


async def whole(_request: web.Request) -> None:
    """Nothing is wrong."""


def file(data: bytes, *, length: int | None = None, then: Callable[[web.Request], Awaitable[None]] = whole) -> Fault:
    """A file of so many bytes as its header says (None: as it has; 0: it does not say), of which `data` is sent, and
    `then` ends it."""

    async def fault(request: web.Request, _ask: Ask) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "image/png"})
        if length != 0:
            answer.content_length = length or len(data)
        await answer.prepare(request)
        await answer.write(data)
        await then(request)
        return answer

    return fault


async def aborts(request: web.Request) -> None:
    """The connection is reset."""
    await asyncio.sleep(0.2)  # what was sent has arrived
    assert request.transport is not None
    request.transport.abort()


async def closes(request: web.Request) -> None:
    """The connection is closed in good order."""
    assert request.transport is not None
    request.transport.close()


async def silence(_request: web.Request) -> None:
    """Nothing more comes, for as long as anybody waits."""
    await asyncio.Event().wait()


async def more(request: web.Request) -> None:
    """More than was promised."""
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"surplus" * 1000)
