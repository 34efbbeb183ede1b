"""A hostile server: it may waste its own connection, but neither our memory nor the time of other networks."""

import asyncio
import itertools
import random
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psutil
import pytest

from bridge.irc import connection as link
from bridge.irc.backoff import Ending, ReconnectPause
from bridge.irc.client import IrcNetwork
from bridge.irc.session import liveness
from bridge.model.event import Room
from tests.irc.test_client import Ircd, post, running
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time

_SECONDS = 0.4
_LATE = 2.0
"""Seconds of CPU for which the loop may be held up: forty times what an idle machine shows. Work that grows with what
a server has sent before passes it at once."""
_MEMORY = 96 * 1024 * 1024
"""Bytes. 100,000 remembered people take half of that."""
_CURSOR = '{"#pond":[1000.0,"x",1000.0]}'
_WELCOME = b":irc 001 duck :hi\r\n:irc 005 duck CHANMODES=b,k,Hl,imnpst WHOX PREFIX=(ov)@+ :x\r\n:irc 376 duck :e\r\n"
_JOINED = _WELCOME + b":duck!u@h JOIN #pond\r\n"
_CAPS = b":irc CAP * LS :batch server-time message-tags\r\n:irc CAP * ACK :batch message-tags server-time\r\n"

_ACCOUNTS = b":irc CAP * LS :account-tag message-tags\r\n:irc CAP * ACK :account-tag message-tags\r\n"

Flood = Callable[[], Iterator[bytes]]


def again(data: bytes) -> Iterator[bytes]:
    return itertools.repeat(data * max(1, 32_768 // len(data)))


def numbered(line: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines that each say something new."""
    return (b"".join(map(line, range(start, start + 200))) for start in itertools.count(0, 200))


def _names(start: int) -> bytes:
    return b":irc 353 duck = #pond :%s\r\n" % b" ".join(b"n%d!u@h" % (start * 40 + each) for each in range(40))


_OLD = b"@time=2030-01-01T00:00:00.000Z;batch=1;msgid=%d :bob!u@h PRIVMSG #pond :" + b"y" * 15_000 + b"\r\n"
_HUGE = b" ".join(name + b"=" + b"9" * 3_000 for name in (b"LINELEN", b"USERLEN", b"HOSTLEN", b"CHATHISTORY"))
_ODD = b" PREFIX=(%s)%s CHANMODES=%s CLIENTTAGDENY=%s" % (b"a" * 300, b"@" * 300, b"a," * 200, b"b," * 300)

ATTACKS: dict[str, tuple[bytes, Flood]] = {
    "garbage": (_WELCOME, partial(again, random.Random(1).randbytes(65_536))),
    "a line without end": (_WELCOME, partial(again, b"x" * 65_536)),
    "a million members": (_JOINED, partial(numbered, _names)),
    "a list of capabilities without end": (b"", partial(numbered, lambda n: b":irc CAP * LS * :cap%d batch\r\n" % n)),
    "one capability again and again": (_WELCOME, partial(again, b":irc CAP * NEW :message-tags account-tag\r\n")),
    "batches that never end": (_JOINED, partial(numbered, lambda n: b":irc BATCH +%d chathistory #pond\r\n" % n)),
    "a history without end": (
        _CAPS + _JOINED + b":irc BATCH +1 chathistory #pond\r\n",
        partial(numbered, lambda n: _OLD % n),
    ),
    "long lines that nobody takes": (_JOINED, partial(again, b":bob!u@h PRIVMSG #pond :" + b"z" * 15_000 + b"\r\n")),
    "strangers who each say something": (
        _JOINED,
        partial(numbered, lambda n: b":n%d!u@h JOIN #pond\r\n:n%d!u@h PRIVMSG #pond :z\r\n" % (n, n)),
    ),
    "people who come and go": (
        _JOINED,
        partial(numbered, lambda n: b":n%d!u@h JOIN #pond\r\n:n%d!u@h NICK m%d\r\n:m%d!u@h QUIT :x\r\n" % (n, n, n, n)),
    ),
    "people who each type and react": (
        _ACCOUNTS + _JOINED,
        partial(
            numbered,
            lambda n: (
                b"@+typing=active :n%d!u@h TAGMSG #pond\r\n@+reply=%d;+draft/react=x :n%d!u@h TAGMSG #pond\r\n"
                % (n, n, n)
            ),
        ),
    ),
    "modes": (_JOINED, partial(again, b":o!u@h MODE #pond +%s%s\r\n" % (b"ovcS" * 2000, b" duck" * 1000))),
    "topics": (_ACCOUNTS + _JOINED, partial(numbered, lambda n: b":o!u@h TOPIC #pond :%d%s\r\n" % (n, b"z" * 9000))),
    "errors": (_JOINED, partial(again, b":irc 404 duck #pond :no\r\n:irc 433 * duck :used\r\n:irc 421 duck X :?\r\n")),
    "huge numbers": (_WELCOME, partial(again, b":irc 005 duck " + _HUGE + _ODD + b" :x\r\n")),
    "joining us again and again": (_WELCOME, partial(again, b":duck!u@h JOIN #pond\r\n")),
    "joining us everywhere": (_WELCOME, partial(numbered, lambda n: b":duck!u@h JOIN #x%d\r\n" % n)),
    "pings": (_WELCOME, partial(again, b"PING :x\r\n")),
}


class Hostile:
    """Greets each connection, then sends as fast as it can, from a thread of its own."""

    def __init__(self, greeting: bytes, flood: Flood) -> None:
        self._greeting = greeting
        self._flood = flood
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> "Hostile":
        self._socket.settimeout(0.05)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            with connection:
                connection.settimeout(0.05)
                for data in itertools.chain([self._greeting], self._flood()):
                    if not self._sent(connection, data):
                        break

    def _sent(self, connection: socket.socket, data: bytes) -> bool:
        rest = memoryview(data)
        while rest and not self._over.is_set():
            try:
                rest = rest[connection.send(rest) :]
            except TimeoutError:
                continue
            except OSError:
                return False
        return not self._over.is_set()


@dataclass
class Watch:
    """How much the loop did at worst before it looked at the others, in seconds of CPU."""

    worst: float = 0.0

    async def watch(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            self.worst = max(self.worst, time.thread_time() - before)


@asynccontextmanager
async def attacked(port: int) -> AsyncGenerator[None, None]:
    """A network of ours on the hostile server; nobody takes more than its first batch."""
    settings = irc_settings(name="bad", host="127.0.0.1", port=port, nick="duck", tls=False)
    events = IrcNetwork(settings, [Room("bad", "#pond")], rng=random.Random(1)).events(_CURSOR)
    first = asyncio.ensure_future(anext(events))
    try:
        yield
    finally:
        first.cancel()
        await asyncio.wait([first])
        await events.aclose()


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_GOODBYE", 0.05)


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_hostile_server_costs_little_memory_and_time_and_another_network_goes_on_sending(attack: str) -> None:
    watch = Watch()
    ircd = Ircd()
    async with running(ircd, per_second=1000.0) as (net, _):
        watching = asyncio.create_task(watch.watch())
        before = psutil.Process().memory_info().rss
        with Hostile(*ATTACKS[attack]) as server:
            async with attacked(server.port):
                deadline = asyncio.get_running_loop().time() + _SECONDS
                for number in itertools.count():
                    await net.send(post(f"line {number}"))
                    if asyncio.get_running_loop().time() > deadline:
                        break
                grown = psutil.Process().memory_info().rss - before
        watching.cancel()
    assert grown < _MEMORY
    assert watch.worst < _LATE
    assert sum(line.startswith("PRIVMSG") for line in ircd.lines) == number + 1


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("a line without end", "the server does not answer"),
        ("a list of capabilities without end", "the server did not let us in within"),
    ],
)
async def test_a_server_that_floods_and_never_answers_is_left_with_a_reason_and_tried_again(
    attack: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("_REGISTER_WITHIN", "_IDLE", "_ANSWER_WITHIN"):
        monkeypatch.setattr(liveness, limit, 0.5)
    endings: asyncio.Queue[Ending] = asyncio.Queue()
    after = ReconnectPause.after

    def noted(backoff: ReconnectPause, ending: Ending) -> float:
        endings.put_nowait(ending)
        return after(backoff, ending) / 10

    monkeypatch.setattr(ReconnectPause, "after", noted)
    with Hostile(*ATTACKS[attack]) as server:
        async with attacked(server.port), asyncio.timeout(20):
            for _ in range(2):
                assert reason in (await endings.get()).reason
