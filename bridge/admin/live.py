"""What only the running daemon knows or does, as the administration verbs ask for it."""

import asyncio
import http.client
import json
import os
import socket
import struct
from collections.abc import Callable, Collection, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

import click

from bridge.lib.files import not_ours

Json = Mapping[str, Any]
LARGEST = 65_536
"""Bytes of a question, and of an answer, at most."""
_PATIENCE_S = {"encryption": 2.0}
LONGEST_S = 90.0
"""Seconds for what asks a homeserver."""
_PEER = struct.Struct("3i")
"""Process, user and group of who listens (unix(7), `SO_PEERCRED`)."""
_NOT_RUNNING = "the daemon does not run: start it with `quackbridge run`"
_SILENT = "the daemon does not answer: look at its log, or restart it"


class NotRunning(click.ClickException):
    """No daemon runs with this store, or it does not answer. The text says what to do."""


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
            raise NotRunning(_SILENT) from None


class SocketLive:
    """Asks the daemon that runs with the `store`, over its unix socket."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._path = socket_of(store)

    def ask(self, question: str, **about: object) -> Json:
        """See `Live`."""
        body = json.dumps({"question": question, "about": about})
        connection = _UnixConnection(self._path, self._trusted(), _PATIENCE_S.get(question, LONGEST_S))
        try:
            connection.request("POST", "/ask", body, {"Content-Type": "application/json"})
            found = json.loads(connection.getresponse().read(LARGEST))
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotRunning(_NOT_RUNNING) from None
        except PermissionError:
            raise NotRunning(f"{self._path}: {not_ours(self._path)}") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise NotRunning(_SILENT) from None
        finally:
            connection.close()
        if not isinstance(found, dict) or "error" in found:
            error = found if isinstance(found, dict) else {}
            raise NotDone(str(error.get("error", _SILENT)), str(error.get("needs", "")))
        return found

    def _trusted(self) -> set[int]:
        """The users whose daemon it may be: recovery keys and passwords are told to no other."""
        try:
            return {0, os.geteuid(), self._store.stat().st_uid}
        except OSError:
            return {0, os.geteuid()}


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the unix socket `path`. Raises PermissionError if the process that listens there belongs to another
    user than those who are `trusted`."""

    def __init__(self, path: Path, trusted: Collection[int], timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._trusted = trusted

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
        found = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(found)[1] not in self._trusted:
            raise PermissionError


def socket_of(store: Path) -> Path:
    """Where the daemon with that store listens: its socket, or a symbolic link to it."""
    return store.with_name(f"{store.name}.sock")
