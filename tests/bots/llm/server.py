"""A server that speaks the protocol of OpenAI's chat completions, as it is told to."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """`answers`: what it does with each request in turn; the last one for all that follow."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def run(self) -> AsyncIterator["Server"]:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)


def piece(text: str) -> dict[str, Any]:
    return {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}


def streams(*pieces: str | dict[str, Any] | bytes, tokens: int = 0, pause: float = 0.0, ends: bool = True) -> Answer:
    """The pieces as events; texts are made pieces of the protocol, bytes are sent as they are."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for each in pieces:
            await response.write(
                each if isinstance(each, bytes) else _event(piece(each) if isinstance(each, str) else each)
            )
            await asyncio.sleep(pause)
        if tokens:
            await response.write(_event({"id": "1", "choices": [], "usage": {"total_tokens": tokens}}))
        if ends:
            await response.write(b"data: [DONE]\n\n")
        return response

    return answer


def says(status: int, body: object = None, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body or {"error": {"message": "no"}}, status=status, headers=named)

    return answer


async def hangs(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()


def contents(asked: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """Roles and contents of a request."""
    return [(each["role"], each["content"]) for each in asked["messages"]]


def floods(*, status: int = 200, **headers: str) -> Answer:
    """One line without end, a megabyte at a time, at most 64 of them."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = web.StreamResponse(status=status, headers={"Content-Type": "text/event-stream", **named})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                await response.write(b"x" * 1_000_000)
        return response

    return answer
