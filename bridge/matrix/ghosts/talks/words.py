"""What is said in rooms of two: of members, as events, and of ghosts, in sentences of their own."""

from collections.abc import Callable
from dataclasses import replace

from bridge.matrix.dialect import convert
from bridge.matrix.dialect.convert import Us
from bridge.matrix.dialect.fields import Json
from bridge.matrix.ghosts.records import Ghost
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.rooms import TalkRoom
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.model.event import Event, Message
from bridge.model.talks import MatrixTalk

_AWAY_S = 60.0
"""Age from which something counts as said while we were away."""

GROUP = "I talk in rooms of two only."
CROWD = "I talk in rooms of two only, and somebody else is here or was invited."
FULL = "The bridge has too many private rooms already."
NOBODY = "I do not know any more who on IRC is behind this account."
_SEALED = (
    "I cannot read encrypted messages: people on IRC have no keys. Begin a room without encryption with me, or say to"
    " {us} in private: msg {network}/{nick} hello"
)


def sealed(ghost: Ghost, us: str) -> str:
    """What the ghost says where it cannot read; `us` is the bridge's own account."""
    return _SEALED.format(us=us, network=ghost.network, nick=ghost.nick)


class Words:
    """Turns what is said in a room of two into our events. `clock`: seconds since the epoch."""

    def __init__(self, network: str, service: Service, clock: Callable[[], float]) -> None:
        self._network = network
        self._service = service
        self._clock = clock

    async def event(self, said: Json, room: TalkRoom, ghost: Ghost) -> Event | None:
        """What the member says to the ghost's person; None if it is nothing, or nobody can tell to whom."""
        talk = MatrixTalk.of(self._network, room.member, ghost.network, ghost.nick)
        if talk is None:
            return None
        who = convert.sender(self._network, room.member, await self._name(room))
        replayed = self._clock() - convert.said_at(said) > _AWAY_S
        event = convert.event(said, talk.room, who, Us(ghost.user, ""), private=True, replayed=replayed)
        if event is None or not isinstance(event.body, Message):
            return event
        named = (f"{ghost.network}/{ghost.account}",) if ghost.account else ()
        return replace(event, body=replace(event.body, called=None, mentions=named))

    async def _name(self, room: TalkRoom) -> str:
        if room.name is None:
            try:
                room.name = await look.displayname(self._service.as_ghost(room.ghost), room.id, room.member)
            except (ApiError, Unreachable):
                return ""
        return room.name
