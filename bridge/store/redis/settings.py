"""Whether a Redis server is set up so that it loses nothing: asked once, when the store is opened."""

from collections.abc import Mapping
from typing import Any

import structlog
from redis import exceptions

from bridge.store.contract import Unavailable, Unusable
from bridge.store.redis.server import Server

log = structlog.get_logger()

_OLDEST = 7  # older ones do not know the flags of scripts
_WANTED = {
    "appendonly": ("yes", "else it forgets what was written before it was stopped"),
    "appendfsync": ("always", "else it may lose the last second in a power cut"),
    "maxmemory-policy": ("noeviction", "else it deletes messages when its memory is full"),
}
"""Each setting that is needed, with its value, and why."""


async def check(server: Server) -> None:
    """Raises `Unusable`, in words that say what to do, if `server` is unfit. Where the settings cannot be asked, as on
    managed servers, that is a warning. Learns how many replicas have to confirm writes."""
    try:
        with server.translated():
            about = await server.client.info()
            _check_server(server, about)
            found = await _settings(server)
    except Unavailable as error:
        if isinstance(error.__cause__, exceptions.AuthenticationError):
            raise Unusable(f"{server.address}: the Redis server does not accept the password of the config") from error
        raise
    except exceptions.ResponseError as error:
        if not isinstance(error, exceptions.NoPermissionError) and not str(error).startswith(("NOPERM", "NOAUTH")):
            raise
        raise Unusable(f"{server.address}: our user may not use INFO on the Redis server: allow it (ACL)") from error
    wrong = [
        f"{name} has to be {value!r}, and is {found[name]!r}: {why}"
        for name, (value, why) in _WANTED.items()
        if name in found and found[name] != value
    ]
    if wrong:
        raise Unusable(f"{server.address}: the Redis server is not safe for messages. {'. '.join(wrong)}")
    if missing := sorted({*_WANTED} - {*found}):
        log.warning(
            "redis_settings_unknown",
            settings=missing,
            hint="this Redis server does not tell its settings; see that it has "
            + ", ".join(f"{name} {_WANTED[name][0]}" for name in missing),
        )


def _check_server(server: Server, about: Mapping[str, Any]) -> None:
    version = str(about.get("redis_version", "0"))
    if int(version.partition(".")[0]) < _OLDEST:
        raise Unusable(f"{server.address}: Redis {version} is too old: install Redis {_OLDEST} or newer, or Valkey")
    if about.get("role") == "slave":
        raise Unusable(f"{server.address}: this Redis server is a replica: name the address of its primary")
    server.meet(about)


async def _settings(server: Server) -> Mapping[str, str]:
    """Those of `_WANTED` that the server tells."""
    try:
        found = await server.client.config_get(*_WANTED)
    except exceptions.ResponseError:  # forbidden, or renamed
        return {}
    return {_text(name): _text(value) for name, value in found.items()}


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""
