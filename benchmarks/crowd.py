"""An IRC server linked to InspIRCd that has nothing but people: thousands of them, without a connection for each."""

import asyncio
import itertools
import string
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from bridge.demo.servers import InspIRCd
from bridge.demo.servers.inspircd import SERVICES, SERVICES_PASSWORD
from bridge.demo.servers.process import HOST

_SID, _THEIRS = "9ZZ", "000"  # ours, and InspIRCd's
_AT_ONCE = 100  # members in one FJOIN
_WITHIN = 60.0


@asynccontextmanager
async def crowd(irc: InspIRCd, channel: str, number: int) -> AsyncGenerator[None, None]:
    """Have `number` people in `channel` while the context lasts. `irc` must have been started with `services`.

    Speaks the protocol of InspIRCd's spanningtree, version 1205."""
    assert irc.services_port is not None
    reader, writer = await asyncio.open_connection(HOST, irc.services_port)
    writer.write(
        _lines(*_hello(), f"BURST {int(time.time())}", *_people(channel, number), "ENDBURST", f"PING {_THEIRS}")
    )
    there = asyncio.Event()
    answering = asyncio.create_task(_answer(reader, writer, there), name="crowd")
    try:
        async with asyncio.timeout(_WITHIN):
            await there.wait()
        yield
    finally:
        answering.cancel()
        await asyncio.wait([answering])
        writer.close()


def _hello() -> Iterator[str]:
    yield "CAPAB START 1205"
    yield "CAPAB CAPABILITIES :PROTOCOL=1205"
    yield "CAPAB END"
    yield f"SERVER {SERVICES} {SERVICES_PASSWORD} 0 {_SID} :A crowd"


def _people(channel: str, number: int) -> Iterator[str]:
    now = int(time.time())
    ids = [_SID + "".join(letters) for letters in itertools.islice(_names(), number)]
    for each, uid in enumerate(ids):
        nick, user = f"duck{each}of{number}", f"u{each}"
        yield f":{_SID} UID {uid} {now} {nick} pond.example pond.example {user} 192.0.2.1 {now} +i :One of many"
    for start in range(0, number, _AT_ONCE):
        members = " ".join(f",{uid}:{start + index}" for index, uid in enumerate(ids[start : start + _AT_ONCE]))
        yield f":{_SID} FJOIN {channel} {now} +nt :{members}"


def _names() -> Iterator[tuple[str, ...]]:
    return itertools.product(string.ascii_uppercase, repeat=6)


def _lines(*lines: str) -> bytes:
    """The lines as they go over the wire; those after SERVER that name no source are ours."""
    return b"".join(line.encode() + b"\r\n" for line in map(_from_us, lines))


def _from_us(line: str) -> str:
    return line if line.startswith((":", "CAPAB", "SERVER")) else f":{_SID} {line}"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, there: asyncio.Event) -> None:
    """Answer PING, for the server drops a silent link. `there`: set by the PONG to our own, our last line."""
    while line := await reader.readline():
        source, _, rest = line.decode(errors="replace").rstrip("\r\n").partition(" ")
        if rest.startswith("PING "):
            writer.write(f":{_SID} PONG {source[1:]}\r\n".encode())
        elif rest.startswith("PONG "):
            there.set()
