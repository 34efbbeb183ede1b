"""A homeserver that answers badly (bridge.matrix.homeserver, listening, gap), over real HTTP."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from bridge.lib.backoff import Backoff
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.dialect import content
from bridge.matrix.hearing import gap
from bridge.matrix.http import homeserver, patience
from bridge.matrix.http.homeserver import ApiError, Homeserver, TooLarge, Unreachable
from bridge.model.event import Event, Room
from bridge.model.people import Sender
from bridge.model.text import plain
from bridge.network import Gap
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

pytestmark = pytest.mark.real_time

_US, _ANN = "@duck:hs", "@ann:hs"
_TOKEN = "syt_very_secret"


def _said(text: str, size: int = 0) -> dict[str, object]:
    content = {"msgtype": "m.text", "body": text, "padding": "x" * size}
    event = {"type": "m.room.message", "sender": _ANN, "event_id": f"${text}", "origin_server_ts": 1}
    return event | {"content": content}


class Odd:
    """Knows two rooms. While `huge`, a sync of 100 events is; while `broken`, one room's gap is not shown."""

    def __init__(self) -> None:
        self.port = 0
        self.limits: list[int] = []
        self.huge = False
        self.broken = False
        self.limit = ("", "")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/_matrix/client/v3/")
        if path == "account/whoami":
            return web.json_response({"user_id": _US})
        if path.endswith("/filter"):
            wanted = await request.json()
            self.limits.append(wanted["room"]["timeline"]["limit"])
            return web.json_response({"filter_id": str(self.limits[-1])})
        if path.startswith("directory/room/"):
            return web.json_response({"room_id": "!" + path.rpartition("#")[2].partition(":")[0]})
        if path.startswith("join/"):
            return web.json_response({"room_id": "!" + path.rpartition("#")[2].partition(":")[0]})
        if path.endswith("/messages"):
            return await self._messages(request)
        if path.endswith("/state/m.room.encryption/"):
            return web.json_response({"errcode": "M_NOT_FOUND"}, status=404)
        if path == "sync":
            return await self._sync(request)
        if "/send/" in path:
            answer, header = self.limit
            return web.Response(status=429, text=answer, headers={"Retry-After": header})
        return web.json_response({})

    async def _messages(self, request: web.Request) -> web.Response:
        if self.broken and "/!pond/" in request.path and request.query.get("from") == "gap":
            return web.json_response({"errcode": "M_UNKNOWN", "error": "Internal server error"}, status=500)
        gone = [_said("in the gap")] if request.query.get("from") == "gap" else []
        return web.json_response({"chunk": gone})

    async def _sync(self, request: web.Request) -> web.Response:
        since, limit = request.query.get("since"), request.query.get("filter", "")
        if since is None:
            return web.json_response({"next_batch": "s1"})
        if since != "s1":
            await asyncio.sleep(3600)
        if self.huge and limit == "100":
            return web.Response(body=b" " * 300_000, content_type="application/json")
        pond = {"limited": True, "prev_batch": "gap", "events": [_said("pond")]}
        rooms = {"!pond": {"timeline": pond}, "!lake": {"timeline": {"events": [_said("lake")]}}}
        return web.json_response({"next_batch": "s2", "rooms": {"join": rooms}})


@pytest.fixture
async def odd(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Odd, None]:
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(0.01, 10.0))
    server, application = Odd(), web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


async def _heard(
    odd: Odd,
    count: int,
    gaps: list[Gap] | None = None,
    carries: Callable[[Sender, Room], bool] = lambda *_: True,
) -> list[str]:
    """The words of the first `count` messages; what is not known goes into `gaps`."""
    settings = matrix_settings("home", f"http://127.0.0.1:{odd.port}", _US, None, _TOKEN)
    rooms = [Room("home", "#pond:hs"), Room("home", "#lake:hs")]
    network = MatrixNetwork(settings, rooms, Notebook(), clock=time.time, rng=random.Random(1), carries=carries)
    heard: list[Event] = []
    async with asyncio.timeout(20), aclosing(network.events(None)) as batches:
        async for batch in batches:
            heard += batch.events
            if gaps is not None:
                gaps += batch.gaps
            if len(heard) >= count:
                break
    return [plain(event.text) for event in heard]


async def test_long_messages_of_people_who_are_not_carried_are_not_read_in_full(
    odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Room]] = []

    def carries(who: Sender, room: Room) -> bool:
        asked.append((who.address, room))
        return False

    monkeypatch.setattr(content, "_SHORT", 3)
    assert await _heard(odd, 3, carries=carries) == ["in ", "pon", "lak"]
    assert {room.id for _, room in asked} == {"#pond:hs", "#lake:hs"}


async def test_a_sync_that_is_too_large_is_asked_for_in_smaller_pieces(
    odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homeserver, "_LARGEST", 200_000)
    odd.huge = True
    with capture_logs() as logs:
        assert await _heard(odd, 3) == ["in the gap", "pond", "lake"]
    assert odd.limits[:2] == [100, 5]
    assert "is larger than" in _reason(logs, "homeserver_trouble")
    assert _TOKEN not in str(logs)


async def test_a_gap_that_stays_unreadable_is_given_up_and_does_not_hold_up_other_rooms(
    odd: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap, "_GIVEN_UP", 0.05)
    odd.broken = True
    gaps: list[Gap] = []
    before = time.time()
    with capture_logs() as logs:
        assert await _heard(odd, 2, gaps) == ["pond", "lake"]
    (unknown,) = gaps
    assert unknown.room == Room("home", "#pond:hs")
    assert before - 1 < unknown.since <= unknown.until < time.time() + 1
    assert "did not show the room's history" in _reason(logs, "gap_not_filled")
    assert [line["event"] for line in logs].count("gap_not_filled") == 1


@pytest.mark.parametrize(
    ("answer", "header", "pause"),
    [
        ('{"retry_after_ms": 2500}', "7", 2.5),
        ('{"errcode": "M_LIMIT_EXCEEDED"}', "7", 7.0),
        ("<html>", "7", 7.0),
        ('{"retry_after_ms": 86400000000}', "", 600.0),
        ('{"retry_after_ms": -1}', "", None),
        ('{"retry_after_ms": 0}', "", None),
        ("{}", "Tue, 24 Nov 2026 10:00:00 GMT", None),
        ("{}", "9" * 5_000, None),
    ],
)
async def test_the_pause_of_a_rate_limit_is_read_from_body_or_header_and_is_ten_minutes_at_most(
    odd: Odd, answer: str, header: str, pause: float | None
) -> None:
    odd.limit = (answer, header)
    server = Homeserver(f"http://127.0.0.1:{odd.port}", _US)
    with pytest.raises(ApiError) as limited:
        await server.put("rooms", "!pond", "send", "m.room.message", "1", body="{}")
    await server.close()
    assert limited.value.retry_after == pause


def _reason(logs: Sequence[Mapping[str, object]], event: str) -> str:
    return str(next(line["reason"] for line in logs if line["event"] == event))


async def test_a_response_that_is_too_large_is_refused(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homeserver, "_LARGEST", 10)
    server = Homeserver(f"http://127.0.0.1:{odd.port}", _US)
    with pytest.raises(TooLarge):
        await server.get("account", "whoami")
    await server.close()


async def test_a_homeserver_name_that_does_not_resolve_is_reported_as_unreachable() -> None:
    server = Homeserver("http://homeserver.invalid:8008", _US)
    with pytest.raises(Unreachable, match=r"homeserver\.invalid"):
        await server.get("account", "whoami")
    await server.close()


class Elsewhere:
    """A homeserver that redirects to `target`; `asked` are the requests it got."""

    def __init__(self) -> None:
        self.status, self.target = 307, ""
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path} {await request.text()}")
        if request.path.startswith("/_matrix/"):
            return web.Response(status=self.status, headers={"Location": self.target})
        return web.json_response({"user_id": _US})


@asynccontextmanager
async def _listening(elsewhere: Elsewhere) -> AsyncGenerator[str, None]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", elsewhere.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_server_is_not_followed_so_it_gets_no_password(status: int) -> None:
    ours, theirs = Elsewhere(), Elsewhere()
    async with _listening(ours) as here, _listening(theirs) as there:
        ours.status, ours.target = status, f"{there}/login"
        server = Homeserver(here, _US)
        with pytest.raises(Unreachable, match=rf"redirects to {there} \(HTTP status {status}\)") as refused:
            await server.post("login", body={"password": "quack"})
        with pytest.raises(Unreachable):
            await server.get("account", "whoami")
        await server.close()
    assert there in refused.value.hint
    assert len(ours.asked) == 3  # the first again, over the session that watches where redirects lead
    assert theirs.asked == []


@pytest.mark.parametrize(
    ("status", "method", "followed"),
    [(307, "POST", True), (308, "POST", True), (301, "GET", True), (301, "POST", False), (302, "PUT", False)],
)
async def test_a_redirect_within_the_homeserver_is_followed_if_it_keeps_the_method(
    status: int, method: str, followed: bool
) -> None:
    ours = Elsewhere()
    async with _listening(ours) as here:
        ours.status, ours.target = status, "/elsewhere"
        server = Homeserver(here, _US)
        if followed:
            assert await server.once(method, ("login",), body="{}") == {"user_id": _US}
            assert ours.asked[-1].startswith(f"{method} /elsewhere")
        else:
            with pytest.raises(Unreachable, match="does not follow") as refused:
                await server.once(method, ("login",), body="{}")
            assert f"{here}/elsewhere" in refused.value.hint
        await server.close()


@pytest.mark.parametrize("target", ["", "http://", "https://[", "//", "http://exa mple", "ftp://x", "javascript:1"])
async def test_a_redirect_to_an_invalid_url_is_reported_as_unreachable(target: str) -> None:
    ours = Elsewhere()
    async with _listening(ours) as here:
        ours.target = target
        server = Homeserver(here, _US)
        with pytest.raises(Unreachable):
            await server.post("login", body={})
        await server.close()
