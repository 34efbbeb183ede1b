"""A network that another worker may run by now: this one does not connect, which would take its nick."""

import asyncio
import random
from typing import Any, NoReturn

from bridge.irc.client import IrcNetwork
from bridge.model.event import Room
from tests.settings import irc_settings


async def test_a_network_is_not_connected_to_while_it_is_not_certainly_ours() -> None:
    dialed: list[object] = []
    ours = False

    async def connect(*address: Any, **_: Any) -> NoReturn:
        dialed.append(address)
        raise ConnectionRefusedError

    settings = irc_settings(name="net", host="127.0.0.1", port=6667, nick="duck", tls=False)
    net = IrcNetwork(settings, [Room("net", "#pond")], rng=random.Random(1), connect=connect, is_ours=lambda: ours)
    events = net.events(None)
    hearing = asyncio.ensure_future(anext(events))
    await asyncio.sleep(60)
    assert not dialed
    ours = True
    await asyncio.sleep(2)
    assert dialed
    hearing.cancel()
    await asyncio.wait([hearing])
    await events.aclose()
