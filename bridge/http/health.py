"""Health checks over HTTP: `/healthz` says that the daemon runs, `/readyz` that it has joined every room."""

import asyncio
from collections.abc import Callable

from aiohttp import web

_GOODBYE = 0.3
"""Seconds for open requests to finish when the daemon ends."""


async def serve(host: str, port: int, ready: Callable[[], bool]) -> None:
    """Answer on `host`:`port` until cancelled: 200 `ok`, or 503 `not ready`. OSError if the address is taken."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(text="not ready\n", status=503)

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_GOODBYE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
