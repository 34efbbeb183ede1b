"""Tries a Matrix account without starting the bridge: finds the homeserver, logs in, looks at rooms, joins one.

Every wait is bounded in time, and every answer in size (by `Homeserver`). What goes wrong is a `ProbeError`.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import Json, number, table, tables, word
from bridge.matrix.http import look, wellknown
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.settings import MatrixSettings
from bridge.model.text import one_line
from bridge.network import Refused

Result = TypeVar("Result")

_ASKED_S = 30.0
"""Seconds for one question. A join of a room on another server may take this long."""
_LOGIN_S = 45.0
"""Seconds for logging in, with the pauses that a homeserver asks for."""
_ROOMS = 200
"""Most rooms and invitations that are listed: nobody chooses from more."""
_NAME = 100
"""Most characters of a room's name."""
_SAID = 20
"""Most events of a room in one answer."""
_POLL_MS = 5000
_PASSWORD = "m.login.password"  # noqa: S105  (the name of a way to log in)
_FILTER = {
    "account_data": {"types": []},
    "room": {
        "timeline": {"limit": _SAID, "types": ["m.room.message"]},
        "ephemeral": {"types": []},
        "account_data": {"types": []},
        "state": {
            "types": ["m.room.name", "m.room.canonical_alias", "m.room.encryption"],
            "lazy_load_members": True,
        },
    },
}

# Exceptions of probing:
#   ProbeError        something does not work; the text is a sentence for the operator
#     NotInvited      the room wants an invitation


class ProbeError(Exception):
    """Something does not work. The text is a sentence for the operator."""


class NotInvited(ProbeError):
    """The room lets only those in who are invited."""


@dataclass(frozen=True, slots=True)
class Found:
    """A homeserver that answers. `url`: as clients use it; `password`: whether it takes logins by password; `flows`:
    the ways to log in that it names."""

    url: str
    password: bool
    flows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """A room that the account is in, or invited to. `people`: how many are in it, 0 if unknown. `name` is its name,
    else its alias, else ''; both are what others wrote."""

    id: str
    name: str
    alias: str
    people: int
    encrypted: bool
    invited: bool


@dataclass(frozen=True, slots=True)
class Said:
    """`sender`, whom the homeserver proves, said `text`."""

    sender: str
    text: str


class _Forgetful:
    """A `Memory` that ends with the probe: the device of a probe is logged out, and never the bridge's."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    async def recall(self) -> Mapping[str, str]:
        return self._kept

    async def remember(self, changes: Mapping[str, str | None]) -> None:
        self._kept = {key: value for key, value in {**self._kept, **changes}.items() if value is not None}


async def discover(user: str, url: str = "") -> Found:
    """Find the homeserver of `user` (`@duck:example.org`), at `url` if that is given (spec, "Server discovery").
    Raises ProbeError."""
    domain = user.partition(":")[2]
    homeserver = Homeserver(url or f"https://{domain}", user)
    try:
        place = await _asked(_located(homeserver, domain, given=bool(url)))
        return Found(place, *await _asked(_flows(homeserver, place)))
    finally:
        await homeserver.close()


async def _located(homeserver: Homeserver, domain: str, *, given: bool) -> str:
    """The URL of the homeserver, which has answered a question about its versions."""
    place = homeserver.configured.rstrip("/")
    if not given:
        wanted = f"{place}/.well-known/matrix/client"
        try:
            place = wellknown.base_url(await homeserver.document(wanted))
        except ApiError as error:
            if error.status != 404:
                raise ProbeError(f"{wanted} cannot be read ({error}): give the URL of the homeserver") from None
        except Unreachable as error:
            raise ProbeError(f"{domain} cannot be asked for its homeserver ({error}): check the user id") from None
        except ValueError as error:
            raise ProbeError(f"{wanted} is of no use: {error}") from None
    try:
        found = await homeserver.document(f"{place}/_matrix/client/versions")
    except (ApiError, Unreachable) as error:
        raise ProbeError(f"no Matrix homeserver answers at {place}: {error}{_hint(error)}") from None
    if not isinstance(found.get("versions"), list):
        raise ProbeError(f"no Matrix homeserver answers at {place}: it names no versions")
    homeserver.move(place)
    return place


async def _flows(homeserver: Homeserver, place: str) -> tuple[bool, tuple[str, ...]]:
    try:
        found = await homeserver.once("GET", ("login",))
    except ApiError as error:
        if error.status in (404, 405) or error.code == "M_UNRECOGNIZED":
            return False, ()
        raise ProbeError(f"{place} does not tell how to log in: {error}") from None
    flows = tuple(one_line(word(flow, "type"), _NAME) for flow in tables(found, "flows"))
    return _PASSWORD in flows, flows


class MatrixProbe:
    """An account that is logged in. Made by `logged_in`."""

    def __init__(self, homeserver: Homeserver, settings: MatrixSettings, account: Account) -> None:
        self._homeserver = homeserver
        self.user = settings.user
        self._account = account
        self._since = ""
        self._asked = 0

    @property
    def device(self) -> str:
        """The id of this login's device."""
        return self._account.device

    async def whoami(self) -> str:
        """The user id that the token belongs to."""
        return word(await self._get("account", "whoami"), "user_id")

    async def rooms(self) -> Sequence[RoomSeen]:
        """The rooms that the account is invited to, and those that it is in."""
        found = await self._sync("")
        invited = [_seen(room, each, invited=True) for room, each in _rooms(found, "invite")]
        return [*invited, *(_seen(room, each, invited=False) for room, each in _rooms(found, "join"))][:_ROOMS]

    async def resolve(self, alias: str) -> str:
        """The id of the room with that alias. Raises ProbeError if there is none."""
        try:
            found = await self._get("directory", "room", alias)
        except ProbeError as error:
            if isinstance(error.__cause__, ApiError) and error.__cause__.status == 404:
                raise ProbeError(f"there is no room {alias}: check the spelling, or make the room first") from None
            raise
        return word(found, "room_id")

    async def join(self, room: str) -> str:
        """Join the room (an id or an alias), and return its id. Raises NotInvited, ProbeError."""
        try:
            found = await _asked(self._homeserver.post("join", room))
        except ProbeError as error:
            if isinstance(error.__cause__, ApiError) and error.__cause__.code == "M_FORBIDDEN":
                raise NotInvited(f"{room} lets only those in who are invited: invite {self.user} there") from None
            if isinstance(error.__cause__, ApiError) and error.__cause__.status == 404:
                raise ProbeError(f"there is no room {room}: check the spelling, or make the room first") from None
            raise
        return word(found, "room_id")

    async def may_speak(self, room: str) -> bool:
        """Whether the account may send messages in a room that it is in."""
        return (await _asked(look.power_now(self._homeserver, room))).may_send(self.user, "m.room.message")

    async def members(self, room: str) -> Sequence[str]:
        """The user ids of who is in a room that the account is in."""
        return [*table(await self._get("rooms", room, "joined_members"), "joined")]

    async def said(self, room: str) -> Sequence[Said]:
        """Wait a few seconds for what is said in `room` from now on; words of encrypted rooms are not among it."""
        if not self._since:
            await self._sync("")
        found = await self._sync(self._since)
        events = tables(table(found, "rooms", "join", room), "timeline", "events")
        return [Said(word(each, "sender"), word(table(each, "content"), "body")) for each in events]

    async def _sync(self, since: str) -> Json:
        # Synapse answers the same first question for minutes from its memory: no two of ours are the same
        self._asked += 1
        presence = {"types": [], "limit": self._asked}
        query = {"filter": json.dumps({**_FILTER, "presence": presence}), "timeout": str(_POLL_MS if since else 0)}
        found = await _asked(self._homeserver.get("sync", query=query | ({"since": since} if since else {})))
        self._since = word(found, "next_batch") or self._since
        return found

    async def _get(self, *path: str) -> Json:
        return await _asked(self._homeserver.get(*path))


@asynccontextmanager
async def logged_in(settings: MatrixSettings) -> AsyncGenerator[MatrixProbe, None]:
    """Log in as a device of its own, and log that out in the end. Raises ProbeError.

    The bridge makes its own device when it first runs. A token that both used would break encryption: two programs
    would each believe that the device's keys are theirs.
    """
    homeserver = Homeserver(settings.homeserver, settings.user, settings.name)
    account = Account(settings, homeserver, _Forgetful(), Patience(settings.name, random.Random()))  # noqa: S311
    try:
        try:
            async with asyncio.timeout(_LOGIN_S):
                await account.log_in()
        except Refused as error:
            raise ProbeError(str(error).removeprefix(f"{settings.name}: ")) from None
        except (ApiError, Unreachable) as error:
            raise ProbeError(f"{settings.user} cannot log in: {error}{_hint(error)}") from None
        except TimeoutError:
            raise ProbeError(f"{settings.homeserver} did not log us in within {_LOGIN_S:.0f} s") from None
        homeserver.renew = None  # a probe that is logged out has failed
        yield MatrixProbe(homeserver, settings, account)
    finally:
        if homeserver.token and settings.password is not None:
            with suppress(ApiError, Unreachable, TimeoutError):
                async with asyncio.timeout(5.0):
                    await homeserver.once("POST", ("logout",), body="{}")
        await homeserver.close()


async def _asked(request: Awaitable[Result]) -> Result:
    """What `request` gives. Raises ProbeError, whose cause is what the homeserver said."""
    try:
        async with asyncio.timeout(_ASKED_S):
            return await request
    except (ApiError, Unreachable) as error:
        raise ProbeError(f"the homeserver says no ({one_line(str(error), 300)}){_hint(error)}") from error
    except TimeoutError:
        raise ProbeError(f"the homeserver did not answer within {_ASKED_S:.0f} s") from None


def _hint(error: Exception) -> str:
    return f": {error.hint}" if isinstance(error, Unreachable) and error.hint else ""


def _rooms(found: Json, kind: str) -> Sequence[tuple[str, Json]]:
    rooms = table(found, "rooms", kind)
    return [(room, table(rooms, room)) for room in [*rooms][:_ROOMS]]


def _seen(room: str, found: Json, *, invited: bool) -> RoomSeen:
    state = [
        *tables(found, "invite_state" if invited else "state", "events"),
        *tables(found, "timeline", "events"),
    ]
    contents = {word(each, "type"): table(each, "content") for each in state if word(each, "state_key") == ""}
    alias = one_line(word(contents.get("m.room.canonical_alias", {}), "alias"), _NAME)
    name = one_line(word(contents.get("m.room.name", {}), "name"), _NAME) or alias
    people = number(table(found, "summary"), "m.joined_member_count") or 0
    return RoomSeen(room, name, alias, people, "m.room.encryption" in contents, invited)
