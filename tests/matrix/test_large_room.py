"""A room of 20,000 people: what its first message costs (bridge.matrix.hearing.asking), over real HTTP."""

import json
import random
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from aiohttp import web

from bridge.matrix.client import MatrixNetwork
from bridge.matrix.dialect.fields import Json
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import Homeserver
from bridge.model.event import Room
from bridge.network import Batch
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

pytestmark = pytest.mark.real_time

_US = "@duck:example.org"
_PEOPLE = 20_000
_PIECE = 64 * 1024
_MOST = 30 * 2**20
"""Bytes of memory at the peak."""


def _member(number: int) -> dict[str, object]:
    """A member event as Synapse shows it."""
    user = f"@person.{number}:homeserver-{number % 977}.example.org"
    avatar = f"mxc://homeserver-{number % 977}.example.org/AbCdEfGhIjKlMnOp{number:08}"
    content = {"avatar_url": avatar, "displayname": f"Person number {number} 🦆", "membership": "join"}
    return {
        "content": content,
        "event_id": f"$AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGhI{number:08}",
        "origin_server_ts": 1_700_000_000_000 + number,
        "room_id": "!pond:example.org",
        "sender": user,
        "state_key": user,
        "type": "m.room.member",
        "unsigned": {"age": 123_456_789, "membership": "join", "prev_content": content, "prev_sender": user},
        "user_id": user,
    }


class Crowded:
    """Knows one room, in which the last person to come says something."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.filters: list[object] = []
        self._members = json.dumps({"chunk": [_member(number) for number in range(_PEOPLE)]}).encode()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/_matrix/client/v3/")
        self.asked.append(path.rpartition("/")[2] if path.endswith("members") else path)
        if path == "account/whoami":
            return web.json_response({"user_id": _US})
        if path.endswith("/filter"):
            self.filters.append(await request.json())
            return web.json_response({"filter_id": "1"})
        if path.startswith(("directory/room/", "join/")):
            return web.json_response({"room_id": "!pond:example.org"})
        if path.endswith("/members"):
            answer = web.StreamResponse(headers={"Content-Type": "application/json"})
            await answer.prepare(request)
            for at in range(0, len(self._members), _PIECE):  # so that our memory is measured, not the server's
                await answer.write(self._members[at : at + _PIECE])
            return answer
        if path.endswith("/messages"):
            return web.json_response({"chunk": []})
        if path == "sync":
            return self._sync(request.query.get("since"), request.query.get("filter", ""))
        return web.json_response({"errcode": "M_NOT_FOUND"}, status=404)

    def _sync(self, since: str | None, wanted: str) -> web.Response:
        if since is None:
            self.filters.append(json.loads(wanted))
            return web.json_response({"next_batch": "s1", "rooms": {"join": {"!pond:example.org": {}}}})
        last = str(_member(_PEOPLE - 1)["sender"])
        content = {"msgtype": "m.text", "body": "hi"}
        said = {"type": "m.room.message", "sender": last, "event_id": "$1", "origin_server_ts": 1, "content": content}
        news = {"timeline": {"events": [said]}}
        return web.json_response({"next_batch": "s2", "rooms": {"join": {"!pond:example.org": news}}})


@pytest.fixture
async def crowded() -> AsyncGenerator[Crowded, None]:
    server, application = Crowded(), web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def _first_message(server: Crowded) -> Batch:
    user_settings = matrix_settings("home", f"http://127.0.0.1:{server.port}", _US, None, "token")
    rooms = [Room("home", "#pond:example.org")]
    network = MatrixNetwork(user_settings, rooms, Notebook(), clock=time.time, rng=random.Random(1))
    async with aclosing(network.events(None)) as batches:
        async for batch in batches:
            if batch.events:
                return batch
    raise AssertionError


async def test_the_first_message_in_a_room_of_twenty_thousand_people_costs_little_memory(crowded: Crowded) -> None:
    await _first_message(crowded)  # so that what is loaded once is not counted
    crowded.asked.clear()
    tracemalloc.start()
    try:
        batch = await _first_message(crowded)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert batch.events[0].sender.name == f"Person number {_PEOPLE - 1} 🦆"
    assert peak < _MOST, f"{peak / 2**20:.1f} MB"
    assert kept < _MOST / 2, f"{kept / 2**20:.1f} MB"
    print(f"{peak / 2**20:.1f} MB at the peak, {kept / 2**20:.1f} MB kept")  # noqa: T201
    assert crowded.asked.count("members") <= 2  # once beforehand, which ends after 2,000 people


@pytest.mark.parametrize("membership", ["join", "ban"])
async def test_of_a_crowd_that_we_are_invited_to_only_the_first_members_are_read(
    crowded: Crowded, membership: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Json] = []
    within = look._membership

    def counted(event: Json) -> str:
        read.append(event)
        return within(event) and membership

    monkeypatch.setattr(look, "_membership", counted)
    homeserver = Homeserver(f"http://127.0.0.1:{crowded.port}", _US)
    found = await look.members(homeserver, "!pond:example.org")
    await homeserver.close()
    assert "" in found  # so it is nobody's private conversation
    assert len(read) <= 1001


async def test_what_a_first_sync_asks_for_has_no_members_but_those_who_speak(crowded: Crowded) -> None:
    began = time.process_time()
    await _first_message(crowded)
    print(f"{time.process_time() - began:.2f} s of CPU, the fake homeserver's included")  # noqa: T201
    first, later = crowded.filters
    assert isinstance(first, dict)
    assert isinstance(later, dict)
    assert first["room"]["state"]["lazy_load_members"] is True
    assert first["room"]["timeline"]["limit"] == 1
    assert later["room"]["state"] == {"types": []}
