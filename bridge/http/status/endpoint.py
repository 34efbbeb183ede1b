"""Serves the status page: to this machine alone, unless the config says to whom."""

import base64
import hashlib
import ipaddress
from collections.abc import Callable, Sequence

from aiohttp import web
from yarl import URL

from bridge.http.peers import is_own
from bridge.http.status.page import page
from bridge.http.status.style import STYLE
from bridge.model.health import Health

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Nothing but our own style is loaded or runs, whatever a hostile server has written into a reason
(https://www.w3.org/TR/CSP3/)."""


def routes(health: Callable[[], Health], *, shown: bool | None) -> Sequence[web.AbstractRouteDef]:
    """`shown`: the page is for everybody (True), for nobody (False), or for this machine alone (None). For others there
    is no such place."""
    last: list[tuple[Health, str]] = []  # the health changes once a second: many readers cost one page

    async def answer(request: web.Request) -> web.Response:
        if not (_is_local(request) if shown is None else shown):
            raise web.HTTPNotFound
        now = health()
        if not last or last[0][0] is not now:
            last[:] = [(now, page(now))]
        return web.Response(text=last[0][1], content_type="text/html", charset="utf-8", headers=_HEADERS)

    return [web.get("/", answer)]


def _is_local(request: web.Request) -> bool:
    """Whether a browser on this machine asks for this machine by name: not through a proxy, and not for a page on the
    web whose name leads here (DNS rebinding)."""
    return is_own(request.remote or "", request.headers) and _names_this_machine(request.host)


def _names_this_machine(host: str) -> bool:
    try:
        name = URL(f"http://{host}").host or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
