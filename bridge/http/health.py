"""Health checks over HTTP: `/healthz` says whether the daemon works, `/readyz` whether it carries everything."""

from collections.abc import Callable, Sequence

from aiohttp import web

from bridge.model.health import Health, Status

_FRESH = {"Cache-Control": "no-store"}


def routes(wedged: Callable[[], str], health: Callable[[], Health]) -> Sequence[web.AbstractRouteDef]:
    """`wedged`: why the daemon does not work any more; '' if it does. Both answer 200, or 503 and why."""

    async def healthz(_request: web.Request) -> web.Response:
        problem = wedged()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200, headers=_FRESH)

    async def readyz(_request: web.Request) -> web.Response:
        now = health()
        return web.json_response(now.as_json(), status=200 if now.status is Status.OK else 503, headers=_FRESH)

    return web.get("/healthz", healthz), web.get("/readyz", readyz)
