"""A SOCKS5 proxy on loopback (RFC 1928, RFC 1929) that notes to where it was asked to connect, and by which names."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Socks:
    """`user` and `password` are wanted of clients, if there are any; `sends`: the port that each name leads to."""

    user: str = ""
    password: str = ""
    sends: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, EOFError):
            self.peers.append(writer.get_extra_info("peername")[0])
            if await self._let_in(reader, writer):
                await self._pass_on(reader, writer)
        writer.close()

    async def _let_in(self, reader: StreamReader, writer: StreamWriter) -> bool:
        _, methods = await reader.readexactly(2)
        offered = await reader.readexactly(methods)
        wanted = b"\x02" if self.user else b"\x00"
        writer.write(b"\x05" + (wanted if wanted in offered else b"\xff"))
        if not self.user:
            return True
        await reader.readexactly(1)
        user, password = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
        right = (user, password) == (self.user, self.password)
        writer.write(b"\x01\x00" if right else b"\x01\x01")
        return right

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        _, _, _, kind = await reader.readexactly(4)
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        where = await reader.readexactly(length)
        family = {1: socket.AF_INET, 4: socket.AF_INET6}.get(kind)
        host = socket.inet_ntop(family, where) if family else where.decode()
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((host, port))
        if host not in self.sends:
            writer.write(b"\x05\x04\x00\x01" + bytes(6))
            return
        there, back = await asyncio.open_connection("127.0.0.1", self.sends[host])
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
        writer.close()


@asynccontextmanager
async def socks(proxy: Socks) -> AsyncGenerator[int, None]:
    """`proxy` on a port, which is yielded."""
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
