"""Connections from an address of our choice."""

import asyncio
import socket
import sys

import pytest

from bridge.irc.dialing import sources
from bridge.irc.dialing.sources import Place, Source

pytestmark = pytest.mark.real_time


async def met(address: str | None, host: str = "127.0.0.1") -> tuple[Place, Place, list[tuple[Place, Place]]]:
    """Where a connection comes from by its own account, by the server's, and as it was announced."""
    peers: asyncio.Queue[Place] = asyncio.Queue()
    announced: list[tuple[Place, Place]] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peers.put(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        source = Source(address, lambda ours, theirs: announced.append((ours, theirs)))
        made = await sources.connect(host, port, source)
        with made:
            ours: Place = made.getsockname()
            assert announced[-1][1] == ("127.0.0.1", port)
            return ours, await peers.get(), announced


async def test_both_ends_are_announced_before_the_server_sees_the_connection() -> None:
    ours, seen, announced = await met("127.77.0.9")
    assert ours == seen == announced[0][0]
    assert seen[0] == "127.77.0.9"


async def test_an_address_that_the_system_chooses_is_announced_with_its_port() -> None:
    _, seen, announced = await met(None)
    assert announced[-1][0] == ("0.0.0.0", seen[1])


async def test_a_name_is_connected_to_by_its_addresses_of_the_same_kind() -> None:
    assert (await met("127.77.0.9", "localhost"))[1][0] == "127.77.0.9"


async def test_a_server_without_addresses_of_that_kind_is_told_in_words() -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1 has no IPv6 address"):
        await sources.connect("127.0.0.1", 9, Source("2001:db8::5"))


async def test_each_address_of_a_name_is_tried_and_the_last_trouble_told() -> None:
    places = [(socket.AF_INET, ("127.0.0.1", 1)), (socket.AF_INET, ("127.0.0.1", 2))]
    announced: list[Place] = []
    with pytest.raises(ConnectionRefusedError):
        await sources._first(places, Source(None, lambda _, theirs: announced.append(theirs)))
    assert announced == [("127.0.0.1", 1), ("127.0.0.1", 2)]


def test_an_address_that_is_none_of_ours_cannot_be_bound_where_the_system_does_not_allow_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "platform", "other")
    with socket.socket() as made, pytest.raises(OSError, match=r"192\.0\.2\.9 is no address of this machine"):
        sources.bind(made, "192.0.2.9")
