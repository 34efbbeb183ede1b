"""The socket over which commands on this machine ask the running daemon. Only its own user may connect."""

import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from bridge.admin.live import LARGEST, LONGEST_S, Json, NotDone, socket_of
from bridge.http import server

log = structlog.get_logger()

_LONGEST = 107
"""Bytes of a path at most: what `sun_path` holds (unix(7))."""
_WAITING = 8
"""Connections that wait to be accepted."""
_OWN_ONLY = 0o177


Answer = Callable[[str, Json], Awaitable[Json]]


async def serve(store: Path, answer: Answer, environ: Mapping[str, str]) -> None:
    """Serve until cancelled: in `$RUNTIME_DIRECTORY`, where systemd gives one, else beside the `store`. A daemon that
    cannot listen goes on without, and says so in the log."""
    beside, path = socket_of(store), _place(store, environ)
    try:
        with _listening(path) as listening, _linked(beside, path):
            await server.serve_on(listening, [web.post("/ask", _asked(answer))], LARGEST)
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "`quackbridge verify` and `matrix-setup` cannot ask the daemon, and `status` tells less; all else works"
        log.warning("no_admin_socket", path=str(path), reason=reason, hint=hint)


def _place(store: Path, environ: Mapping[str, str]) -> Path:
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(runtime).absolute() / "admin.sock" if runtime else socket_of(store)


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket with mode 0600 from its first moment, removed at the end."""
    if len(os.fsencode(path)) > _LONGEST:
        raise OSError(0, f"a socket's path may have {_LONGEST} bytes: use a store in a folder with a shorter path")
    _remove_old(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        before = os.umask(_OWN_ONLY)
        try:
            listening.bind(str(path))
        finally:
            os.umask(before)
        ours = path.lstat()
        try:
            listening.listen(_WAITING)
            yield listening
        finally:
            with suppress(OSError):
                if os.path.samestat(path.lstat(), ours):  # else somebody has put another there
                    path.unlink()


@contextmanager
def _linked(beside: Path, path: Path) -> Iterator[None]:
    """Let commands find the socket: they know the store, and not where systemd has put the socket."""
    if path == beside:
        yield
        return
    _remove_old(beside)
    beside.symlink_to(path)
    try:
        yield
    finally:
        with suppress(OSError):
            if beside.readlink() == path:
                beside.unlink()


def _remove_old(path: Path) -> None:
    """Remove what a daemon that was killed has left. Raises OSError if it is something else, or in use: a store has
    one daemon at a time, but two stores may share a folder of systemd."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISSOCK(mode) or stat.S_ISLNK(mode)):
        raise OSError(0, "there is a file of that name")
    if stat.S_ISSOCK(mode) and _is_in_use(path):
        raise OSError(0, "another daemon listens there")
    path.unlink()


def _is_in_use(path: Path) -> bool:
    """Whether somebody listens there, even if they are too busy to accept."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(0)
        try:
            asking.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
        return True


def _asked(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            question, about = asked["question"], asked.get("about", {})
            if not isinstance(question, str) or not isinstance(about, dict):
                raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return web.json_response({"error": "this is no question"}, status=400)
        server.extend_timeout(request, LONGEST_S)  # a homeserver may be asked for the answer
        try:
            return web.json_response(await answer(question, about))
        except NotDone as error:
            return web.json_response({"error": error.message, "needs": error.needs}, status=409)

    return handle
