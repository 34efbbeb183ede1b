"""Where the socket of the running daemon is, and HTTP over it. Quick to import: health checks are frequent."""

import http.client
import os
import socket
import struct
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

LONGEST = 107
"""Bytes of a socket's path at most: what `sun_path` holds (unix(7))."""
_PEER = struct.Struct("3i")
"""Process, user and group of who listens (unix(7), `SO_PEERCRED`)."""


def of_store(store: Path) -> Path:
    """The socket of the daemon with that store, or a symbolic link to it."""
    return store.with_name(f"{store.name}.sock")


def of_config(config: Path) -> Path:
    """The socket of the daemon with that config file, or a symbolic link to it."""
    return config.with_name(f".{config.name}.sock")


def of_service(environ: Mapping[str, str]) -> Path | None:
    """The socket in the folder that systemd gives a service; None if there is none."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(runtime).absolute() / "admin.sock" if runtime else None


def places(store: Path | None, config: Path | None, environ: Mapping[str, str]) -> Sequence[Path]:
    """Where a command looks for the socket. What is named after the store or the config comes first: two daemons may
    share a folder of systemd, or a command may run in the service of something else."""
    wanted = (store and of_store(store), config and of_config(config), of_service(environ))
    return [place.absolute() for place in wanted if place is not None]


def found(places: Sequence[Path]) -> Path:
    """The first of `places` where there is a socket, or where we may not look; else the first."""
    return next((place for place in places if _is_there(place)), places[0])


def _is_there(place: Path) -> bool:
    try:
        return place.is_socket()
    except PermissionError:
        return True


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the unix socket `path`, or the one to which it links. Raises PermissionError if the process that
    listens there belongs to another user than those who are `trusted`."""

    def __init__(self, path: Path, trusted: Collection[int], timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path
        self._trusted = trusted

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.path.realpath(self._path))
        found = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        if _PEER.unpack(found)[1] not in self._trusted:
            raise PermissionError
