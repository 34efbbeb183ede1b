"""m.direct, the list by which our other clients know the private conversations (Matrix spec, "Direct Messaging")."""

import asyncio

import structlog

from bridge.lib.backoff import Backoff
from bridge.matrix.account import Account
from bridge.matrix.dialect.fields import Json, table, values
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.network import Refused

log = structlog.get_logger()

_EVERY_S = 5.0
"""Seconds between two writes. The list is written whole: with each of many conversations it would take ever longer."""
_TRIES = 5
_PAUSE = Backoff(first_s=5.0, longest_s=300.0)


class Direct:
    """The list on the homeserver, to which new conversations are added together."""

    def __init__(self, network: str, homeserver: Homeserver, account: Account) -> None:
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._new: dict[str, str] = {}  # peers by room id
        self._stir = asyncio.Event()

    def add(self, room_id: str, peer: str) -> None:
        """List a conversation, soon."""
        self._new[room_id] = peer
        self._stir.set()

    async def hold(self) -> None:
        """Write what is added. Does not return."""
        failures = 0
        while True:
            await self._stir.wait()
            self._stir.clear()
            try:
                await self._write()
                failures = 0
            except (ApiError, Unreachable, Refused) as error:
                failures += 1
                if failures >= _TRIES:  # only our other clients need it; the bridge keeps its own list
                    log.warning("direct_not_listed", network=self._network, rooms=len(self._new), reason=str(error))
                    self._new.clear()
                else:
                    self._stir.set()
            await asyncio.sleep(_PAUSE.plain(failures) if failures else _EVERY_S)

    async def rooms(self, user: str) -> list[str]:
        """The ids of the conversations with `user`, as listed."""
        return [room_id for room_id in values(await self._listed(), user) if isinstance(room_id, str)]

    async def _write(self) -> None:
        new = dict(self._new)
        before = await self._listed()
        listed = dict(before)
        for room_id, peer in new.items():
            known = [*values(listed, peer)]
            if room_id not in known:
                listed[peer] = [*known, room_id]
        if listed != before:
            await self._homeserver.put(*self._path, body=listed)
        for room_id in new:
            self._new.pop(room_id, None)

    async def _listed(self) -> Json:
        try:
            return table(dict(await self._homeserver.get(*self._path)))
        except ApiError as error:
            if error.code == "M_NOT_FOUND":
                return {}
            raise

    @property
    def _path(self) -> tuple[str, ...]:
        return ("user", self._account.us.user, "account_data", "m.direct")
