"""A TCP proxy on loopback that a test can cut, or turn into a black hole: no FIN, no RST, and no data."""

import asyncio
from contextlib import suppress
from typing import Self

from bridge.demo.servers.process import HOST, free_port

_CHUNK = 65536  # bytes


class Proxy:
    """Forwards `port` to `target` (both on loopback). What is on its way when a black hole opens is lost, and its
    connections are reset when the hole is gone, as by a router that has forgotten them; who connects meanwhile is
    accepted and hears nothing.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def black_hole(self) -> None:
        """Forward nothing, not even an end, in either direction, and keep everything open."""
        self._open.clear()

    def restore(self) -> None:
        self.cut()
        self._open.set()

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._connect(reader, writer)
        except asyncio.CancelledError:  # only `__aexit__` cancels; asyncio's own callback would complain of it
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        with suppress(OSError):
            there, back = await asyncio.open_connection(HOST, self._target)
            self._writers.add(back)
            try:
                async with asyncio.TaskGroup() as ways:
                    ways.create_task(self._forward(reader, back))
                    ways.create_task(self._forward(there, writer))
            finally:
                back.transport.abort()
                self._writers.discard(back)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        await self._open.wait()
        with suppress(OSError):
            writer.close()
