"""The relay on an IRC adapter whose connection ends with lines on their way: order, and what comes twice."""

import asyncio
import random

import pytest

from bridge.irc.client import IrcNetwork
from bridge.model.event import Room
from bridge.rules.link import Link
from tests.events import HOME, matrix, said
from tests.irc.test_client import Ircd
from tests.relay.test_relay import World
from tests.relay.test_suspects import _passing
from tests.settings import irc_settings

pytestmark = pytest.mark.real_time


async def _said(*, burst: int, until: str, expected: int, resend: bool) -> list[str]:
    """What a scripted server without history is told of six messages, if it hangs up at the line `until`."""
    ircd, room = Ircd(), Room("libera", "#pond")
    server = await asyncio.start_server(ircd.serve, "127.0.0.1", 0)
    async with server:
        world = World(Link("pond", (HOME, room)))
        base = {"name": "libera", "host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "nick": "duck"}
        limits = {"tls": False, "burst": burst, "per_second": 4.0, "resend_doubtful": resend}
        network = IrcNetwork(irc_settings(**{**base, **limits}), [room], rng=random.Random(1))
        world.networks = {"home": world.home, "libera": network}  # type: ignore[dict-item]
        async with world.running(), _passing(world):
            await network.ready()
            ircd.echo_pongs = False
            await world.home.hear(*(said(HOME, matrix("alice"), f"m{number}") for number in range(6)))
            await ircd.told(lambda line: until in line)
            ircd.echo_pongs = True
            ircd.hang_up()
            await ircd.told(lambda line: line.startswith("PRIVMSG"), expected)
    return [line.split("> ")[-1] for line in ircd.lines if line.startswith("PRIVMSG")]


async def test_no_line_overtakes_one_in_doubt() -> None:
    heard = await _said(burst=2, until="m0", expected=7, resend=True)
    again = heard[heard.index("m0", 1) :]
    assert again == [f"m{number}" for number in range(6)]


async def test_no_line_is_said_twice_where_what_is_in_doubt_is_dropped() -> None:
    heard = await _said(burst=100, until="m3", expected=6, resend=False)
    assert sorted(heard) == [f"m{number}" for number in range(6)]
