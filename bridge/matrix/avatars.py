"""The pictures of the people whom we carry: made, stored on the homeserver once for each, and remembered."""

import asyncio
import json
from collections import deque
from contextlib import suppress

import structlog

from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.matrix.dialect.picture import picture
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.model.people import Sender
from bridge.network import Memory, Refused

log = structlog.get_logger()

_KEY = "avatars"
_MOST = 2000
"""Most people whose pictures are remembered: a hundred bytes each."""
_WAITING = 100
"""Most people who wait for their picture."""
_APART_S = 1.0
"""Seconds between two uploads: nobody waits for them."""
_AGAIN_S = 600.0
"""Seconds until the next try after a failure."""


class Avatars:
    """`online` is set while the homeserver answers."""

    def __init__(self, network: str, homeserver: Homeserver, memory: Memory, online: asyncio.Event) -> None:
        self._network = network
        self._homeserver = homeserver
        self._memory = memory
        self._online = online
        self._known = LruDict[str, str](_MOST)
        self._wanted: deque[str] = deque()
        self._more = asyncio.Event()

    def of(self, sender: Sender) -> str:
        """The `mxc://` URI of the picture of a user, the same by all their names; '' for guests, and until it is
        made: this asks for it."""
        if sender.user is None:
            return ""
        who = digest("picture", sender.user)  # whatever they are called now
        found = self._known.get(who)
        if found is None and who not in self._wanted and len(self._wanted) < _WAITING:
            self._wanted.append(who)
            self._more.set()
        return found or ""

    async def recall(self) -> None:
        """Load the pictures of earlier runs."""
        with suppress(ValueError, RecursionError):
            kept = json.loads((await self._memory.recall()).get(_KEY, "{}"))
            for who, uri in kept.items() if isinstance(kept, dict) else ():
                if isinstance(uri, str) and uri.startswith("mxc://"):
                    self._known[who] = uri

    async def hold(self) -> None:
        """Make the pictures that are wanted, one after the other. Does not return."""
        while True:
            while not self._wanted:
                self._more.clear()
                await self._more.wait()
            await self._online.wait()
            await asyncio.sleep(_APART_S if await self._made(self._wanted[0]) else _AGAIN_S)
            self._wanted.popleft()

    async def _made(self, who: str) -> bool:
        """Store the picture of `who`. False if the homeserver did not take it."""
        try:
            self._known[who] = await self._homeserver.upload(picture(who), "image/png", "avatar.png")
        except (ApiError, Unreachable, Refused) as error:
            log.debug("avatar_not_stored", network=self._network, reason=str(error))
            return False
        kept = {each: self._known.peek(each) for each in self._known}
        await self._memory.remember({_KEY: json.dumps(kept, separators=(",", ":"))})
        return True
