"""Whether a homeserver lives (bridge.matrix.http.pulse), and whether we may speak in a room."""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import web

from bridge.matrix.account import Account
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooSlow
from bridge.matrix.http.pulse import Pulse
from bridge.matrix.rooms.joined import Rooms
from bridge.matrix.rooms.voice import Voices
from bridge.model.event import Room
from tests.fakes.memory import Notebook
from tests.matrix.test_wellknown import serving
from tests.settings import matrix_settings

US = "@duck:hs"


class Patient:
    """Answers when asked whether it lives, unless it is `frozen`."""

    def __init__(self) -> None:
        self.answered_at = -math.inf
        self.asked = 0
        self.frozen = asyncio.Event()

    async def alive(self, within: float) -> None:
        self.asked += 1
        if self.frozen.is_set():
            await asyncio.sleep(within)
            raise TooSlow("frozen")
        self.answered_at = asyncio.get_running_loop().time()


@asynccontextmanager
async def beating(server: Patient) -> AsyncGenerator[Pulse, None]:
    server.answered_at = asyncio.get_running_loop().time()
    pulse = Pulse(cast("Homeserver", server))
    keeping = asyncio.create_task(pulse.keep())
    yield pulse
    keeping.cancel()


def is_dead(pulse: Pulse) -> bool:
    return pulse.is_silent


async def test_a_quiet_homeserver_that_answers_lives_and_is_asked_every_few_seconds() -> None:
    server = Patient()
    async with beating(server) as pulse:
        for _ in range(60):
            await asyncio.sleep(1)
            assert not is_dead(pulse)
        assert 8 <= server.asked <= 12


async def test_a_homeserver_that_answers_other_requests_is_not_asked() -> None:
    server = Patient()
    async with beating(server):
        for _ in range(60):
            await asyncio.sleep(1)
            server.answered_at = asyncio.get_running_loop().time()
        assert server.asked == 0


async def test_a_frozen_homeserver_counts_as_dead_within_13_seconds_is_asked_seldom_and_lives_again_at_once() -> None:
    server = Patient()
    async with beating(server) as pulse:
        server.frozen.set()
        await asyncio.sleep(11)
        assert not is_dead(pulse)
        await asyncio.sleep(2)
        assert is_dead(pulse)
        await asyncio.sleep(300)
        assert is_dead(pulse)
        assert server.asked < 40
        server.answered_at = asyncio.get_running_loop().time()
        assert not is_dead(pulse)


@pytest.mark.real_time
async def test_what_a_proxy_says_of_a_dead_homeserver_is_no_sign_of_life() -> None:
    status = 502
    async with serving(lambda _: web.json_response({"versions": []}, status=status)) as url:
        homeserver = Homeserver(url, US)
        with pytest.raises(ApiError):
            await homeserver.alive(5)
        assert homeserver.answered_at == -math.inf
        status = 200
        await homeserver.alive(5)
        assert homeserver.answered_at > 0
        await homeserver.close()


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("encrypted", "levels", "silent"),
    [
        (False, {}, False),
        (False, {"events_default": 50}, True),
        (False, {"events_default": 50, "users": {US: 50}}, False),
        (False, {"events": {"m.room.encrypted": 50}}, False),
        (True, {"events": {"m.room.encrypted": 50}}, True),
        (True, {"events": {"m.room.message": 50}}, False),
        (False, {"users": {US: -1}}, True),
    ],
)
async def test_it_is_known_from_the_power_levels_that_we_may_not_speak(
    *, encrypted: bool, levels: dict[str, object], silent: bool
) -> None:
    create = {"type": "m.room.create", "sender": "@ann:hs", "content": {"room_version": "10"}}
    power = [levels]

    def answer(request: web.Request) -> web.Response:
        shown = create if "m.room.create" in request.path else {"type": "m.room.power_levels", "content": power[0]}
        return web.json_response(shown)

    rooms = Rooms("home")
    joined = rooms.add("!pond:hs", Room("home", "#pond:hs"))
    joined.enter()
    joined.encrypted = encrypted
    async with serving(answer) as url:
        homeserver = Homeserver(url, US)
        account = Account(matrix_settings(user=US, password="x"), homeserver, Notebook(), cast("object", None))  # type: ignore[arg-type]
        voices = Voices(rooms, homeserver, account)
        assert voices.reason(joined) == ""
        holding = asyncio.create_task(voices.hold())
        try:
            async with asyncio.timeout(10):
                while joined.voice is None:  # noqa: ASYNC110  (it is no event)
                    await asyncio.sleep(0.05)
            assert bool(voices.reason(joined)) is silent
            power[0] = {"users": {US: 100}}
            voices.changed(joined)
            async with asyncio.timeout(10):
                while voices.reason(joined):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        finally:
            holding.cancel()
            await homeserver.close()
