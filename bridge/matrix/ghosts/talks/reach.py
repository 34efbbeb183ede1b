"""Finds out whether the homeserver reaches us: else nobody would hear what is said to a ghost."""

import asyncio

import structlog

from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.service import NotReached, Service
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.network import Refused

log = structlog.get_logger()

_SOON_S, _RARELY_S = 30.0, 3600.0
_LOOK_S = 1.0


class Reach:
    """Has the homeserver try: at first, which also lets it send at once what has waited for us; then rarely, and soon
    again while it does not reach us."""

    def __init__(self, network: str, service: Service, faces: Faces) -> None:
        self._network = network
        self._service = service
        self._faces = faces
        self._is_reached: bool | None = None

    @property
    def is_reached(self) -> bool:
        """Whether we hear what is said to ghosts, and they may speak."""
        return self._is_reached is True and self._faces.is_known

    def note_reached(self) -> None:
        """The homeserver has asked us something."""
        if self._is_reached is not True:
            log.info("ghost_talks_available", network=self._network)
        self._is_reached = True

    async def hold(self) -> None:
        """Find out again and again. Does not return."""
        self._faces.want()
        while True:
            await self._faces.confirmed()
            await self._try()
            await asyncio.sleep(_RARELY_S if self.is_reached else _SOON_S)

    async def _try(self) -> None:
        try:
            await self._service.ping(self._network)
        except NotReached as error:
            self._note_not_reached(str(error), error.hint)
        except ApiError as error:
            if not error.passes and self._is_reached is not True:  # an older homeserver, which cannot try
                self._note_not_reached(f"the homeserver cannot try whether it reaches the bridge ({error})", "wait")
        except (Unreachable, Refused):
            pass  # it is away: what we believe stays
        else:
            self.note_reached()

    def _note_not_reached(self, reason: str, hint: str) -> None:
        if self._is_reached is not False:
            more = f"{hint}; until then private words come into the room with the bridge"
            log.warning("ghost_talks_unavailable", network=self._network, reason=reason, hint=more)
        self._is_reached = False
