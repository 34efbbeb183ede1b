"""Health checks over HTTP: `/healthz` says that the daemon runs, `/readyz` that it has joined every room."""

from collections.abc import Callable, Sequence

from aiohttp import web


def routes(ready: Callable[[], bool]) -> Sequence[web.AbstractRouteDef]:
    """Answer 200 `ok`, or 503 `not ready`."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(text="not ready\n", status=503)

    return web.get("/healthz", healthz), web.get("/readyz", readyz)
