"""The Matrix adapter behind a proxy that spoils what a real Synapse answers: nothing is lost or doubled."""

import asyncio
import ssl
from collections.abc import MutableMapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.demo.people import MatrixPerson
from bridge.demo.servers import Synapse
from bridge.lib.backoff import Backoff
from bridge.matrix.client import MatrixNetwork
from bridge.matrix.dialect.operations import ID, Say, decode
from bridge.matrix.hearing import asking
from bridge.matrix.http import filters, homeserver, look, patience
from bridge.matrix.rooms import joining
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import TransientError
from tests.faults.http import HttpProxy, cut, endless, lost, says, unended
from tests.integration.certificates import self_signed
from tests.integration.servers import plain_port, unique
from tests.integration.test_matrix import _log_out, eventually, owed, pond

pytestmark = pytest.mark.servers

_PASSWORD = "quack-quack"

_ANSWERS = {
    "502 of a proxy": says(502, "<html>Bad gateway</html>", "text/html"),
    "500": says(500, '{"errcode": "M_UNKNOWN", "error": "Internal server error"}'),
    "429": says(429, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 100}'),
    "HTML": says(200, "<html>Welcome to our hotspot</html>", "text/html"),
    "an empty object": says(200, "{}"),
    "a list": says(200, "[1, 2]"),
    "wrong types": says(200, '{"next_batch": 7, "event_id": [], "chunk": {}, "rooms": "all", "room_id": null}'),
    "deep nesting": says(200, "[" * 100_000),
    "half an answer": cut,
    "half an answer, and silence": unended,
    "no end": endless,
    "a lost answer": lost,
}
_REQUESTS = ("/sync", "/send/", "/messages", "/join/", "/directory/room/", "/filter", "/whoami")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience for tests: pauses of milliseconds, answers within a second, gaps after five events."""
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(0.02, 10.0))
    monkeypatch.setattr(joining, "_SOON", 0.05)
    monkeypatch.setattr(homeserver, "_WITHIN", 1.0)
    monkeypatch.setitem(homeserver.Homeserver.get.__kwdefaults__ or {}, "within", 1.0)
    monkeypatch.setattr(homeserver.Homeserver.once, "__defaults__", (None, None, 1.0, None))
    monkeypatch.setattr(homeserver, "_LARGEST", 2**20)
    monkeypatch.setattr(asking, "_POLL", 1.0)
    monkeypatch.setattr(asking, "_MARGIN", 0.5)
    monkeypatch.setattr(filters, "TIMELINE", 3)
    monkeypatch.setattr(filters, "PAGE", 4)


async def _say(network: MatrixNetwork, post: Post) -> None:
    """Send as the relay does: again and again, until the post is sent."""
    async with asyncio.timeout(20):
        while True:
            try:
                await network.send(post)
            except TransientError as error:
                await asyncio.sleep(min(error.retry_after or 0.05, 0.2))
            else:
                return


async def test_all_messages_arrive_once_and_in_order_whatever_a_proxy_answers_in_between(
    synapse: Synapse, hasty: None
) -> None:
    async with HttpProxy(synapse.url) as way, pond(synapse) as (us, alice, place):
        us.url = way.url
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
        said, posted = ["before"], list[str]()
        for name, answer in _ANSWERS.items():
            said += [f"{number} while {name}" for number in range(8)]
            for text in said[-8:]:
                await alice.send(place, text)
            for request in _REQUESTS:
                way.spoil(request, answer)
            async with us.running() as network:
                for number in range(3):
                    posted.append(f"{number} against {name}")
                    (post,) = network.render([owed(us.rooms[0], posted[-1])])
                    await _say(network, post)
                await us.hears(said[-1])
                await alice.heard(posted[-1])
            assert way.spent, name
        ours = [message.text for message in await alice.history(place) if "against" in message.text]
    assert us.texts == said
    assert ours == [f"<bob> {text}" for text in posted]


async def test_a_rate_limit_in_one_room_has_the_announced_pause_and_holds_up_no_other_room(synapse: Synapse) -> None:
    async with HttpProxy(synapse.url) as way, pond(synapse) as (us, alice, place):
        us.url = way.url
        alias = unique("lake")
        other = await alice.create_room(alias)
        us.rooms.append(Room("home", f"#{alias}:{synapse.server_name}"))
        async with us.running() as network:
            limit = says(429, '{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 7500}')
            way.spoil(f"rooms/{place}/send/", limit, 10**6)
            (late,), (soon,) = (network.render([owed(room, "hello")]) for room in us.rooms)
            with pytest.raises(TransientError) as limited:
                await network.send(late)
            assert limited.value.retry_after == 7.5
            await network.send(soon)
            assert (await alice.heard("hello")).room == other
            way.mend()
            await network.send(late)
            await alice.heard(lambda message: message.room == place)


async def test_a_post_whose_transaction_id_is_forgotten_is_found_in_the_room_and_not_sent_again(
    synapse: Synapse,
) -> None:
    """Synapse forgets transaction ids after a day: it has the event, and would accept the post as a new one."""
    async with pond(synapse) as (us, alice, place), us.running() as network:
        (post,) = network.render([owed(us.rooms[0], "once")])
        async with MatrixPerson(synapse.url, us.user, _PASSWORD) as earlier:
            operation = decode(post.payload)
            assert isinstance(operation, Say)
            sent = await earlier.send_event(place, "m.room.message", {**operation.content, ID: post.id})
        assert await network.send(post, again=True) == sent
        (new,) = network.render([owed(us.rooms[0], "new")])
        await network.send(new, again=True)  # it was never sent
        await alice.heard("new")
        assert [m.text for m in await alice.history(place)] == ["<bob> once", "<bob> new"]


async def test_a_post_that_a_moderator_redacted_is_found_so_that_it_is_not_sent_again(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        (post,) = network.render([owed(us.rooms[0], "spam")])
        sent = await network.send(post)
        await alice.redact(place, sent)
        assert await look.event_of(network._homeserver, place, (us.user,), post) == sent


async def test_a_lost_answer_followed_by_a_logout_does_not_double_a_post(synapse: Synapse) -> None:
    """After a logout the homeserver may have forgotten which posts the device has sent."""
    async with HttpProxy(synapse.url) as way, pond(synapse) as (us, alice, place):
        us.url = way.url
        async with us.running() as network:
            (post,) = network.render([owed(us.rooms[0], "once")])
            way.spoil("/send/", lost, 2)  # the HTTP library asks once more by itself
            with pytest.raises(TransientError):
                await network.send(post)
            way.mend()
            await alice.heard("once")
            device = us.memory.kept["device_id"]
            await _log_out(us)
            with capture_logs() as logs:
                assert await network.send(post)
            assert "sent_already" in [line["event"] for line in logs]
            assert us.memory.kept["device_id"] == device
            (barrier,) = network.render([owed(us.rooms[0], "barrier")])
            await network.send(barrier)
            await alice.heard("barrier")
            assert [m.text for m in await alice.history(place)] == ["<bob> once", "<bob> barrier"]


async def test_after_a_soft_logout_we_log_in_again_on_the_same_device(synapse: Synapse) -> None:
    async with HttpProxy(synapse.url) as way, pond(synapse) as (us, alice, place):
        us.url = way.url
        async with us.running() as network:
            kept = dict(us.memory.kept)
            over = says(401, '{"errcode": "M_UNKNOWN_TOKEN", "error": "expired", "soft_logout": true}')
            way.spoil("/send/", over)
            way.spoil("/whoami", over)
            (post,) = network.render([owed(us.rooms[0], "still us")])
            await network.send(post)
            await alice.heard("still us")
            await alice.send(place, "still heard")
            await us.hears("still heard")
        assert us.memory.kept["device_id"] == kept["device_id"]
        assert us.memory.kept["access_token"] != kept["access_token"]


@pytest.mark.parametrize(
    ("name", "days", "trusted", "hint"),
    [
        ("localhost", 9, False, "this machine does not trust"),
        ("localhost", -1, True, "has to renew its certificate"),
        ("elsewhere.test", 9, True, "is for another name"),
        ("localhost", 9, True, ""),
    ],
)
async def test_an_invalid_certificate_of_the_homeserver_is_logged_with_a_hint(
    synapse: Synapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, days: int, trusted: bool, hint: str
) -> None:
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(0.02, 10.0))
    signed = self_signed(tmp_path, name, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    if trusted:
        known = ssl.create_default_context(cafile=signed.certificate)
        monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", known)
    async with HttpProxy(synapse.url, context) as way, pond(synapse) as (us, _, _):
        us.url = way.url
        with capture_logs() as logs:
            async with us.running(ready=not hint):
                if hint:
                    await eventually(partial(_troubled, logs))
    assert all(hint in str(line["hint"]) for line in _trouble(logs))
    assert bool(_trouble(logs)) == bool(hint)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_port_for_plain_http_is_called_that_within_seconds_where_https_is_configured(
    synapse: Synapse, greeting: bytes
) -> None:
    async with plain_port(greeting) as port, pond(synapse) as (us, _, _):
        us.url = f"https://127.0.0.1:{port}"
        with capture_logs() as logs:
            async with us.running(ready=False):
                await eventually(partial(_troubled_once, logs))
    (first, *_) = _trouble(logs)
    assert f"127.0.0.1:{port}" in str(first["reason"])
    assert "this one may be for plain http://" in str(first["hint"])
    assert "SSL" not in str(first)


async def _troubled_once(logs: Sequence[MutableMapping[str, object]]) -> bool:
    return bool(_trouble(logs))


async def test_a_homeserver_name_that_does_not_resolve_is_logged_with_a_hint_and_tried_again(
    synapse: Synapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_BACKOFF", Backoff(0.02, 10.0))
    async with pond(synapse) as (us, _, _):
        us.url = "http://homeserver.invalid:8008"
        with capture_logs() as logs:
            async with us.running(ready=False):
                await eventually(partial(_troubled, logs))
    assert all("DNS" in str(line["hint"]) and "homeserver.invalid" in str(line["reason"]) for line in _trouble(logs))


def _trouble(logs: Sequence[MutableMapping[str, object]]) -> list[MutableMapping[str, object]]:
    return [line for line in logs if line["event"] == "homeserver_trouble"]


async def _troubled(logs: Sequence[MutableMapping[str, object]]) -> bool:
    """Whether trouble was logged at the first try and at another one."""
    return len(_trouble(logs)) >= 2
