"""Busy rooms do not hold up others: on an IRC network with its flood budget, and on a homeserver that is slow."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bridge.irc.client import IrcNetwork
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.relay import delivery
from bridge.rules.link import Link
from tests.events import irc, matrix, said
from tests.fakes.network import MemoryNetwork
from tests.relay.test_relay import World
from tests.settings import irc_settings

_LINES = 30
"""What waits for a busy room."""


class Ircd(asyncio.Transport):
    """An IRC server in memory, and the connection to it. `said`: each message, as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._reader = asyncio.StreamReader()
        self._over = False

    async def connect(self, *_: object, **__: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        protocol = asyncio.StreamReaderProtocol(self._reader)
        protocol.connection_made(self)
        return self._reader, asyncio.StreamWriter(self, protocol, self._reader, asyncio.get_running_loop())

    def write(self, data: bytes | bytearray | memoryview) -> None:
        for line in bytes(data).decode().splitlines():
            for answer in self._answers(line):
                self._reader.feed_data(f"{answer}\r\n".encode())

    def _answers(self, line: str) -> Sequence[str]:
        match line.split(" ", 2):
            case ["NICK", _]:
                return (":irc 001 duck :Welcome", ":irc 376 duck :end")
            case ["JOIN", names]:
                return [f":duck!u@h JOIN {name}" for name in names.split(",")]
            case ["PING", token]:
                return (f":irc PONG irc {token}",)
            case ["PRIVMSG", _, text]:
                self.said.append(text)
        return ()

    def is_closing(self) -> bool:
        return self._over

    def close(self) -> None:
        self._over = True
        self._reader.feed_eof()

    def abort(self) -> None:
        self._over = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


def world_of(busy: int) -> World:
    """The world's own link, `pond`, is quiet; `busy` others have much to carry."""
    return World(
        more=[
            Link(f"busy{number}", (Room("home", f"#busy{number}:hs"), Room("libera", f"#busy{number}")))
            for number in range(busy)
        ]
    )


async def most_ahead(world: World, hearing: MemoryNetwork, sender: Sender, arrived: Callable[[], list[str]]) -> int:
    """How many posts of one busy room `arrived`, at most, from when `sender` had said something for the quiet one until
    that was there. All is said on the network that is `hearing`."""
    here = {
        room: link.name for link in (world.link, *world.more) for room in link.rooms if room.network == sender.network
    }
    quiet, *busy = here
    await hearing.hear(*(said(room, sender, f"{here[room]} {line}") for line in range(_LINES) for room in busy))
    await asyncio.sleep(7.5)  # the burst that the budget allows is over
    most = 0
    for number in range(5):
        start, text = len(arrived()), f"quiet {number}"
        await hearing.hear(said(quiet, sender, text))
        async with asyncio.timeout(10_000):
            while not any(text in each for each in arrived()[start:]):  # noqa: ASYNC110  (time is made up)
                await asyncio.sleep(0.05)
        ahead = Counter(name for each in arrived()[start:] for name in here.values() if f" {name} " in each)
        most = max([most, *ahead.values()])
        await asyncio.sleep(1.35)
    assert sum("busy" in each for each in arrived()) < _LINES * len(busy), "nothing waited any more"
    return most


async def on_irc(busy: int) -> int:
    """To an IRC network with a flood budget of one line a second."""
    world, ircd = world_of(busy), Ircd()
    rooms = [room for link in (world.link, *world.more) for room in link.rooms if room.network == "libera"]
    settings = irc_settings("libera", tls=False, burst=2, per_second=1.0)
    network = IrcNetwork(settings, rooms, clock=lambda: world.now, rng=random.Random(1), connect=ircd.connect)
    world.networks["libera"] = network  # type: ignore[assignment]
    async with world.running():
        await network.ready()
        return await most_ahead(world, world.home, matrix("alice"), lambda: ircd.said)


async def on_matrix(busy: int) -> int:
    """To a homeserver that takes one post a second, in the order of our requests."""
    world = world_of(busy)
    world.home.slots = asyncio.Semaphore(0)
    async with world.running(), asyncio.TaskGroup() as group:
        taking = group.create_task(_take(world.home.slots))
        try:
            return await most_ahead(
                world, world.libera, irc("bob", "bob"), lambda: [text for _, text in world.home.sent]
            )
        finally:
            taking.cancel()
            for _ in range(_LINES * busy):
                world.home.slots.release()


async def _take(slots: asyncio.Semaphore) -> None:
    while True:
        await asyncio.sleep(1)
        slots.release()


@pytest.mark.parametrize("busy", [1, 5, 30])
async def test_a_busy_room_on_irc_delays_no_other_by_more_than_one_of_its_posts(busy: int) -> None:
    assert await on_irc(busy) == 1


@pytest.mark.parametrize("busy", [1, 5, 30])
async def test_a_busy_room_on_matrix_delays_no_other_by_more_than_one_of_its_posts(busy: int) -> None:
    assert await on_matrix(busy) == 1


async def test_where_more_rooms_wait_than_are_delivered_to_at_once_they_take_turns() -> None:
    """A turn is what is rendered together: on IRC as many lines as may be on their way, on Matrix up to 20 messages. By
    the age of messages, 32 rooms with a backlog would keep all others waiting for its end."""
    assert await on_irc(40) <= IrcNetwork.window
    assert await on_matrix(40) <= 20 < _LINES


async def test_a_relay_that_finishes_one_room_before_the_next_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_ROOMS", 1)
    assert await on_irc(1) > 1
