"""The socket over which commands on this machine ask the running daemon. Only its own user may connect."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path

import structlog
from aiohttp import web

from bridge.admin.live import LARGEST, Json, NotDone, socket_of

log = structlog.get_logger()

_LONGEST = 107
"""Bytes of a path at most: what `sun_path` holds (unix(7))."""
_WAITING = 8
_SHUTDOWN_S = 0.3
_OWN_ONLY = 0o177


async def serve(store: Path, answer: Callable[[str, Json], Awaitable[Json]], environ: Mapping[str, str]) -> None:
    """Serve until cancelled: in `$RUNTIME_DIRECTORY`, where systemd gives one, else beside the `store`. A daemon that
    cannot listen goes on without, and says so in the log."""
    beside = socket_of(store)
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    path = Path(runtime) / "admin.sock" if runtime else beside
    try:
        listening = _listen(path)
        if path != beside:
            _link(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "`quackbridge verify` and `matrix-setup` cannot ask the daemon, and `status` tells less; all else works"
        log.warning("no_admin_socket", path=str(path), reason=reason, hint=hint)
        return
    try:
        await _serve(listening, answer)
    finally:
        for each in {path, beside}:
            with suppress(OSError):
                each.unlink()


def _listen(path: Path) -> socket.socket:
    """A listening socket with mode 0600 from its first moment. What a daemon that was killed has left is replaced: no
    two run on one store."""
    if len(os.fsencode(path)) > _LONGEST:
        raise OSError(0, f"a socket's path may have {_LONGEST} bytes: use a store in a folder with a shorter path")
    _remove_old(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_OWN_ONLY)
    try:
        listening.bind(str(path))
        listening.listen(_WAITING)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _remove_old(path: Path) -> None:
    """Raises OSError if there is something else than a socket or a link to one: it is not ours."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
        raise OSError(0, "there is a file of that name")
    path.unlink()


def _link(beside: Path, path: Path) -> None:
    """Let commands find the socket, which know the store and not where systemd has put it."""
    _remove_old(beside)
    beside.symlink_to(path.absolute())


async def _serve(listening: socket.socket, answer: Callable[[str, Json], Awaitable[Json]]) -> None:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            question, about = asked["question"], asked.get("about", {})
            if not isinstance(question, str) or not isinstance(about, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": "this is no question"}, status=400)
        try:
            return web.json_response(await answer(question, about))
        except NotDone as error:
            return web.json_response({"error": error.message, "needs": error.needs}, status=409)

    application = web.Application(client_max_size=LARGEST)
    application.router.add_post("/ask", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
        listening.close()
