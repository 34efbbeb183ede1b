"""The proxy of the fault tests does what its methods say."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest

from bridge.demo.servers.process import HOST
from tests.faults.proxy import Proxy

pytestmark = pytest.mark.real_time


@pytest.fixture
async def way() -> AsyncGenerator[Proxy, None]:
    """A proxy in front of an echo server."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


async def test_the_proxy_forwards_both_ways_and_passes_on_the_end_of_a_connection(way: Proxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, way.port)
    writer.write(b"quack\n")
    assert await reader.readline() == b"quack\n"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_a_black_hole_swallows_everything_and_its_connections_are_reset_afterwards(way: Proxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, way.port)
    way.black_hole()
    writer.write(b"quack\n")
    newcomer, other = await asyncio.open_connection(HOST, way.port)
    other.write(b"hello\n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readline(), 0.2)
    way.restore()
    for each in (reader, newcomer):
        with suppress(ConnectionResetError):
            assert await each.read() == b""
    writer.close()
    other.close()
    again, writer = await asyncio.open_connection(HOST, way.port)
    writer.write(b"quack\n")
    assert await again.readline() == b"quack\n"
    writer.close()


async def test_a_cut_ends_every_connection(way: Proxy) -> None:
    reader, writer = await asyncio.open_connection(HOST, way.port)
    writer.write(b"quack\n")
    await reader.readline()
    way.cut()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert reader.at_eof() or reader.exception()
    writer.close()
