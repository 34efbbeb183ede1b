"""A homeserver that has large files, as a process of its own: it passes requests on to a real one, and has a child
process send each file, so that the messages do not wait for it."""

import asyncio
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress

from bridge.demo.servers.process import HOST

SIZE = 20 << 30
"""Bytes of a file."""
PATH = "/_matrix/client/v1/media/download/large.example/large"
_HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n".encode()
_LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)
_BLOCK = bytes(1 << 20)


@asynccontextmanager
async def before(homeserver_port: int) -> AsyncGenerator[str, None]:
    """The URL of a homeserver like the one at that port, with the file `mxc://large.example/large`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.large_files", str(homeserver_port)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield f"http://{HOST}:{(await process.stdout.readline()).decode().strip()}"
    finally:
        process.kill()
        await process.wait()


def _serve(homeserver: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server((HOST, 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            threading.Thread(target=_answer, args=[server.accept()[0], homeserver], daemon=True).start()


def _answer(client: socket.socket, homeserver: int) -> None:
    with closing(client), closing(socket.create_connection((HOST, homeserver))) as there, suppress(OSError):
        for each in (client, there):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_pass, args=[there, client], daemon=True).start()
        with client.makefile("rb") as requests:
            while head := b"".join(iter(requests.readline, b"\r\n")):
                if PATH.encode() in head.split(b"\r\n")[0]:
                    if os.fork() == 0:
                        _send(client)
                    return
                length = _LENGTH.search(head)
                there.sendall(head + b"\r\n" + requests.read(int(length[1]) if length else 0))


def _pass(there: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := there.recv(65536):
            client.sendall(data)


def _send(client: socket.socket) -> None:
    """In a child process: send the file, and end."""
    os.nice(19)
    with suppress(OSError):
        client.sendall(_HEAD)
        for _ in range(SIZE // len(_BLOCK)):
            client.sendall(_BLOCK)
    os._exit(0)


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
