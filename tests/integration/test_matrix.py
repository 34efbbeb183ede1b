"""The Matrix adapter on a real Synapse, with independent people."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from bridge.demo.people import MatrixPerson
from bridge.demo.people.matrix import MatrixError
from bridge.demo.servers import Synapse
from bridge.matrix.client import MatrixNetwork
from bridge.model.event import Event, EventKey, Kind, Origin, Room
from bridge.model.outbox import Delivery, Known, Owed, Post
from bridge.model.text import Span, Style, plain
from bridge.network import UNCOPIED, Batch, PermanentError, Refused, TransientError
from tests.events import body_of, irc, said
from tests.fakes.memory import Notebook
from tests.integration.servers import unique
from tests.settings import matrix_settings

pytestmark = pytest.mark.servers

_PASSWORD = "quack-quack"
_PATIENCE = 20.0


@dataclass
class Ours:
    """Our account on a homeserver; the adapter can be run several times."""

    server: Synapse
    user: str
    rooms: list[Room]
    memory: Notebook = field(default_factory=Notebook)
    password: str | None = _PASSWORD
    token: str | None = None
    encryption: bool = True
    url: str = ""
    """Where the homeserver is, if not at its own address."""
    cursor: str | None = None
    batches: list[Batch] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def heard(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def texts(self) -> list[str]:
        return [plain(event.text) for event in self.heard]

    def network(self) -> MatrixNetwork:
        url = self.url or self.server.url
        settings = matrix_settings("home", url, self.user, self.password, self.token, encryption=self.encryption)
        return MatrixNetwork(settings, self.rooms, self.memory, clock=time.time, rng=random.Random(1))

    @asynccontextmanager
    async def running(self, *, ready: bool = True) -> AsyncGenerator[MatrixNetwork, None]:
        """Run until left; what is heard is in `heard`."""
        network = self.network()
        started = len(self.batches)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(network))
            try:
                async with asyncio.timeout(_PATIENCE):
                    if ready:
                        await network.ready()
                    if ready and self.cursor is None:
                        await self.until(lambda: len(self.batches) > started)
                yield network
            finally:
                listening.cancel()

    async def _listen(self, network: MatrixNetwork) -> None:
        async with aclosing(network.events(self.cursor)) as batches:
            async for batch in batches:
                await self.memory.remember(batch.changes)
                async with self.news:
                    self.batches.append(batch)
                    self.cursor = batch.cursor
                    self.news.notify_all()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(_PATIENCE), self.news:
            await self.news.wait_for(true)

    async def hears(self, text: str) -> Event:
        await self.until(lambda: any(text in each for each in self.texts))
        return next(event for event in self.heard if text in plain(event.text))


@asynccontextmanager
async def pond(
    server: Synapse, *, preset: str = "public_chat", **more: object
) -> AsyncGenerator[tuple[Ours, MatrixPerson, str], None]:
    """Our account and alice, and a room of hers, which is configured."""
    user, alias = await server.register(unique("duck"), _PASSWORD), unique("pond")
    async with MatrixPerson(server.url, unique("alice")) as alice:
        place = await alice.create_room(alias, preset=preset, **more)
        yield Ours(server, user, [Room("home", f"#{alias}:{server.server_name}")]), alice, place


def _without_encryption(us: Ours) -> Ours:
    us.encryption = False
    return us


def owed(room: Room, text: str, **more: object) -> Owed:
    event = said(Room("libera", "#pond"), irc("bob"), text, unique("$"), **more)  # type: ignore[arg-type]
    return Owed(Delivery.of(event.key, room).id, room, event)


async def post(network: MatrixNetwork, room: Room, text: str, **more: object) -> str:
    (rendered,) = network.render([owed(room, text, **more)])
    return await network.send(rendered)


async def post_for_ever(network: MatrixNetwork, room: Room) -> None:
    """Send until the homeserver or the adapter refuses, and raise that error."""
    while True:
        await post(network, room, "x")


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again: for states that the homeserver does not announce."""
    async with asyncio.timeout(_PATIENCE):
        while not await true():  # noqa: ASYNC110  (the homeserver rings no bell)
            await asyncio.sleep(0.05)


async def test_a_message_is_heard_with_its_id_sender_time_formatting_and_kind(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running():
        await alice.rename("Alice <b>")
        await eventually(lambda: _is_called(alice, place, "Alice <b>"))
        before = time.time()
        sent = await alice.send_html(place, "hi *there*", "hi <b>there</b>")
        heard = await us.hears("there")
        assert (heard.id, heard.room, heard.private, body_of(heard).kind) == (sent, us.rooms[0], False, Kind.TEXT)
        assert heard.text == (Span("hi "), Span("there", Style.BOLD))
        assert heard.sender.name == "Alice ‹b›"
        assert heard.sender.address == alice.user_id
        assert abs(heard.time - before) < 60
        reply = {"m.in_reply_to": {"event_id": sent}}
        await alice.send(place, f"{us.user.partition(':')[0]}: yes?", **{"m.relates_to": reply})  # type: ignore[arg-type]
        answer = await us.hears("yes?")
        assert body_of(answer).reply_to == EventKey(us.rooms[0], sent)
        assert body_of(answer).called == us.user[1:].partition(":")[0]
        await alice.me(place, "waves")
        assert body_of(await us.hears("waves")).kind is Kind.ACTION


async def test_two_people_of_one_name_are_told_apart_and_a_name_is_the_one_of_when_something_was_said(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place), MatrixPerson(synapse.url, unique("twin")) as twin:
        await twin.join(place)
        for person in (alice, twin):
            await person.rename("Kim")
            await eventually(partial(_is_called, person, place, "Kim"))
        async with us.running():
            await alice.send(place, "first")
            assert (await us.hears("first")).sender.name == f"Kim ({alice.user_id})"
            await twin.rename("Tim")
            await eventually(lambda: _is_called(twin, place, "Tim"))
            await alice.send(place, "second")
            assert (await us.hears("second")).sender.name == "Kim"
        await twin.send(place, "as Tim")
        await twin.rename("Kim")
        await eventually(lambda: _is_called(twin, place, "Kim"))
        await twin.send(place, "as Kim")
        await alice.rename("Alice")
        await eventually(lambda: _is_called(alice, place, "Alice"))
        for number in range(120):  # more than one sync holds
            await alice.send(place, f"line {number}")
        await twin.send(place, "as Kim alone")
        await twin.leave(place)
        async with us.running():
            await us.hears("as Kim alone")
    assert [(await us.hears(text)).sender.name for text in ("as Tim", "as Kim", "line 0", "line 119", "alone")] == [
        "Tim",
        f"Kim ({twin.user_id})",
        "Alice",
        "Alice",
        "Kim",
    ]


async def _is_called(person: MatrixPerson, place: str, name: str) -> bool:
    """Whether the new name has reached the room: homeservers take their time."""
    state = await person.call("GET", f"rooms/{place}/state/m.room.member/{person.user_id}")
    return bool(state["displayname"] == name)


async def test_what_we_send_mentions_nobody_and_may_be_a_reply(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        first = await alice.send(place, "question")
        asked = EventKey(Room("l", "#p"), "asked")
        (reply,) = network.render(
            [
                Owed(
                    "d",
                    us.rooms[0],
                    said(Room("l", "#p"), irc("bob"), "@room <i>x</i>", reply_to=asked),
                    {asked: Known(asked, ids=(first,))},
                )
            ]
        )
        await network.send(reply)
        raw = (await alice.heard("<bob> @room")).raw["content"]
        assert isinstance(raw, dict)
        assert raw["m.mentions"] == {}
        assert raw["m.relates_to"] == {"m.in_reply_to": {"event_id": first}}
        assert (
            raw["formatted_body"] == "<strong data-mx-profile-fallback>&lt;bob&gt;: </strong>@room &lt;i&gt;x&lt;/i&gt;"
        )


async def test_device_and_token_are_used_again_after_a_restart(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        with capture_logs() as logs:
            async with us.running():
                pass
            kept = {key: value for key, value in us.memory.kept.items() if not key.startswith(UNCOPIED)}
            async with us.running():
                await alice.send(place, "again")
                await us.hears("again")
        assert [line["event"] for line in logs].count("logged_in") == 1
        assert kept.items() <= us.memory.kept.items()
        assert kept["access_token"] not in str(logs)


async def test_a_token_that_was_invalidated_is_replaced_on_the_same_device(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running():
            device = us.memory.kept["device_id"]
            us.memory.kept["access_token"] = "syt_gone"
        async with us.running() as network:
            assert us.memory.kept["device_id"] == device
            await _log_out(us)
            await alice.send(place, "still there?")
            await us.hears("still there?")
            await post(network, us.rooms[0], "yes")
            await alice.heard("yes")
            assert us.memory.kept["device_id"] == device


async def _log_out(us: Ours) -> None:
    """End all our sessions from another client."""
    async with MatrixPerson(us.server.url, us.user, _PASSWORD) as other:
        await other.call("POST", "logout/all", {})


async def test_a_wrong_password_is_refused_in_one_clear_line(synapse: Synapse) -> None:
    async with pond(synapse) as (us, _, _):
        us.password = "wrong"
        with pytest.raises(Refused) as refused:
            await anext(us.network().events(None))
        assert str(refused.value) == f"home: the homeserver does not accept the password of {us.user}"


async def test_a_wrong_token_and_a_token_of_another_user_are_refused(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _):
        us.password, us.token = None, "syt_wrong"
        with pytest.raises(Refused, match="access token"):
            await anext(us.network().events(None))
        async with MatrixPerson(us.server.url, us.user, _PASSWORD) as other:
            us.token = other._token
            async with us.running():
                pass
            us.user = alice.user_id
            with pytest.raises(Refused, match="the access token belongs to"):
                await anext(us.network().events(None))


async def test_an_unknown_alias_is_logged_and_holds_up_no_other_room(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        missing = Room("home", f"#{unique('nowhere')}:localhost")
        us.rooms.insert(0, missing)
        with capture_logs() as logs:
            async with us.running(ready=False) as network:
                await us.until(lambda: bool(us.batches))
                await alice.send(place, "hello")
                await us.hears("hello")
                with pytest.raises(TransientError, match="not joined yet"):
                    await post(network, missing, "x")
        line = next(line for line in logs if line["event"] == "not_joined")
        assert (line["log_level"], line["network"], line["room"]) == ("error", "home", str(missing))
        assert "M_NOT_FOUND" in line["reason"]
        assert "configuration" in line["hint"]


async def test_a_gap_is_filled_in_order_and_once(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
        for number in range(300):
            await alice.send(place, f"line {number}")
        async with us.running():
            await us.hears("line 299")
            await alice.send(place, "after")
            await us.hears("after")
    assert us.texts == ["before", *(f"line {number}" for number in range(300)), "after"]
    assert len({event.id for event in us.heard}) == 302
    assert [(event.origin is Origin.REPLAYED) for event in us.heard] == [False, *[True] * 300, False]
    assert max(len(batch.events) for batch in us.batches) <= 200


async def test_a_room_joined_later_is_heard_from_then_on(synapse: Synapse) -> None:
    async with pond(synapse, preset="private_chat") as (us, alice, place):
        await alice.send(place, "long ago")
        with capture_logs() as logs:
            async with us.running(ready=False) as network:
                await us.until(lambda: bool(us.batches))
                assert [line["event"] for line in logs].count("not_joined") == 1
                await alice.invite(place, us.user)
                async with asyncio.timeout(_PATIENCE):
                    await network.ready()
                await alice.send(place, "now")
                await us.hears("now")
        async with us.running():
            await alice.send(place, "later")
            await us.hears("later")
    assert us.texts == ["now", "later"]


async def test_a_post_sent_again_is_one_event(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running() as network:
            (once,) = network.render([owed(us.rooms[0], "once")])
            first = await network.send(once)
        async with us.running() as network:
            assert await network.send(once) == first
            await post(network, us.rooms[0], "barrier")
            await alice.heard("barrier")
        assert [m.text for m in await alice.history(place) if "once" in m.text] == ["<bob> once"]


async def test_without_encryption_nothing_is_said_or_heard_in_an_encrypted_room_and_no_keys_are_made(
    synapse: Synapse,
) -> None:
    encryption = {"algorithm": "m.megolm.v1.aes-sha2"}
    state = [{"type": "m.room.encryption", "state_key": "", "content": encryption}]
    async with pond(synapse, initial_state=state) as (us, alice, place):
        us.encryption = False
        with capture_logs() as logs:
            async with us.running() as network:
                with pytest.raises(PermanentError, match="encryption is off"):
                    await post(network, us.rooms[0], "secret")
                for _ in range(2):
                    await alice.send_event(place, "m.room.encrypted", encryption)
                await alice.send(place, "plain")
                await us.hears("plain")
        assert [line["event"] for line in logs].count("encrypted") == 1
        assert not [m for m in await alice.history(place) if m.sender == us.user]
        assert [count.reason for batch in us.batches for count in batch.counts] == [
            "encrypted, and encryption is off for this bridge"
        ] * 2
        assert not [key for key in us.memory.kept if key.startswith(UNCOPIED)]
        found = await alice.call("POST", "keys/query", {"device_keys": {us.user: []}})
        assert found["device_keys"] == {us.user: {}}


async def test_a_room_that_becomes_encrypted_is_not_sent_to_any_more_without_encryption(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), _without_encryption(us).running() as network:
        await post(network, us.rooms[0], "fine")
        await alice.call("PUT", f"rooms/{place}/state/m.room.encryption/", {"algorithm": "m.megolm.v1.aes-sha2"})
        await alice.send(place, "barrier")
        await us.hears("barrier")
        with pytest.raises(PermanentError, match="encrypted"):
            await post(network, us.rooms[0], "secret")


async def test_an_invitation_to_any_other_room_is_refused(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _), us.running():
        other = await alice.create_room(unique("other"))
        await alice.invite(other, us.user)
        await alice.sees(other, us.user, "leave")


async def test_an_unmarked_room_of_two_is_a_private_conversation_and_a_room_of_three_is_left(synapse: Synapse) -> None:
    async with (
        pond(synapse) as (us, alice, _),
        us.running(),
        MatrixPerson(synapse.url, unique("carol")) as carol,
    ):
        two = await alice.create_room(preset="private_chat", invite=[us.user])
        await alice.sees(two, us.user, "join")
        await alice.send(two, "psst")
        assert (await us.hears("psst")).private
        three = await alice.create_room(preset="private_chat", invite=[carol.user_id])
        await alice.sees(three, carol.user_id, "join")
        await alice.invite(three, us.user)
        await alice.sees(three, us.user, "leave")


async def test_a_private_conversation_goes_both_ways_and_survives_a_restart(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _):
        async with us.running() as network:
            place = await alice.direct(us.user)
            await alice.send(place, "psst")
            heard = await us.hears("psst")
            assert (heard.private, heard.room) == (True, Room("home", place))
            await post(network, heard.room, "yes?", private=True, kind=Kind.NOTICE)
            answer = await alice.heard("yes?")
            assert (answer.room, answer.text, answer.kind) == (place, "yes?", "notice")
            assert "formatted_body" not in str(answer.raw)
        async with us.running():
            await alice.send(place, "and now?")
            assert (await us.hears("and now?")).private
    assert us.texts == ["psst", "and now?"]


async def test_a_private_room_with_a_third_member_is_ignored_for_good(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, public), MatrixPerson(synapse.url, unique("carol")) as carol:
        async with us.running() as network:
            place = await alice.direct(us.user)
            await alice.send(place, "two of us")
            heard = await us.hears("two of us")
            await alice.invite(place, carol.user_id)
            await carol.sees(place, carol.user_id)
            await alice.send(place, "three of us")
            await alice.send(public, "barrier")
            await us.hears("barrier")
            with pytest.raises(PermanentError, match="private"):
                await post(network, heard.room, "x", private=True)
        async with us.running():
            await alice.send(place, "again")
            await alice.send(public, "barrier 2")
            await us.hears("barrier 2")
    assert us.texts == ["two of us", "barrier", "barrier 2"]


async def test_an_encrypted_private_conversation_is_refused_without_encryption(synapse: Synapse) -> None:
    encryption = {"algorithm": "m.megolm.v1.aes-sha2"}
    state = [{"type": "m.room.encryption", "state_key": "", "content": encryption}]
    async with pond(synapse) as (us, alice, _), _without_encryption(us).running():
        place = await alice.create_room(
            preset="trusted_private_chat", is_direct=True, invite=[us.user], initial_state=state
        )
        await alice.sees(place, us.user, "leave")


async def test_a_direct_invitation_to_a_room_of_three_is_refused(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _), MatrixPerson(synapse.url, unique("carol")) as carol, us.running():
        place = await alice.direct(carol.user_id)
        await carol.sees(place, carol.user_id)
        await alice.call("POST", "rooms/" + place + "/invite", {"user_id": us.user})
        await alice.sees(place, us.user, "leave")
        crowd = await alice.create_room(preset="trusted_private_chat", is_direct=True, invite=[us.user, carol.user_id])
        await alice.sees(crowd, us.user, "leave")


async def test_private_messages_to_a_person_open_one_room_that_is_used_again_after_a_restart(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _):
        room = Room("home", alice.user_id)
        async with us.running() as network:
            await asyncio.gather(*(post(network, room, f"hello {n}", private=True) for n in range(3)))
            place, *others = [(await alice.heard(f"hello {n}")).room for n in range(3)]
            assert others == [place, place]
            await alice.send(place, "hi duck")
            heard = await us.hears("hi duck")
            assert (heard.private, heard.room.id) == (True, place)
        us.memory.kept = {key: value for key, value in us.memory.kept.items() if not key.startswith("private ")}
        async with us.running() as network:
            await post(network, room, "me again", private=True)
            assert (await alice.heard("me again")).room == place


async def test_a_post_to_a_room_that_removed_us_fails_for_now_until_we_are_invited_again(synapse: Synapse) -> None:
    async with pond(synapse, preset="private_chat", invite=[]) as (us, alice, place):
        await alice.invite(place, us.user)
        with capture_logs() as logs:
            async with us.running() as network:
                await alice.send(place, "last words")
                await alice.call("POST", f"rooms/{place}/kick", {"user_id": us.user, "reason": "too loud"})
                with pytest.raises(TransientError) as refused:
                    await post_for_ever(network, us.rooms[0])
                assert refused.value.retry_after == 60
                await us.hears("last words")
                assert await _logged(logs, "not_joined")
                with pytest.raises(TransientError, match=r"removed by .*: too loud"):
                    await post(network, us.rooms[0], "x")
                await alice.send(place, "not for us")
                await alice.invite(place, us.user)
                await alice.sees(place, us.user)
                await alice.send(place, "welcome back")
                await us.hears("welcome back")
    assert us.texts == ["last words", "welcome back"]


async def _logged(logs: Sequence[Mapping[str, object]], event: str) -> bool:
    async def found() -> bool:
        return any(line["event"] == event for line in logs)

    await eventually(found)
    return True


async def test_typing_is_shown(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, place), us.running() as network:
        await network.typing(us.rooms[0], True)
        await alice.sees_typing(place, us.user)
        await network.typing(Room("home", "#nowhere:localhost"), True)
        await network.typing(Room("home", "@nobody:localhost"), False)


async def test_a_post_to_a_room_where_we_may_not_speak_fails_for_now(synapse: Synapse) -> None:
    levels = {"events_default": 50}
    async with pond(synapse, power_level_content_override=levels) as (us, _, _):
        with capture_logs() as logs:
            async with us.running() as network:
                for _ in range(2):
                    with pytest.raises(TransientError, match="not allowed to speak") as refused:
                        await post(network, us.rooms[0], "x")
                    assert refused.value.retry_after == 60
        assert [line["event"] for line in logs].count("not_allowed_to_speak") == 1


async def test_a_payload_that_is_malformed_or_too_large_is_never_sent(synapse: Synapse) -> None:
    async with pond(synapse) as (us, _, _), us.running() as network:
        for payload in ("{", '{"body": "%s"}' % ("x" * 70_000)):
            with pytest.raises(PermanentError):
                await network.send(Post.of(us.rooms[0], ("d",), len(payload), payload))


async def test_the_homeserver_tells_who_is_away(synapse: Synapse) -> None:
    async with pond(synapse) as (us, alice, _), us.running() as network:
        path = f"presence/{quote(alice.user_id)}/status"
        for presence, away in (("online", False), ("unavailable", True), ("online", False)):
            async with asyncio.timeout(_PATIENCE):
                while await network.is_away(alice.user_id) is not away:
                    with suppress(MatrixError):  # she may not say it as often as this
                        await alice.call("PUT", path, {"presence": presence})  # her own client says that she is there
                    await asyncio.sleep(1)
        assert await network.is_away(synapse.user_id("nobody-at-all")) is None
        assert await network.is_away("libera/alice") is None
    assert await network.is_away(alice.user_id) is None


async def test_a_rate_limit_is_a_transient_error_with_the_pause_of_the_homeserver(tmp_path: Path) -> None:
    limits = {"rc_message": {"per_second": 0.2, "burst_count": 2}}
    async with Synapse(tmp_path / "slow", extra=limits) as server, pond(server) as (us, _, _), us.running() as network:
        with pytest.raises(TransientError) as limited:
            await post_for_ever(network, us.rooms[0])
        assert limited.value.retry_after is not None
        assert 0 < limited.value.retry_after <= 10


async def test_a_homeserver_that_was_killed_and_restarted_is_heard_again(tmp_path: Path) -> None:
    async with Synapse(tmp_path / "mortal") as server, pond(server) as (us, alice, place), us.running() as network:
        await server.kill()
        with pytest.raises(TransientError, match="homeserver"):
            await post_for_ever(network, us.rooms[0])
        await server.restart()
        await eventually(lambda: _said(alice, place, "back"))
        await us.hears("back")


async def test_a_sync_position_of_another_homeserver_is_given_up_as_a_gap_and_hearing_goes_on(
    synapse: Synapse,
) -> None:
    async with pond(synapse) as (us, alice, place):
        async with us.running():
            await alice.send(place, "before")
            await us.hears("before")
        us.cursor = "of-another-network 1700000000"
        with capture_logs() as logs:
            async with us.running():
                await us.until(lambda: us.cursor is not None and "another" not in us.cursor)
                await alice.send(place, "from now on")
                await us.hears("from now on")
        assert [line["event"] for line in logs].count("position_lost") == 1
        (unknown,) = [gap for batch in us.batches for gap in batch.gaps]
        assert unknown.room == us.rooms[0]
        assert unknown.since == 1_700_000_000
        assert unknown.until > time.time() - 60


async def _said(person: MatrixPerson, place: str, text: str) -> bool:
    try:
        await person.send(place, text)
    except (MatrixError, OSError):
        return False
    return True
