"""Private conversations and invitations (bridge.matrix.rooms), on a scripted homeserver."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from bridge.lib.backoff import Backoff
from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import Json, tables, values, word
from bridge.matrix.dialect.sync import Invitation
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms import invitations
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.matrix.sending import Sending
from bridge.model.event import Room
from bridge.model.outbox import Post
from bridge.network import PermanentError
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

_US = "@duck:hs"
_ENCRYPTED = {"algorithm": "m.megolm.v1.aes-sha2"}


class Told(Homeserver):
    """A scripted homeserver: its rooms have `people`; requests fail as in `troubles` and wait as in `hanging`."""

    def __init__(self, *people: str) -> None:
        super().__init__("http://localhost", _US)
        self.asked: list[tuple[str, str]] = []
        self.people = {_US, *people}
        self.encrypted = False
        self.direct: Json = {"@bob:hs": ["!other"]}
        self.troubles: dict[str, Callable[[], Exception]] = {}
        self.hanging: dict[str, asyncio.Event] = {}
        self._news = asyncio.Event()

    async def once(
        self,
        method: str,
        path: object,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = 0,
        take: object = None,
    ) -> Json:
        assert isinstance(path, tuple)
        place = "/".join(path)
        self.asked.append((method, place))
        self._news.set()
        if place in self.hanging:
            await self.hanging[place].wait()
        if place in self.troubles:
            raise self.troubles[place]()
        if place.endswith("/members"):
            there = [{"state_key": user, "content": {"membership": "join"}} for user in self.people]
            return {"chunk": there}
        if "m.room.encryption" in place and not self.encrypted:
            raise ApiError(404, "M_NOT_FOUND", "")
        if place.endswith("/messages"):
            return {"chunk": []}
        if place == "createRoom":
            state = tables(json.loads(body or ""), "initial_state")
            self.encrypted = any(word(each, "type") == "m.room.encryption" for each in state)
        if place.endswith("m.direct"):
            if method == "PUT":
                self.direct = json.loads(body or "")
            return self.direct
        return {"room_id": "!new", "event_id": "$sent"}

    def times(self, method: str, place: str) -> int:
        return self.asked.count((method, place))

    async def until(self, method: str, place: str, times: int = 1) -> None:
        async with asyncio.timeout(5):
            while self.times(method, place) < times:
                self._news.clear()
                await self._news.wait()


@dataclass
class Adapter:
    """The parts of the adapter that converse in private."""

    homeserver: Told
    rooms: Rooms = field(default_factory=lambda: Rooms("home"))
    memory: Notebook = field(default_factory=Notebook)

    def __post_init__(self) -> None:
        settings, rng, memory = matrix_settings("home", "http://localhost", _US, "x"), random.Random(1), self.memory
        memory.kept["private !old"] = "@ann:hs"
        account = Account(settings, self.homeserver, memory, Patience("home", rng))
        joining = Joining((), self.rooms, self.homeserver, account, memory, rng)
        self.private = Private("home", self.rooms, self.homeserver, account, memory)
        self.invitations = Invitations("home", joining, self.private, memory)
        online = asyncio.Event()
        online.set()
        self._sending = Sending("home", self.rooms, self.homeserver, account, joining, self.private, online)

    async def send(self, room: str) -> str:
        return await self._sending.send(Post.of(Room("home", room), ("d",), 0, '{"op":"say","content":{}}'))

    @asynccontextmanager
    async def answering(self) -> AsyncGenerator[None, None]:
        tasks = {asyncio.create_task(self.invitations.answer()), asyncio.create_task(self.private.hold())}
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def _direct_invitations(*rooms: str) -> Iterable[Invitation]:
    return [Invitation(room, "@ann:hs", direct=True, encrypted=False) for room in rooms]


async def _settled(adapter: Adapter, room: str) -> JoinedRoom:
    await adapter.homeserver.until("POST", f"join/{room}")
    joined = adapter.rooms.by_id(room)
    assert joined is not None
    await joined.settled()
    return joined


async def test_a_private_conversation_of_an_earlier_run_is_checked_before_the_first_send() -> None:
    adapter = Adapter(Told("@ann:hs"))
    await adapter.private.recall()
    assert await adapter.send("!old") == "$sent"
    assert await adapter.send("!old") == "$sent"
    assert adapter.homeserver.times("GET", "rooms/!old/members") == 1
    adapter.rooms.doubt()
    await adapter.send("!old")
    assert adapter.homeserver.times("GET", "rooms/!old/members") == 2


@pytest.mark.parametrize("change", ["encrypted", "third"])
async def test_nothing_is_sent_to_a_conversation_that_is_now_encrypted_or_has_a_third_member(change: str) -> None:
    adapter = Adapter(Told("@ann:hs"))
    await adapter.private.recall()
    adapter.homeserver.encrypted = change == "encrypted"
    if change == "third":
        adapter.homeserver.people.add("@eve:hs")
    with pytest.raises(PermanentError, match="no longer a configured room or a private"):
        await adapter.send("!old")
    assert not [path for method, path in adapter.homeserver.asked if method == "PUT" and "/send/" in path]
    adapter.homeserver.encrypted = False
    await adapter.send("@ann:hs")  # in a new room
    assert adapter.homeserver.times("PUT", "rooms/!new/state/m.room.member/@ann:hs") == 1


async def test_an_invitation_that_a_restart_leaves_without_an_answer_is_answered_afterwards() -> None:
    before = Adapter(Told("@ann:hs"))
    before.homeserver.hanging["join/!new"] = asyncio.Event()
    refused = Invitation("!public", "@eve:hs", direct=False, encrypted=False, predecessor="!else")
    async with before.answering():
        before.invitations.note([*_direct_invitations("!new"), refused])
        with capture_logs() as logs:
            await before.homeserver.until("POST", "rooms/!public/leave")
            await asyncio.sleep(0)
        await before.homeserver.until("POST", "join/!new")
        before.memory.kept.update({key: value for key, value in before.invitations.changes().items() if value})
    (line,) = [line for line in logs if line["event"] == "invitation_refused"]
    assert line["hint"] == "to bridge it, put !public or its alias into the rooms of a link"
    assert [key for key in before.memory.kept if key.startswith("invited")] == ["invited !new"]
    after = Adapter(Told("@ann:hs"), memory=before.memory)
    await after.private.recall()
    await after.invitations.recall()
    assert after.invitations.changes() == {}
    async with after.answering():
        assert (await _settled(after, "!new")).peer == "@ann:hs"
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert after.invitations.changes() == {"invited !new": None}
    assert after.invitations.changes() == {}


async def test_an_invitation_that_was_accepted_just_before_a_restart_leaves_its_conversation_as_it_is() -> None:
    kept = {"invited !old": '["@ann:hs", true, false, ""]'}
    adapter = Adapter(Told("@ann:hs"))
    adapter.memory.kept |= kept
    await adapter.private.recall()
    conversation = adapter.rooms.by_id("!old")
    await adapter.invitations.recall()
    async with adapter.answering():
        await asyncio.sleep(1)
    assert adapter.invitations.changes() == {"invited !old": None}
    assert adapter.rooms.by_id("!old") is conversation
    assert adapter.homeserver.times("POST", "join/!old") == 0


async def test_nothing_is_sent_to_a_room_that_was_encrypted_while_the_homeserver_was_away() -> None:
    adapter = Adapter(Told())
    joined = adapter.rooms.add("!pond", Room("home", "#pond:hs"))
    joined.enter()
    adapter.homeserver.encrypted = True
    adapter.rooms.doubt()
    with pytest.raises(PermanentError, match="encrypted"):
        await adapter.send("#pond:hs")
    assert not [path for method, path in adapter.homeserver.asked if method == "PUT"]


async def test_nothing_is_sent_to_a_room_that_becomes_encrypted_while_we_check_it() -> None:
    """The answer to our check is older than the encryption event that we hear meanwhile."""
    adapter = Adapter(Told())
    joined = adapter.rooms.add("!pond", Room("home", "#pond:hs"))
    joined.enter()
    adapter.rooms.doubt()
    question = "rooms/!pond/state/m.room.encryption/"
    adapter.homeserver.hanging[question] = asyncio.Event()
    sending = asyncio.create_task(adapter.send("#pond:hs"))
    await adapter.homeserver.until("GET", question)
    joined.encrypted = True
    adapter.homeserver.hanging[question].set()
    with pytest.raises(PermanentError, match="encrypted"):
        await sending
    assert not [path for method, path in adapter.homeserver.asked if method == "PUT"]


async def test_a_new_private_room_is_left_and_forgotten_when_the_person_cannot_be_invited() -> None:
    adapter = Adapter(Told())
    invite = "rooms/!new/state/m.room.member/@ann:hs"
    adapter.homeserver.troubles = {invite: lambda: ApiError(403, "M_INVITE_BLOCKED", "no")}
    with pytest.raises(PermanentError, match="cannot be invited"):
        await adapter.send("@ann:hs")
    assert adapter.homeserver.asked[-2:] == [("POST", "rooms/!new/leave"), ("POST", "rooms/!new/forget")]
    assert adapter.rooms.private_with("@ann:hs") is None


@pytest.mark.parametrize(("works", "reaches"), [(True, True), (True, False), (False, True)])
async def test_a_new_private_room_is_encrypted_if_we_can_and_the_person_has_a_device_that_can(
    works: bool, reaches: bool
) -> None:
    async def can_be_sealed(user: str) -> bool:
        assert user == "@ann:hs"
        return reaches

    homeserver, rooms, memory = Told("@ann:hs"), Rooms("home"), Notebook()
    settings, patience = matrix_settings("home", "http://localhost", _US, "x"), Patience("home", random.Random(1))
    account = Account(settings, homeserver, memory, patience)
    private = Private("home", rooms, homeserver, account, memory, lambda: works)
    private.can_be_sealed = can_be_sealed
    homeserver.direct = {}
    joined = await private.room_with("@ann:hs")
    assert joined.encrypted == (works and reaches)
    assert homeserver.encrypted == (works and reaches)


async def test_invitations_to_homeservers_that_are_away_do_not_delay_another_invitation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(invitations, "_BACKOFF", Backoff(1e-6, 1.0))
    adapter = Adapter(Told("@ann:hs"))
    dead = [f"!dead{number}" for number in range(50)]
    for room in dead[:4]:
        adapter.homeserver.hanging[f"join/{room}"] = asyncio.Event()
    adapter.homeserver.troubles = {f"join/{room}": lambda: ApiError(502, "M_UNKNOWN", "away") for room in dead}
    async with adapter.answering():
        adapter.invitations.note(_direct_invitations(*dead, "!alive"))
        assert (await _settled(adapter, "!alive")).peer == "@ann:hs"
        await adapter.homeserver.until("POST", f"join/{dead[-1]}", times=5)


async def test_the_pause_of_a_rate_limit_is_kept_before_an_invitation_is_accepted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = Adapter(Told())
    adapter.homeserver.troubles = {"join/!busy": lambda: ApiError(429, "M_LIMIT_EXCEEDED", "", 77.0)}
    pauses: list[float] = []
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()

    def call_later(pause: float, *_: object) -> None:
        pauses.append(pause)
        asked.set()

    async with adapter.answering():
        adapter.invitations.note(_direct_invitations("!busy"))
        monkeypatch.setattr(loop, "call_later", call_later)
        await asked.wait()
        monkeypatch.undo()
    assert pauses == [77.0]


async def test_thousands_of_invitations_at_once_are_all_accepted_and_listed_in_few_writes() -> None:
    adapter = Adapter(Told("@ann:hs"))
    rooms = [f"!{number}" for number in range(2_000)]
    async with adapter.answering():
        adapter.invitations.note(_direct_invitations(*rooms))
        await adapter.homeserver.until("POST", f"join/{rooms[-1]}")
        await asyncio.sleep(60)
    assert sum(method == "POST" and place.startswith("join/") for method, place in adapter.homeserver.asked) == 2_000
    assert {*values(adapter.homeserver.direct, "@ann:hs")} == {*rooms}
    assert adapter.homeserver.direct["@bob:hs"] == ["!other"]
    assert sum(place.endswith("m.direct") for _, place in adapter.homeserver.asked) <= 10


async def test_the_list_of_conversations_is_written_when_the_homeserver_is_well_again() -> None:
    adapter = Adapter(Told("@ann:hs"))
    adapter.homeserver.troubles[f"user/{_US}/account_data/m.direct"] = lambda: ApiError(500, "M_UNKNOWN", "")
    async with adapter.answering():
        adapter.invitations.note(_direct_invitations("!new"))
        await asyncio.sleep(10)
        adapter.homeserver.troubles.clear()
        await asyncio.sleep(60)
    assert adapter.homeserver.direct["@ann:hs"] == ["!new"]


async def test_the_conversations_of_an_earlier_run_are_listed_without_a_write_if_they_are_listed_already() -> None:
    adapter = Adapter(Told("@ann:hs"))
    adapter.homeserver.direct = {"@ann:hs": ["!old"]}
    await adapter.private.recall()
    async with adapter.answering():
        await asyncio.sleep(60)
    assert [method for method, place in adapter.homeserver.asked if place.endswith("m.direct")] == ["GET"]
