"""A person on Matrix: the client-server API by plain requests, and a sync loop that listens."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from bridge.demo.people.heard import Ears, Heard, Wanted

TIMEOUT = 10.0  # seconds to wait by default: what takes longer on loopback is broken

_POLL = 30_000  # milliseconds that a sync may hang
_AGAIN = 0.2  # seconds before asking again a homeserver that was away
_KINDS = {"m.text": "text", "m.emote": "action", "m.notice": "notice"}
_FILTER = '{"room":{"timeline":{"limit":1000}},"presence":{"types":[]}}'


class MatrixError(Exception):
    """The homeserver refused; `status` is the HTTP status, `code` the errcode, such as M_FORBIDDEN."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status = status
        self.code = code


class MatrixPerson:
    """Logs in on entering the context, registering the account if the homeserver does not know it, and listens until
    the exit. Rooms may be named by id or alias. Invitations are accepted unless `accept_invites` is false."""

    def __init__(self, url: str, name: str, password: str = "quack-quack", *, accept_invites: bool = True) -> None:  # noqa: S107
        self.user_id = ""
        self.members: dict[str, dict[str, str]] = {}
        """For each room id, each user's membership as last heard."""
        self.typing: list[tuple[str, frozenset[str]]] = []
        """Each change of who is typing: room id and user ids."""
        self._url = url
        self._name = name
        self._password = password
        self._accept = accept_invites
        self._ears = Ears()
        self._ids: dict[str, str] = {}
        self._moved: dict[tuple[str, str], int] = {}
        self._token = ""

    @property
    def messages(self) -> Sequence[Heard]:
        return self._ears.messages

    # Speaking

    async def send(self, room: str, text: str, msgtype: str = "m.text", **more: Any) -> str:
        """Send a message and return its event id. `more` are further keys of its content."""
        return await self.send_event(room, "m.room.message", {"msgtype": msgtype, "body": text, **more})

    async def me(self, room: str, text: str) -> str:
        return await self.send(room, text, "m.emote")

    async def notice(self, room: str, text: str) -> str:
        return await self.send(room, text, "m.notice")

    async def send_html(self, room: str, text: str, html: str) -> str:
        return await self.send(room, text, format="org.matrix.custom.html", formatted_body=html)

    async def send_event(self, room: str, kind: str, content: Mapping[str, Any]) -> str:
        path = f"rooms/{_path(await self.room_id(room))}/send/{kind}/{uuid.uuid4().hex}"
        return str((await self.call("PUT", path, content))["event_id"])

    async def redact(self, room: str, event: str) -> str:
        path = f"rooms/{_path(await self.room_id(room))}/redact/{_path(event)}/{uuid.uuid4().hex}"
        return str((await self.call("PUT", path, {}))["event_id"])

    # Rooms

    async def create_room(self, alias: str | None = None, *, preset: str = "public_chat", **more: Any) -> str:
        """Create a room and return its id; `alias` is only the local part. `more` goes into the request."""
        name = {"room_alias_name": alias, "name": alias} if alias else {}
        return str((await self.call("POST", "createRoom", {"preset": preset, **name, **more}))["room_id"])

    async def direct(self, user: str) -> str:
        """Start a private conversation: a new room, to which `user` is invited. Returns its id at once."""
        room = await self.create_room(preset="trusted_private_chat", is_direct=True, invite=[user])
        await self.call("PUT", f"user/{_path(self.user_id)}/account_data/m.direct", {user: [room]})
        return room

    async def join(self, room: str) -> str:
        return str((await self.call("POST", f"join/{_path(room)}", {}))["room_id"])

    async def leave(self, room: str) -> None:
        await self.call("POST", f"rooms/{_path(await self.room_id(room))}/leave", {})

    async def invite(self, room: str, user: str) -> None:
        await self.call("POST", f"rooms/{_path(await self.room_id(room))}/invite", {"user_id": user})

    async def rename(self, displayname: str) -> None:
        await self.call("PUT", f"profile/{_path(self.user_id)}/displayname", {"displayname": displayname})

    async def room_id(self, room: str) -> str:
        if not room.startswith("#"):
            return room
        if room not in self._ids:
            self._ids[room] = str((await self.call("GET", f"directory/room/{_path(room)}"))["room_id"])
        return self._ids[room]

    # Hearing

    async def heard(self, wanted: Wanted, timeout: float = TIMEOUT) -> Heard:
        """The first message heard since logging in, own ones too, whose text contains `wanted` (or for which it is
        true). Raises NotHeard, with what was heard, if it does not come within `timeout` seconds."""
        return await self._ears.heard(wanted, timeout)

    def listen(self) -> AsyncGenerator[Heard, None]:
        """Every message heard so far, then each as it comes, until the connection ends."""
        return self._ears.follow()

    async def sees(self, room: str, user: str, membership: str = "join", timeout: float = TIMEOUT) -> None:
        """Return when `user` has this `membership` of `room`."""
        place = await self.room_id(room)
        await self._ears.until(
            lambda: self.members.get(place, {}).get(user) == membership, timeout, f"sees({user}, {membership})"
        )

    async def sees_typing(self, room: str, user: str, timeout: float = TIMEOUT) -> None:
        """Return when `user` has been seen typing in `room` since logging in."""
        place = await self.room_id(room)
        await self._ears.until(
            lambda: any(place == where and user in who for where, who in self.typing), timeout, f"sees_typing({user})"
        )

    async def history(self, room: str) -> list[Heard]:
        """All messages of `room` that this person may see, oldest first."""
        place = await self.room_id(room)
        return [heard for event in await self._back(place) if (heard := _message(place, event))]

    # Coming and going

    async def connect(self) -> None:
        """Log in (or register), and listen from now on."""
        self._http = aiohttp.ClientSession()
        try:
            await self._login()
            since = await self._sync(None)
        except BaseException:
            await self._http.close()
            raise
        self._listening = asyncio.create_task(self._listen(since), name=f"{self._name} listens")  # ended in `close`

    async def close(self) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._http.close()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, method: str, path: str, json: Any = None, **query: str) -> dict[str, Any]:
        """Any request of the client-server API, `path` after /_matrix/client/v3/. Raises MatrixError if refused."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        # encoded: else yarl would decode %2F and %23 in a room's or a user's id
        url = URL(f"{self._url}/_matrix/client/v3/{path}", encoded=True).with_query(query)
        async with self._http.request(method, url, json=json, headers=headers) as answer:
            found: dict[str, Any] = await answer.json(content_type=None)
            if answer.status >= 400:
                raise MatrixError(answer.status, str(found.get("errcode")), str(found.get("error")))
            return found

    async def _login(self) -> None:
        account = {"type": "m.id.user", "user": self._name}
        try:
            answer = await self.call(
                "POST", "login", {"type": "m.login.password", "identifier": account, "password": self._password}
            )
        except MatrixError as error:
            if error.code != "M_FORBIDDEN":
                raise
            answer = await self.call(
                "POST",
                "register",
                {"username": self._name, "password": self._password, "auth": {"type": "m.login.dummy"}},
            )
        self._token, self.user_id = str(answer["access_token"]), str(answer["user_id"])

    async def _listen(self, since: str) -> None:
        reason = "the person has left"
        try:
            while True:
                try:
                    since = await self._sync(since)
                except MatrixError as error:
                    if error.status < 500:
                        raise
                    await asyncio.sleep(_AGAIN)
                except (aiohttp.ClientError, OSError, ValueError):
                    await asyncio.sleep(_AGAIN)  # the homeserver is away
        except MatrixError as error:
            reason = f"the homeserver refused to sync: {error}"
        finally:
            self._ears.go_deaf(reason)

    async def _sync(self, since: str | None) -> str:
        query = {"since": since, "timeout": str(_POLL)} if since else {"timeout": "0"}
        answer = await self.call("GET", "sync", filter=_FILTER, **query)
        rooms = answer.get("rooms", {})
        for room, news in rooms.get("join", {}).items():
            await self._hear(room, news, since)
        for room, news in rooms.get("leave", {}).items():
            self._hear_members(room, news.get("state", {}).get("events", []))
            self._hear_members(room, news.get("timeline", {}).get("events", []))
        for room in rooms.get("invite", {}) if self._accept else ():
            with suppress(MatrixError):  # withdrawn meanwhile
                await self.join(room)
        self._ears.wake()
        return str(answer["next_batch"])

    async def _hear(self, room: str, news: Mapping[str, Any], since: str | None) -> None:
        timeline = news.get("timeline", {})
        events = timeline.get("events", [])
        self._hear_members(room, news.get("state", {}).get("events", []))
        if since and timeline.get("limited"):
            # Also true of a room just joined: the messages from before were not heard
            events = [*await self._back(room, timeline.get("prev_batch"), since), *events]
        self._hear_members(room, events)
        for event in events if since else ():
            if heard := _message(room, event):
                self._ears.take(heard)
        for event in news.get("ephemeral", {}).get("events", []):
            if event["type"] == "m.typing":
                self.typing.append((room, frozenset(event["content"]["user_ids"])))

    def _hear_members(self, room: str, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            if event["type"] != "m.room.member" or "state_key" not in event:
                continue
            # By time: if two events were made at once, a sync may repeat the state from before the later one
            who, at = (room, event["state_key"]), event["origin_server_ts"]
            if self._moved.get(who, 0) <= at:
                self._moved[who] = at
                self.members.setdefault(room, {})[event["state_key"]] = event["content"].get("membership", "leave")

    async def _back(self, room: str, start: str | None = None, until: str | None = None) -> list[dict[str, Any]]:
        """The events between two tokens (the whole room without them), oldest first."""
        found = [event async for event in self._pages(room, start, until)]
        return found[::-1]

    async def _pages(self, room: str, start: str | None, until: str | None) -> AsyncGenerator[dict[str, Any], None]:
        where = {"dir": "b", "limit": "500", **({"to": until} if until else {})}
        while True:
            page = await self.call(
                "GET", f"rooms/{_path(room)}/messages", **where, **({"from": start} if start else {})
            )
            for event in page["chunk"]:
                yield event
            start = page.get("end")
            if not start or not page["chunk"]:
                return


def _message(room: str, event: Mapping[str, Any]) -> Heard | None:
    content = event["content"]
    if event["type"] != "m.room.message" or "body" not in content:
        return None
    kind = _KINDS.get(content.get("msgtype", ""), str(content.get("msgtype")))
    return Heard(room, event["sender"], content["body"], kind, time.monotonic(), event["event_id"], event)


def _path(part: str) -> str:
    return quote(part, safe="")
