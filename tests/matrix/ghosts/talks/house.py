"""A homeserver in memory that has rooms of two, and our account with what ghosts say and do there."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.registration import Tokens
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.talks import Talks
from bridge.matrix.http.homeserver import ApiError
from bridge.matrix.rooms.joined import Rooms
from bridge.model.event import Event, Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.model.talks import MatrixTalk
from bridge.network import Batch
from tests.events import said
from tests.fakes.memory import Notebook
from tests.matrix.ghosts.house import US, House, ghost, person

ALICE = "@alice:hs"
BOB = person("bob")
GHOST = ghost("bob")
TALK = MatrixTalk("home", ALICE, "libera", "bob")


class TalkHouse(House):
    """`there`: who is in each room of two, and how; `sealed`: the encrypted ones; `lines`: what was said there."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, dict[str, str]] = {}
        self.sealed: set[str] = set()
        self.lines: dict[str, list[Json]] = {}
        self.seals_all = False

    def said_in(self, room: str) -> list[tuple[str, str]]:
        return [(str(each["sender"]), str(dict(each["content"])["body"])) for each in self.lines.get(room, ())]  # type: ignore[call-overload]

    def _done(self, user: str, path: Sequence[str], body: Json) -> Json:
        match [*path]:
            case ["appservice", _, "ping"]:
                return {}
            case ["createRoom"]:
                place = f"!{len(self.there)}"
                self.there[place] = {user: "join"}
                if self.seals_all:
                    self.sealed.add(place)
                return {"room_id": place}
            case ["join", place] if place in self.there:
                if self.there[place].get(user) not in ("invite", "join"):
                    raise ApiError(403, "M_FORBIDDEN", "you are not invited to this room")
                self.there[place][user] = "join"
                return {"room_id": place}
            case ["rooms", place, *more] if place in self.there:
                return self._in_room(place, user, more, body)
        return super()._done(user, path, body)

    def _in_room(self, place: str, user: str, path: list[str], body: Json) -> Json:
        there = self.there[place]
        if there.get(user) != "join" and path not in (["leave"], ["forget"]):
            raise ApiError(403, "M_FORBIDDEN", "not in the room")
        match path:
            case ["leave"]:
                there[user] = "leave"
            case ["members"]:
                return {"chunk": [{"state_key": who, "content": {"membership": how}} for who, how in there.items()]}
            case ["state", "m.room.encryption", _]:
                if place not in self.sealed:
                    raise ApiError(404, "M_NOT_FOUND", "no state")
            case ["state", "m.room.member", who] if body:
                there[who] = str(body["membership"])
            case ["state", "m.room.member", who]:
                return {"membership": there[who]}
            case ["send", _, transaction]:
                return self._say(place, user, transaction, body)
            case ["messages"]:
                return {"chunk": [*reversed(self.lines.get(place, []))]}
        return {}

    def _say(self, place: str, user: str, transaction: str, body: Json) -> Json:
        lines = self.lines.setdefault(place, [])
        for line in lines:
            if (line["sender"], line["transaction"]) == (user, transaction):
                return {"event_id": line["event_id"]}
        event_id = f"${place}{len(lines)}"
        event = {"type": "m.room.message", "event_id": event_id, "sender": user, "room_id": place, "content": body}
        lines.append({**event, "transaction": transaction, "origin_server_ts": 1_000_000_000_000})
        return {"event_id": event_id}

    def alice_says(self, place: str, text: str) -> Json:
        """What alice says, as the homeserver tells it."""
        self._say(place, ALICE, text, {"msgtype": "m.text", "body": text})
        return self.lines[place][-1]

    def alice_invites(self) -> tuple[str, Json]:
        """A room in which alice wants to talk with bob's ghost, and what tells of it."""
        place = f"!{len(self.there)}"
        self.there[place] = {ALICE: "join", GHOST: "invite"}
        content = {"membership": "invite", "is_direct": True}
        event = {"type": "m.room.member", "room_id": place, "sender": ALICE, "state_key": GHOST, "content": content}
        return place, {**event, "event_id": f"$invite{place}"}


class Pond:
    """Our account; it may be run several times. `refuses`: why alice may not talk with anybody, '' if she may."""

    def __init__(self, folder: Path) -> None:
        self.house = TalkHouse()
        self.memory = Notebook()
        self.path = folder / "ghosts-home.json"
        Tokens.kept(self.path)
        self.refuses = ""
        self.heard: list[Event] = []

    @asynccontextmanager
    async def runs(self) -> AsyncGenerator["Run", None]:
        run = Run(self)
        await run.faces.recall()
        await run.talks.recall()
        tasks = [asyncio.create_task(each) for each in (run.faces.hold(), run.talks.hold(), run.listen())]
        try:
            await asyncio.sleep(3)  # the homeserver has reached us
            yield run
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error


class Run:
    def __init__(self, pond: Pond) -> None:
        house, self._pond = pond.house, pond
        online = asyncio.Event()
        online.set()
        service, self.linked = Service(house, pond.path), Rooms("home")
        self.faces = Faces("home", US, service, house, pond.memory, online, lambda: 1e9)
        self.linked.is_ghost = self.faces.is_ours
        self.talks = Talks(
            "home", US, self.faces, service, self.linked, pond.memory, lambda *_: pond.refuses, lambda: 1e9
        )
        self._number = 0

    async def listen(self) -> None:
        async with aclosing(_silence()) as heard, aclosing(self.talks.batches(heard, "c")) as batches:
            async for batch in batches:
                await self._pond.memory.remember(batch.changes)
                self._pond.heard += batch.events

    async def tell(self, *events: Json) -> None:
        """A transaction of the homeserver."""
        self._number += 1
        body: Mapping[str, Any] = {"events": events}
        await self.talks.receive_transaction(str(self._number), json.dumps(body).encode())

    async def say(self, text: str, *, again: bool = False) -> str | None:
        """Bob says something to alice."""
        return await self.talks.say(post(BOB, text), TALK, again=again)


async def _silence() -> AsyncGenerator[Batch, None]:
    await asyncio.Event().wait()
    yield Batch((), "")


def post(who: Sender, text: str) -> Post:
    event = said(Room("libera", f"alice>{who.address}"), who, text, f"${text}", private=True)
    (made,) = render([Owed(Delivery.of(event.key, TALK.room).id, TALK.room, event, said=1e9)], Place())
    return made
