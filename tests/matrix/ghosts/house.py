"""A homeserver in memory as far as ghosts use it, and our account there."""

import asyncio
import json
import random
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from bridge.matrix.account import Account
from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.operations import ID
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.registration import Tokens
from bridge.matrix.ghosts.service import Service
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import JoinedRoom, Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.matrix.sending import Sending
from bridge.model.event import Room
from bridge.model.outbox import Delivery, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import Banned, Ghosts, Presentation
from tests.events import irc, said
from tests.fakes.memory import Notebook
from tests.settings import matrix_settings

US = "@duck:hs"
ROOM = Room("home", "#pond:hs")
_FAR = Room("libera", "#pond")


def person(nick: str, account: str | None = None, host: str = "b@one.example") -> Sender:
    return replace(irc(nick, account or nick), mask=f"{nick}!{host}")


class House(Homeserver):
    """`asked` are the requests; `troubles` are raised instead of an answer to what matches, `lost` after it is done.
    What matches `stalls` gets no answer. `before`: what members were before, if the homeserver tells that."""

    def __init__(self, *, public: bool = True) -> None:
        super().__init__("http://hs", US)
        self.public = public
        self.known = True
        self.accounts: dict[str, str] = {}
        self.members: dict[str, tuple[str, str]] = {US: ("join", US)}
        self.events: dict[tuple[str, str], tuple[str, str, Json]] = {}
        """What was said, by sender and transaction id: the event's id, its sender and content."""
        self.asked: list[str] = []
        self.troubles: deque[tuple[str, Exception]] = deque()
        self.lost: deque[tuple[str, Exception]] = deque()
        self.remembers_transactions = True
        self.pause_s = 0.0
        self.stalls = ""
        self.before = ""

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(sender, str(content["body"])) for _, sender, content in self.events.values()]

    def lose(self, pattern: str, error: Exception | None = None) -> None:
        self.lost.append((pattern, error or Unreachable("the connection broke")))

    def spoil(self, pattern: str, error: Exception) -> None:
        self.troubles.append((pattern, error))

    async def once(
        self,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        within: float = 30.0,
        take: Callable[[Json], None] | None = None,
    ) -> Json:
        return await self._answered(US, method, path, query or {}, body)

    async def service(
        self, token: str, method: str, path: Sequence[str], query: Mapping[str, str], body: str | None
    ) -> Json:
        user = query.get("user_id", "service")
        if not token:
            raise ApiError(401, "M_MISSING_TOKEN", "Missing access token")
        if not self.known:
            self.asked.append(f"{user} {method} {'/'.join(path)}")
            raise ApiError(401, "M_UNKNOWN_TOKEN", "Unrecognised access token")
        return await self._answered(user, method, path, query, body)

    async def upload(self, data: bytes, mime: str, name: str) -> str:
        self.asked.append("upload")
        return "mxc://hs/a"

    async def _answered(
        self, user: str, method: str, path: Sequence[str], query: Mapping[str, str], body: str | None
    ) -> Json:
        place = f"{user} {method} {'/'.join(path)}"
        self.asked.append(place)
        if self.pause_s:
            await asyncio.sleep(self.pause_s)
        if self.stalls and re.search(self.stalls, place):
            await asyncio.get_running_loop().create_future()
        if self.troubles and re.search(self.troubles[0][0], place):
            raise self.troubles.popleft()[1]
        answer = self._done(user, path, json.loads(body or "{}"))
        if self.lost and re.search(self.lost[0][0], place):
            raise self.lost.popleft()[1]
        return answer

    def _done(self, user: str, path: Sequence[str], body: Json) -> Json:  # noqa: C901  (one case each)
        match [*path]:
            case ["register"]:
                if body["username"] in self.accounts:
                    raise ApiError(400, "M_USER_IN_USE", "in use")
                self.accounts[str(body["username"])] = ""
            case ["profile", who, "displayname"]:
                self.accounts[who] = str(body["displayname"])
            case ["join", _]:
                membership, _ = self.members.get(user, ("", ""))
                if membership == "ban" or not (self.public or membership in ("invite", "join")):
                    raise ApiError(403, "M_FORBIDDEN", "you are not invited to this room")
                self.members[user] = ("join", user)
            case ["rooms", _, "leave"]:
                self.members[user] = ("leave", user)
            case ["rooms", _, "invite"]:
                self.members[str(body["user_id"])] = ("invite", user)
            case ["rooms", _, "state", "m.room.member", who]:
                if who not in self.members:
                    raise ApiError(404, "M_NOT_FOUND", "no state")
                membership, by = self.members[who]
                unsigned = {"prev_content": {"membership": self.before}} if self.before else {}
                return {"sender": by, "content": {"membership": membership, "reason": "loud"}, "unsigned": unsigned}
            case ["rooms", _, "messages"]:
                return {"chunk": [_shown(*each) for each in reversed(self.events.values())]}
            case ["rooms", _, "send", _, transaction]:
                if self.members.get(user, ("", ""))[0] != "join":
                    raise ApiError(403, "M_FORBIDDEN", "not in the room")
                key = (user, transaction)
                if not self.remembers_transactions:
                    key = (user, f"{transaction} {len(self.events)}")
                if key not in self.events:
                    self.events[key] = (f"${len(self.events)}", user, body)
                return {"event_id": self.events[key][0]}
        return {}


def _shown(event_id: str, sender: str, content: Json) -> Json:
    return {"event_id": event_id, "sender": sender, "type": "m.room.message", "content": content}


class Counted(Notebook):
    """`remembered`: how often something was stored."""

    def __init__(self) -> None:
        super().__init__()
        self.remembered = 0
        self.is_remembering = False

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        self.remembered += 1
        self.is_remembering = True
        await asyncio.sleep(0)  # as a store takes time
        await super().remember(changes)
        self.is_remembering = False


class Pond:
    """Our account, in a room of the house; it may be run several times."""

    def __init__(self, folder: Path, house: House | None = None) -> None:
        self.house = house or House()
        self.memory = Counted()
        self.path = folder / "ghosts-home.json"
        Tokens.kept(self.path)
        self.now = 1e9

    @asynccontextmanager
    async def runs(self, *, idle_s: float = 30 * 86_400.0) -> AsyncGenerator["Run", None]:
        run = Run(self, idle_s)
        await run.faces.recall()
        task = asyncio.create_task(run.faces.hold())
        await asyncio.sleep(0)  # it has begun
        try:
            yield run
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error


class Run:
    def __init__(self, pond: Pond, idle_s: float) -> None:
        house, memory = pond.house, pond.memory
        rooms, online = Rooms("home"), asyncio.Event()
        online.set()
        settings = matrix_settings("home", "http://hs", US, "quack")
        rng = random.Random(1)
        account = Account(settings, house, memory, Patience("home", rng))
        joining = Joining([ROOM], rooms, house, account, memory, rng)
        private = Private("home", rooms, house, account, memory)
        self.joined: JoinedRoom = rooms.add("!pond", ROOM)
        self.joined.enter()
        joining._tried[ROOM].set()
        service = Service(house, pond.path)
        self.faces = Faces("home", US, service, house, memory, online, lambda: pond.now, idle_s)
        rooms.is_ghost = self.faces.is_ours
        self.sending = Sending("home", rooms, house, account, joining, private, online, None, self.faces)
        self._pond = pond

    def post(self, who: Sender, text: str, *, marks: bool = False) -> Post:
        event = said(_FAR, who, text, f"${who.address} {text}")
        how = Presentation(ghosts=Ghosts.SPEAKERS, banned=Banned.MARK if marks else Banned.REFUSE)
        item = Owed(Delivery.of(event.key, ROOM).id, ROOM, event, said=self._pond.now)
        (post,) = render([item], Place(how))
        return post

    async def say(self, who: Sender, text: str, *, marks: bool = False, again: bool = False) -> str:
        return await self.sending.send(self.post(who, text, marks=marks), again=again)


def ghost(name: str) -> str:
    return f"@irc_libera_{name}:hs"


def face(who: Sender) -> Face:
    found = Face.of(who)
    assert found is not None
    return found


__all__ = ["ID", "ROOM", "US", "House", "Pond", "Run", "face", "ghost", "person"]
