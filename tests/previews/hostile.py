"""A web server that says exactly what a test wants, byte by byte, and what else a fetch needs in tests."""

import asyncio
import io
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Network

from PIL import Image

from bridge.previews.fetcher import Deadlines, Fetcher

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
LOOPBACK = (IPv4Network("127.0.0.0/8"),)


def picture(width: int = 6, height: int = 4, format: str = "PNG", **how: object) -> bytes:  # noqa: A002
    """A picture that is blue on the left, and red on the right."""
    made = Image.new("RGB", (width, height), "blue")
    made.paste("red", (width // 2, 0, width, height))
    out = io.BytesIO()
    made.save(out, format, **how)
    return out.getvalue()


def ok(body: bytes, **headers: str) -> bytes:
    """An answer with a file; its length is told unless `headers` tell another."""
    told = {"Content-Length": str(len(body)), **{key.replace("_", "-"): value for key, value in headers.items()}}
    return b"HTTP/1.1 200 OK\r\n" + _lines(told) + b"\r\n" + body


def to(location: str, status: int = 302) -> bytes:
    """A redirect."""
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def status(number: int) -> bytes:
    return f"HTTP/1.1 {number} So\r\nContent-Length: 0\r\n\r\n".encode()


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{key}: {value}\r\n" for key, value in headers.items()).encode()


class Server:
    """`answers` by paths. `asked`: the requests, whole."""

    def __init__(self, port: int, answers: dict[str, Answer]) -> None:
        self.port = port
        self.answers = answers
        self.asked: list[str] = []
        self.sent = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(request)
            answer = self.answers.get(request.split()[1].split("?")[0], status(404))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        writer.close()

    async def send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        self.sent += len(data)
        await writer.drain()


@asynccontextmanager
async def serving(answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> AsyncGenerator[Server, None]:
    """A web server on loopback."""
    served = Server(0, dict(answers))
    listening = await asyncio.start_server(served.answer, "127.0.0.1", 0, ssl=tls)
    served.port = listening.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        listening.close()


def fetcher(
    deadlines: Deadlines = Deadlines(2.0, 4.0),  # noqa: B008  (frozen)
    hosts: Mapping[str, Sequence[str]] = {},
) -> Fetcher:
    """A fetcher that may fetch from loopback, and knows the addresses of `hosts` only."""

    async def look_up(host: str, _port: int) -> Sequence[str]:
        if host not in hosts:
            raise OSError("no such host")
        return hosts[host]

    return Fetcher(private=LOOPBACK, look_up=look_up, deadlines=deadlines)
