"""The socket over which commands on this machine ask the running daemon. Only its own user may connect."""

import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from bridge.admin.live import LARGEST, LONGEST_S, Json, NotDone
from bridge.http import server
from bridge.lib import sockets

log = structlog.get_logger()

_WAITING = 8
"""Connections that wait to be accepted."""
_OWN_ONLY = 0o177
_HINT = (
    "`status` tells less, and `verify`, `matrix-setup`, `reload`, `watch` and `healthcheck` do not work; all else does"
)

Answer = Callable[[str, Json], Awaitable[Json]]


async def serve(
    store: Path,
    config: Path,
    answer: Answer,
    environ: Mapping[str, str],
    routes: Sequence[web.AbstractRouteDef] = (),
) -> None:
    """Serve questions, and `routes`, until cancelled: in `$RUNTIME_DIRECTORY`, where systemd gives one, else beside the
    `store`, else beside the `config` file. Commands find it from each. A daemon that can listen nowhere goes on
    without, and says so in the log."""
    with ExitStack() as stack:
        listening = _first(store, config, environ, stack)
        if listening is not None:
            await server.serve_on(listening, [web.post("/ask", _asked(answer)), *routes], LARGEST)


def _first(store: Path, config: Path, environ: Mapping[str, str], stack: ExitStack) -> socket.socket | None:
    """Listen in the first place where that can be done, and where commands find it."""
    named = (sockets.of_store(store.absolute()), sockets.of_config(config.absolute()))
    places = [place for place in (sockets.of_service(environ), *named) if place is not None]
    problems = []
    for place in places:
        with ExitStack() as tried:
            try:
                listening = tried.enter_context(_listening(place))
                _link_all([name for name in named if name != place], place, tried, needed=place not in named)
            except OSError as error:
                problems.append((place, error.strerror or str(error)))
                continue
            stack.push(tried.pop_all())
            return listening
    path, reason = problems[0]
    log.warning("no_admin_socket", path=str(path), reason=reason, hint=_HINT)
    return None


def _link_all(names: Sequence[Path], place: Path, stack: ExitStack, *, needed: bool) -> None:
    """Let commands find the socket in `place`: they know the store, or only the config. Raises OSError if none of the
    `names` can link to it, though that is `needed`."""
    problem: OSError | None = None
    for name in names:
        try:
            stack.enter_context(_linked(name, place))
        except OSError as error:
            problem = problem or error
        else:
            needed = False
    if problem is not None and needed:
        raise problem


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket with mode 0600 from its first moment, removed at the end."""
    if len(os.fsencode(path)) > sockets.LONGEST:
        raise OSError(0, f"a socket's path may have {sockets.LONGEST} bytes: use a folder with a shorter path")
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
def _linked(name: Path, path: Path) -> Iterator[None]:
    """Let `name` be a symbolic link to the socket."""
    _remove_old(name)
    name.symlink_to(path)
    try:
        yield
    finally:
        with suppress(OSError):
            if name.readlink() == path:
                name.unlink()


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
