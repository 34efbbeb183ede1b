"""What only the running daemon knows or does, as the administration verbs ask for it."""

import asyncio
import http.client
import json
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import click

from bridge.lib import exits, sockets
from bridge.lib.files import not_ours

Json = Mapping[str, Any]
LARGEST = 65_536
"""Bytes of a question, and of a line, at most."""
LARGEST_ANSWER = 16_000_000
"""Bytes of an answer at most: a room takes about a thousand."""
STREAM_S = 30.0
"""Seconds between two lines of a stream at most: an empty one comes every 10 s."""
_PATIENCE_S = {"encryption": 2.0, "ghosts": 2.0, "health": 2.0}
LONGEST_S = 90.0
"""Seconds for what asks a homeserver."""
_NOT_RUNNING = "the daemon does not run: start it with `quackbridge run`"
_SILENT = "the daemon does not answer: look at its log, or restart it"


class NotRunning(click.ClickException):
    """No daemon runs with this store. The text says what to do."""

    exit_code = exits.NOT_RUNNING


class NotAnswering(NotRunning):
    """A daemon may run, but it does not answer. The text says what to do."""

    exit_code = exits.FAILED


class NotDone(click.ClickException):
    """The daemon cannot do what is asked. `needs` names what it has to be given, if that would help."""

    def __init__(self, message: str, needs: str = "") -> None:
        super().__init__(message)
        self.needs = needs


class Live(Protocol):
    """The running daemon: from the command line over its socket, from a chat directly."""

    def ask(self, question: str, **about: object) -> Json:
        """The answer to one of the questions of `bridge.admin.answers`, as JSON. Call it in a thread without an event
        loop: it blocks. Raises NotRunning and NotDone."""
        ...


class LocalLive:
    """Asks the daemon of this process; `answer` runs in its event `loop`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, answer: Callable[[str, Json], Coroutine[Any, Any, Json]]
    ) -> None:
        self._loop = loop
        self._answer = answer

    def ask(self, question: str, **about: object) -> Json:
        """See `Live`."""
        asked = asyncio.run_coroutine_threadsafe(self._answer(question, about), self._loop)
        try:
            return asked.result(_PATIENCE_S.get(question, LONGEST_S))
        except TimeoutError:
            asked.cancel()
            raise NotAnswering(_SILENT) from None


class SocketLive:
    """Asks the daemon over its unix socket, in one of `places`. It belongs to whom the file `owned` belongs."""

    def __init__(self, places: Sequence[Path], owned: Path) -> None:
        self._places = places
        self._owned = owned

    def ask(self, question: str, **about: object) -> Json:
        """See `Live`."""
        body = json.dumps({"question": question, "about": about})
        with self._connected(_PATIENCE_S.get(question, LONGEST_S)) as connection:
            connection.request("POST", "/ask", body, {"Content-Type": "application/json"})
            found = json.loads(connection.getresponse().read(LARGEST_ANSWER))
        if not isinstance(found, dict) or "error" in found:
            error = found if isinstance(found, dict) else {}
            raise NotDone(str(error.get("error", _SILENT)), str(error.get("needs", "")))
        return found

    def lines(self, path: str) -> Iterator[Json]:
        """The JSON documents that the daemon answers to GET `path`, one a line, until it ends. Raises NotRunning and
        NotDone."""
        with self._connected(STREAM_S) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise NotDone(answer.read(LARGEST).decode(errors="replace").strip())
            while line := answer.readline(LARGEST):
                if line.strip():
                    yield json.loads(line)

    @contextmanager
    def _connected(self, timeout: float) -> Iterator[http.client.HTTPConnection]:
        path = sockets.found(self._places)
        connection = sockets.UnixConnection(path, self._trusted(), timeout)
        try:
            yield connection
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotRunning(_NOT_RUNNING) from None
        except PermissionError:
            raise NotAnswering(f"{path}: {not_ours(path)}") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise NotAnswering(_SILENT) from None
        finally:
            connection.close()

    def _trusted(self) -> set[int]:
        """The users whose daemon it may be: recovery keys and passwords are told to no other."""
        try:
            return {0, os.geteuid(), self._owned.stat().st_uid}
        except OSError:
            return {0, os.geteuid()}
