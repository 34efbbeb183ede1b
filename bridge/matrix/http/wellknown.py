"""Finds the homeserver of a domain by its `/.well-known/matrix/client` (spec, "Server discovery")."""

from urllib.parse import urlsplit

import structlog
from yarl import URL

from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Homeserver, Stranger, Unreachable

log = structlog.get_logger()

_PATH = "/.well-known/matrix/client"
_HINT = "put the URL that Matrix clients use into `homeserver`"


async def find(homeserver: Homeserver, network: str) -> None:
    """Let `homeserver` ask where the configured URL leads. If no homeserver answers there, but a well-known document
    does, that is the place that the document names. Raises ApiError or Unreachable if that fails."""
    homeserver.move(homeserver.configured)
    trouble = await _trouble(homeserver)
    if not trouble:
        return
    place = str(URL(homeserver.configured).origin()) + _PATH
    try:
        document = await homeserver.document(place)
    except (ApiError, Unreachable) as error:
        raise Unreachable(f"no Matrix homeserver answers there: {trouble}; and {place}: {error}", _HINT) from None
    try:
        url = base_url(document)
    except ValueError as error:
        raise Unreachable(f"no Matrix homeserver answers there: {trouble}; and {place}: {error}", _HINT) from None
    homeserver.move(url)
    if trouble := await _trouble(homeserver):
        raise Unreachable(f"{place} names {url}, but no Matrix homeserver answers there: {trouble}", _HINT)
    log.info("homeserver_found", network=network, homeserver=url, by=place)


async def _trouble(homeserver: Homeserver) -> str:
    """Why no homeserver answers; empty if one does."""
    try:
        await homeserver.once("GET", ("login",))
    except ApiError as error:
        if error.passes:
            raise
        return "" if error.code else str(error)
    except Stranger as error:
        return str(error)
    return ""


def base_url(document: Json) -> str:
    """The URL of the homeserver that a well-known document names. Raises ValueError, in words, if there is none that is
    safe: the password goes there."""
    url = word(table(document, "m.homeserver"), "base_url")
    if not url:
        raise ValueError("it names no homeserver (m.homeserver, base_url)")
    shown = ascii(url[:200])
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and url.isprintable() and not any(map(str.isspace, url))
    except ValueError:
        valid = False
    if not valid or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise ValueError(f"what it names is not the URL of a homeserver: {shown}")
    if parts.scheme == "http":
        raise ValueError(f"it names {shown}, and anyone on the path could read the password: it must be https://")
    return url.rstrip("/")
