"""The identd: who gets a user name, who gets none, and what strangers can cause."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bridge.demo.servers.process import free_port
from bridge.irc.puppets import identd
from bridge.irc.puppets.identd import Identd, Pairs, reply
from bridge.irc.puppets.origin_settings import listen

HERE, SERVER, STRANGER = "192.0.2.7", "198.51.100.3", "203.0.113.5"
NO_USER = b"40000, 6697 : ERROR : NO-USER\r\n"
ANN = b"40000, 6697 : USERID : UNIX : qann\r\n"


def ask(pairs: Pairs, query: bytes = b"40000, 6697\r\n", *, here: str = HERE, peer: str = SERVER) -> bytes | None:
    return reply(query, here, peer, pairs)


def test_the_server_of_a_connection_gets_the_user_name_until_the_connection_is_over() -> None:
    pairs = Pairs()
    with pairs.owner("qann") as announce:
        assert ask(pairs) == NO_USER
        announce((HERE, 40000), (SERVER, 6697))
        assert ask(pairs) == ANN
        assert pairs.is_server(SERVER)
    assert ask(pairs) == NO_USER
    assert not pairs.is_server(SERVER)


@pytest.mark.parametrize(
    ("query", "peer", "answer"),
    [
        (b"40000, 6697\r\n", STRANGER, NO_USER),
        (b"40001, 6697\r\n", SERVER, b"40001, 6697 : ERROR : NO-USER\r\n"),
        (b"40000, 6698\r\n", SERVER, b"40000, 6698 : ERROR : NO-USER\r\n"),
        (b"6697, 40000\r\n", SERVER, b"6697, 40000 : ERROR : NO-USER\r\n"),
        (b"40000,6697\n", SERVER, ANN),
        (b" 40000 , 6697 \r\n", SERVER, ANN),
        (b"40000, 6697", SERVER, ANN),
        (b"0, 6697\r\n", SERVER, b"0, 6697 : ERROR : INVALID-PORT\r\n"),
        (b"40000, 65536\r\n", SERVER, b"40000, 65536 : ERROR : INVALID-PORT\r\n"),
        (b"", SERVER, None),
        (b"40000\r\n", SERVER, None),
        (b"-1, 6697\r\n", SERVER, None),
        (b"40000, 6697 : x\r\n", SERVER, None),
        (b"400000, 6697\r\n", SERVER, None),
        ("٤٠٠٠٠, 6697\r\n".encode(), SERVER, None),
    ],
)
def test_anybody_and_anything_else_gets_none(query: bytes, peer: str, answer: bytes | None) -> None:
    pairs = Pairs()
    with pairs.owner("qann") as announce:
        announce((HERE, 40000), (SERVER, 6697))
        assert ask(pairs, query, peer=peer) == answer


def test_addresses_are_the_same_in_all_spellings() -> None:
    pairs = Pairs()
    with pairs.owner("qann") as announce:
        announce((HERE, 40000), (SERVER, 6697))
        assert ask(pairs, here=f"::ffff:{HERE}", peer=f"::ffff:{SERVER}") == ANN
        announce(("2001:db8:0::7", 40000), ("2001:DB8::1", 6697))
        assert ask(pairs, here="2001:db8::7", peer="2001:db8:0:0::1") == ANN


def test_of_two_members_with_one_port_each_is_known_by_their_address() -> None:
    """With a source address for each, two may have the same port. Where the address was changed on the way, nobody's
    name is guessed."""
    pairs = Pairs()
    with pairs.owner("qann") as anns, pairs.owner("qbea") as beas:
        anns(("2001:db8::a", 40000), (SERVER, 6697))
        assert ask(pairs, here=HERE) == ANN
        beas(("2001:db8::b", 40000), (SERVER, 6697))
        assert ask(pairs, here="2001:db8::a") == ANN
        assert ask(pairs, here="2001:db8::b") == ANN.replace(b"qann", b"qbea")
        assert ask(pairs, here=HERE) == NO_USER


def test_an_ended_connection_does_not_take_the_name_of_a_new_one_with_its_port() -> None:
    pairs = Pairs()
    with pairs.owner("qbea") as beas:
        with pairs.owner("qann") as anns:
            anns((HERE, 40000), (SERVER, 6697))
            beas((HERE, 40000), (SERVER, 6697))
        assert ask(pairs) == ANN.replace(b"qann", b"qbea")
        assert pairs.is_server(SERVER)
    assert not pairs.is_server(SERVER)
    assert not pairs._users


@given(st.binary(max_size=200), st.ip_addresses().map(str))
def test_whatever_is_asked_gets_one_line_or_nothing(query: bytes, peer: str) -> None:
    pairs = Pairs()
    with pairs.owner("qann") as announce:
        announce((HERE, 40000), (SERVER, 6697))
        answer = ask(pairs, query, peer=peer)
        assert answer is None or (answer.count(b"\n") == 1 and len(answer) < 100)
        assert answer is None or b"qann" not in answer or peer == str(ipaddress.ip_address(SERVER))


@pytest.mark.parametrize("text", ["localhost:1113", ":1113", "127.0.0.1", "127.0.0.1:0", "::1:113"])
def test_where_to_listen_is_an_address_and_a_port(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|HOST:PORT|number|brackets"):
        listen(text)
    assert listen("[::]:1113") == "[::]:1113"


# On real sockets


@asynccontextmanager
async def serving() -> AsyncGenerator[tuple[Identd, int], None]:
    port, running = free_port(), Identd()
    async with running.listening(f"127.0.0.1:{port}"):
        yield running, port


async def opened(port: int, local: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(10):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port, local_addr=(local, 0))
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)  # it is not listening yet


async def asked(port: int, query: bytes, local: str = "127.0.0.1") -> bytes:
    """All that it says to a query."""
    reader, writer = await opened(port, local)
    writer.write(query)
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.mark.real_time
async def test_it_answers_one_query_of_a_connection() -> None:
    async with serving() as (running, port):
        with running.pairs.owner("qann") as announce:
            announce(("127.0.0.1", 40000), ("127.0.0.1", 6697))
            assert await asked(port, b"40000, 6697\r\n40000, 6697\r\n") == ANN
            assert await asked(port, b"40000, 6697\r\n", "127.0.0.2") == NO_USER
            assert await asked(port, b"quack\r\n") == b""
            assert await asked(port, b"4" * 100_000) == b""


@pytest.mark.real_time
async def test_strangers_who_say_nothing_take_no_place_from_a_server_and_are_cut_off() -> None:
    async with serving() as (running, port):
        with running.pairs.owner("qann") as announce:
            announce(("127.0.0.1", 40000), ("127.0.0.1", 6697))
            held = [await opened(port, "127.0.0.2") for _ in range(identd._MOST_OF_STRANGERS)]
            assert await asked(port, b"40000, 6697\r\n", "127.0.0.3") == b""  # one too many
            assert await asked(port, b"40000, 6697\r\n") == ANN
            async with asyncio.timeout(4 * identd._WITHIN_S):
                assert [await reader.read() for reader, _ in held] == [b""] * len(held)
            assert await asked(port, b"40000, 6697\r\n", "127.0.0.3") == NO_USER
            for _, writer in held:
                writer.close()


@pytest.mark.real_time
async def test_two_networks_share_it_and_the_last_one_closes_it() -> None:
    running, port = Identd(), free_port()
    async with running.listening(f"127.0.0.1:{port}"):
        async with running.listening(f"127.0.0.1:{port}"):
            assert await asked(port, b"40000, 6697\r\n") == NO_USER
        assert await asked(port, b"40000, 6697\r\n") == NO_USER
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.real_time
async def test_a_taken_port_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identd, "_AGAIN_S", 0.05)
    with capture_logs() as entries, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Identd().listening(f"127.0.0.1:{port}"):
            await asyncio.sleep(0.3)
            (entry,) = [each for each in entries if each["event"] == "identd_failed"]
            assert entry["reason"] == "Address already in use"
            taken.close()
            assert await asked(port, b"40000, 6697\r\n") == NO_USER
    assert len([each for each in entries if each["event"] == "identd_failed"]) == 1


@pytest.mark.real_time
async def test_at_the_address_for_all_it_hears_ipv4_and_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    port = free_port()
    running = Identd()
    async with running.listening(f"[::]:{port}"):
        with running.pairs.owner("qann") as announce:
            announce(("127.0.0.1", 40000), ("127.0.0.1", 6697))
            assert await asked(port, b"40000, 6697\r\n") == ANN
            reader, writer = await asyncio.open_connection("::1", port)
            writer.write(b"40000, 6697\r\n")
            assert await reader.read() == NO_USER
            writer.close()
