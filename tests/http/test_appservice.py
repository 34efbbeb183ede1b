"""What a homeserver asks of our application service, and what anybody else does there."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from yarl import URL

from bridge.demo.servers.process import HOST, free_port
from bridge.http import appservice
from bridge.http.appservice import Asked, Peer, Unrecognised, peer_of, read
from bridge.http.peers import Proxies
from bridge.network import NotNow
from tests.http.house import serving

pytestmark = pytest.mark.real_time

_TOKEN, _OTHER = "t" * 64, "o" * 64
_PUT = "/_matrix/app/v1/transactions/1"


@dataclass
class Service:
    """Takes in transactions; `trouble` is raised instead."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    pings: int = 0
    trouble: Exception | None = None
    pause_s: float = 0.0

    async def receive_transaction(self, transaction: str, body: bytes) -> None:
        await asyncio.sleep(self.pause_s)
        if self.trouble is not None:
            raise self.trouble
        self.taken.append((transaction, body))

    async def receive_ping(self) -> None:
        self.pings += 1

    def is_ghost(self, user: str) -> bool:
        return user == "@irc_libera_a/b:hs"


class Asking:
    """Asks, as the homeserver does."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http = http
        self._port = port

    async def __call__(
        self, method: str, path: str, body: bytes = b"", token: str | None = _TOKEN, scheme: str = "Bearer"
    ) -> tuple[int, str]:
        """The status, and the errcode of the answer."""
        headers = {} if token is None else {"Authorization": f"{scheme} {token}"}
        place = URL(f"http://{HOST}:{self._port}{path}", encoded=True)
        async with self._http.request(method, place, data=body or None, headers=headers) as answer:
            found = await answer.json(content_type=None) if answer.content_type == "application/json" else {}
            assert answer.headers["Server"] == "quackbridge"
            return answer.status, found.get("errcode", "")


@asynccontextmanager
async def _asked(*peers: Peer, proxies: Proxies | None = None) -> AsyncGenerator[Asking, None]:
    port = free_port()
    async with serving(port, appservice.routes(lambda: peers), proxies), aiohttp.ClientSession() as http:
        yield Asking(http, port)


async def test_each_endpoint_answers_the_homeserver() -> None:
    service = Service()
    async with _asked(Peer("work", _OTHER), Peer("home", _TOKEN, service)) as ask:
        assert await ask("PUT", "/_matrix/app/v1/transactions/a%2Fb", b'{"events":[]}') == (200, "")
        assert service.taken == [("a/b", b'{"events":[]}')]
        assert await ask("PUT", "/below/that/_matrix/app/v1/transactions/2", b"{}") == (200, "")
        assert await ask("GET", "/_matrix/app/v1/users/@irc_libera_a%2Fb:hs") == (200, "")
        assert await ask("GET", "/_matrix/app/v1/users/%40irc_libera_eve%3Ahs") == (404, "M_NOT_FOUND")
        assert await ask("GET", "/_matrix/app/v1/rooms/%23pond%3Ahs") == (404, "M_NOT_FOUND")
        assert await ask("POST", "/_matrix/app/v1/ping", b'{"transaction_id":"x"}') == (200, "")
        assert service.pings == 1
        assert await ask("PUT", _PUT, b"{}", _OTHER) == (503, "M_UNKNOWN")  # another machine runs that network


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_matrix/app/v1/thirdparty/protocol/irc", 404),
        ("GET", "/_matrix/app/unstable/users/x", 404),
        ("PUT", "/_matrix/app/v1/transactions", 404),
        ("PUT", "/_matrix/app/v1/transactions/", 404),
        ("PUT", "/_matrix/app/v1/transactions/1/2", 404),
        ("GET", "/_matrix/app/", 404),
        ("GET", "/_matrix/app/v1/transactions/1", 405),
        ("PUT", "/_matrix/app/v1/ping", 405),
        ("POST", "/_matrix/app/v1/ping/1", 404),
    ],
)
async def test_anything_else_is_not_recognised(method: str, path: str, status: int) -> None:
    async with _asked(Peer("home", _TOKEN, Service())) as ask:
        assert await ask(method, path) == (status, "M_UNRECOGNIZED")


async def test_nothing_is_there_where_no_network_has_a_url() -> None:
    async with _asked() as ask:
        assert await ask("PUT", _PUT, b"{}") == (404, "")


@pytest.mark.parametrize("token", ["", "x", _TOKEN[:-1], _TOKEN + "t", "ß" * 3])
async def test_who_has_no_token_gets_nowhere_and_costs_one_line(token: str) -> None:
    service = Service()
    with capture_logs() as lines:
        async with _asked(Peer("home", _TOKEN, service)) as ask:
            assert await ask("PUT", _PUT, b"{}", None) == (401, "M_FORBIDDEN")
            for _ in range(5):
                assert await ask("PUT", _PUT, b"{}", token) == (403, "M_FORBIDDEN")
                assert await ask("PUT", _PUT, b"{}", _TOKEN, scheme="Basic") == (403, "M_FORBIDDEN")
    assert service.taken == []
    assert [line["event"] for line in lines] == ["homeserver_token_wrong"]


async def test_who_guesses_is_stopped_and_the_homeserver_is_not() -> None:
    service = Service()
    async with _asked(Peer("home", _TOKEN, service), proxies=Proxies(())) as ask:
        statuses = [(await ask("PUT", f"/_matrix/app/v1/transactions/{number}", b"{}"))[0] for number in range(300)]
        assert set(statuses) == {200}
        guesses = []
        with suppress(aiohttp.ClientError):  # in the end there is not even a connection
            for number in range(300):
                guesses.append(await ask("PUT", _PUT, b"{}", f"guess {number}"))  # noqa: PERF401
        assert set(guesses) == {(403, "M_FORBIDDEN")}
        assert 150 <= len(guesses) < 300


async def test_a_body_is_bounded_and_one_without_a_token_is_not_read() -> None:
    service = Service()
    large = bytes(appservice._LARGEST + 1)
    async with _asked(Peer("home", _TOKEN, service)) as ask:
        assert await ask("PUT", _PUT, large) == (413, "M_TOO_LARGE")
        assert await ask("PUT", _PUT, large[:-1]) == (200, "")
        with suppress(aiohttp.ClientError, ConnectionError):  # it is disconnected while it still sends
            assert await ask("PUT", _PUT, large, "x") == (403, "M_FORBIDDEN")
        assert len(service.taken) == 1


async def test_a_body_of_unknown_length_is_bounded() -> None:
    service = Service()
    sent = 0

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal sent
        while True:
            sent += 65_536
            yield bytes(65_536)

    port = free_port()
    routes = appservice.routes(lambda: [Peer("home", _TOKEN, service)])
    async with serving(port, routes), aiohttp.ClientSession() as http:
        place, headers = f"http://{HOST}:{port}{_PUT}", {"Authorization": f"Bearer {_TOKEN}"}
        with pytest.raises((aiohttp.ClientError, ConnectionError, AssertionError)):
            async with http.put(place, data=endless(), headers=headers) as answer:
                assert answer.status != 413
    assert service.taken == []
    assert sent < 3 * appservice._LARGEST


@pytest.mark.parametrize(
    ("trouble", "expected"), [(NotNow("later"), (503, "M_UNKNOWN")), (ValueError("x"), (400, "M_NOT_JSON"))]
)
async def test_what_is_not_stored_is_not_acknowledged(trouble: Exception, expected: tuple[int, str]) -> None:
    async with _asked(Peer("home", _TOKEN, Service(trouble=trouble))) as ask:
        assert await ask("PUT", _PUT, b"{}") == expected


async def test_few_transactions_are_read_at_a_time() -> None:
    async with _asked(Peer("home", _TOKEN, Service(pause_s=0.5))) as ask:
        answers = await asyncio.gather(*(ask("PUT", _PUT, b"{}") for _ in range(6)))
        assert sorted(answers) == [(200, "")] * 2 + [(503, "M_UNKNOWN")] * 4
        assert await ask("PUT", _PUT, b"{}") == (200, "")


@given(
    st.text(max_size=40) | st.from_regex(r"v1/[a-z]{4,12}(/.{0,4})?"), st.sampled_from(["GET", "PUT", "POST", "DELETE"])
)
def test_any_path_is_read_or_not_recognised(rest: str, method: str) -> None:
    with suppress(Unrecognised):
        asked = read(method, f"/_matrix/app/{rest}")
        assert rest.startswith("v1/")
        assert asked.what in ("transactions", "users", "rooms", "ping")


def test_the_name_is_unquoted_once() -> None:
    assert read("GET", "/_matrix/app/v1/users/%2540a%253Ahs") == Asked("users", "%40a%3Ahs")


@given(st.text(max_size=80))
def test_only_the_whole_token_is_one(authorization: str) -> None:
    assert peer_of(authorization, [Peer("home", _TOKEN)]) is None
    found = peer_of(f"bearer {_TOKEN}", [Peer("work", _OTHER), Peer("home", _TOKEN)])
    assert found is not None
    assert found.network == "home"


def test_no_token_is_in_a_repr() -> None:
    assert _TOKEN not in repr(Peer("home", _TOKEN))
