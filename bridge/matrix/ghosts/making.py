"""Makes ghosts: the account, its name and its picture, and brings them into rooms."""

from collections.abc import Awaitable
from contextlib import suppress
from functools import partial

import structlog

from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import table, word
from bridge.matrix.dialect.picture import picture
from bridge.matrix.ghosts.records import KEY, Ghost, Place
from bridge.matrix.ghosts.service import Service, is_unknown
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.network import Memory

log = structlog.get_logger()

_ABOUT = "example.quackbridge.about"
"""The field of a profile that says where somebody really is (MSC4133). Not all homeservers have such fields."""


class Making:
    """Each step is noted in `memory` before the next one depends on it. `homeserver`: as the bridge's own account,
    which invites ghosts and looks where they are."""

    def __init__(self, network: str, service: Service, homeserver: Homeserver, memory: Memory) -> None:
        self._network = network
        self._service = service
        self._homeserver = homeserver
        self._memory = memory

    async def present(self, ghost: Ghost, face: Face) -> None:
        """Give the ghost its account, its picture, and the name that its person has now. Raises ApiError,
        Unreachable."""
        if ghost.made and ghost.shown == face.shown:
            return
        ask = partial(self._service.ask, user=ghost.user)
        if not ghost.made:
            await self._register(ghost)
            about = {_ABOUT: f"IRC on {face.network}"}
            await _adorn(ask("PUT", "profile", ghost.user, _ABOUT, body=about))
        if not ghost.picture:
            await _adorn(self._picture(ghost))
        if not ghost.made:
            ghost.made = True
            log.info("ghost_made", network=self._network, ghost=ghost.user)
        await self.rename(ghost, face.shown)

    async def bring(self, ghost: Ghost, joined: JoinedRoom) -> None:
        """Let the ghost join the room, invited by the bridge's own account if need be. It stays out if it was removed
        from there. Raises ApiError, Unreachable, Refused."""
        if ghost.inside(joined.id):
            return
        if not await self.look(ghost, joined):
            try:
                await self._join(ghost, joined)
            except ApiError as error:
                if error.status != 403 or is_unknown(error):
                    raise
                await self._homeserver.post("rooms", joined.id, "invite", body={"user_id": ghost.user})
                await self._join(ghost, joined)
            ghost.enter(joined.id)
        await self.keep(ghost)

    async def look(self, ghost: Ghost, joined: JoinedRoom) -> bool:
        """Ask where the ghost stands with the room, and note it. Whether nothing is left to do: it is inside, or was
        removed. A lifted ban looks like a kick, but for what was before, which not all homeservers tell. Raises
        ApiError, Unreachable, Refused."""
        path = ("rooms", joined.id, "state", "m.room.member", ghost.user)
        try:
            found = await self._homeserver.get(*path, query={"format": "event"})
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            found = {}  # it was never there
        content = table(found, "content")
        membership, by = word(content, "membership"), word(found, "sender")
        before = word(table(found, "unsigned", "prev_content"), "membership")
        may_return = before == "ban" if before else ghost.rooms.get(joined.id) in (Place.BANNED, Place.FREE)
        ghost.leave(joined.id)
        if membership == "join":
            ghost.enter(joined.id)
        elif membership == "ban" or (membership == "leave" and by != ghost.user and not may_return):
            how = Place.BANNED if membership == "ban" else Place.KICKED
            ghost.remove(joined.id, how, removal(how, by, word(content, "reason")))
        return joined.id in ghost.rooms

    async def leave(self, ghost: Ghost, room_id: str, reason: str = "") -> None:
        """Let the ghost leave the room. Raises ApiError that pass, and Unreachable."""
        try:
            body = {"reason": reason} if reason else {}
            await self._service.ask("POST", "rooms", room_id, "leave", user=ghost.user, body=body)
        except ApiError as error:
            if error.passes or is_unknown(error):
                raise
        ghost.go(room_id)
        log.info("ghost_left", network=self._network, room=room_id, ghost=ghost.user)
        await self.keep(ghost)

    async def rename(self, ghost: Ghost, shown: str) -> None:
        """Give it another name. Raises ApiError, Unreachable."""
        if ghost.shown != shown:
            body = {"displayname": shown}
            await self._service.ask("PUT", "profile", ghost.user, "displayname", user=ghost.user, body=body)
            ghost.shown = shown
            await self.keep(ghost)

    async def keep(self, ghost: Ghost) -> None:
        await self._memory.remember({KEY + ghost.user: ghost.dump()})

    async def _register(self, ghost: Ghost) -> None:
        account = {"type": "m.login.application_service", "username": ghost.localpart, "inhibit_login": True}
        try:
            await self._service.ask("POST", "register", body=account)
        except ApiError as error:
            if error.code != "M_USER_IN_USE":  # made by an earlier run, which could not note it
                raise

    async def _join(self, ghost: Ghost, joined: JoinedRoom) -> None:
        await self._service.ask("POST", "join", joined.id, user=ghost.user)

    async def _picture(self, ghost: Ghost) -> None:
        uri = await self._homeserver.upload(picture(ghost.user), "image/png", "avatar.png")
        body = {"avatar_url": uri}
        await self._service.ask("PUT", "profile", ghost.user, "avatar_url", user=ghost.user, body=body)
        ghost.picture = uri


async def _adorn(step: Awaitable[object]) -> None:
    """Do what a ghost can also be without."""
    with suppress(ApiError):
        await step


def removal(how: Place, by: str, reason: str) -> str:
    """Who has removed a ghost from a room, in words."""
    why = " ".join(reason.split())[:200]
    return f"{'banned' if how is Place.BANNED else 'removed'} by {by}{f': {why}' if why else ''}"
