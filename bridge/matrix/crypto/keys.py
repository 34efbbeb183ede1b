"""Keys while the bridge runs: those of our device are published and signed, those for it are heard, old ones go."""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from bridge.matrix.account import Account
from bridge.matrix.crypto import again
from bridge.matrix.crypto.account.identity import Identity
from bridge.matrix.crypto.account.publishing import Publishing
from bridge.matrix.crypto.devices import withheld
from bridge.matrix.crypto.devices.claims import Claims
from bridge.matrix.crypto.devices.directory import Directory
from bridge.matrix.crypto.devices.mail import Mail
from bridge.matrix.crypto.devices.pins import Pins
from bridge.matrix.crypto.devices.withheld import Withheld
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.olm.opened import NotOpened, RoomKey
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.dialect.fields import Json, word
from bridge.matrix.dialect.sync import ForDevice
from bridge.matrix.dialect.verification import PREFIX
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.model.event import Room
from bridge.network import EncryptionState, NotSigned, Refused

log = structlog.get_logger()

_AT_ONCE = 20
"""Events for our device that are read before others get a turn: about a third of a millisecond each."""
_SIGNING_S = 30.0
"""Seconds until we go on without a signature of our device."""
_STUCK = "encrypted rooms are not bridged: put the password, or the access token of a new login, into the configuration"


class Keys:
    """`identity` signs our device. `signed_only`: see `Machine`. `machine` is None until `begin` has returned, and
    afterwards if there can be no encryption."""

    def __init__(
        self,
        network: str,
        homeserver: Homeserver,
        account: Account,
        patience: Patience,
        rows: Rows,
        clock: Callable[[], float],
        identity: Identity | None = None,
        *,
        signed_only: bool = False,
    ) -> None:
        self.machine: Machine | None = None
        self.problem = "the bridge has not logged in yet"
        """Why there is no encryption; empty if there is."""
        self.verification: Callable[[Json], None] = lambda _: None
        """Called with each event that another device sends us to compare emoji."""
        self.withheld = Withheld()
        self.pins = Pins(rows, clock)
        self.directory = Directory(network, homeserver, self.pins, clock)
        self.mail = Mail(homeserver, rows)
        self.claims = Claims(homeserver, self.mail, clock)
        self._network = network
        self._account = account
        self._patience = patience
        self._rows = rows
        self._identity = identity
        self._publishing = Publishing(network, homeserver, account, patience, rows, clock, signed_only=signed_only)
        self._is_in_doubt = False  # whether the homeserver has our keys
        self._is_face_in_doubt = False  # whether our device is signed by the account
        self._stir = asyncio.Event()

    async def begin(self) -> None:
        """Load our keys, or make new ones, and publish what the homeserver does not have."""
        if not self._account.device:
            self._unavailable("the homeserver does not say which device the access token belongs to", _STUCK)
            return
        await self._rows.load()
        try:
            self.problem = ""
            self.machine = machine = await self._publishing.machine(self.machine)
            if machine is None:
                self._unavailable("the keys of its device are missing", _STUCK)
            else:
                await self._patience.ask(partial(self._publishing.publish, machine))
        except ApiError as error:
            self.machine = None
            hint = "encrypted rooms are not bridged; ask the homeserver's operator why it takes no keys"
            self._unavailable(str(error), hint)
        self._account.renewed = self._doubt
        await self._sign()

    async def hold(self) -> None:
        """Keep enough one-time keys at the homeserver, and mend sessions. Does not return."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            try:
                await self._hold(self.machine)
            except (ApiError, Unreachable, Refused) as error:
                log.warning("keys_not_published", network=self._network, reason=str(error), retry_in_s=again.AGAIN_S)
                self._stir_later()

    async def hear(self, news: ForDevice) -> set[RoomKey]:
        """Note what a sync tells our device. Returns which keys of room messages came."""
        if self.machine is None:
            return set()
        self.directory.changed(news.changed)
        if self.machine.user in news.changed:  # somebody may have reset our account's keys
            self._is_face_in_doubt = True
            self._stir.set()
        found = set()
        for number, event in enumerate(news.events, 1):
            if word(event, "type").startswith(PREFIX):
                self.verification(event)
            elif word(event, "type") == withheld.KIND:
                if (refused := self.withheld.note(event)) is not None:
                    found.add(refused)
            elif (key := self.machine.hear(event)) is not None:
                found.add(key)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        there = self._publishing
        there.number, there.needs_fallback = news.one_time_keys, news.needs_fallback
        if self.machine.needs_upload(there.number, fallback=there.needs_fallback) or self.machine.has_mail:
            self._stir.set()
        return found

    def ask_for(self, room_id: str, event: Json) -> None:
        """Ask the sender of a sealed event for its key, once."""
        if self.machine is not None and self.machine.inbound.ask_for(room_id, event):
            self._stir.set()

    def look(self, room_id: str, event: Json) -> Json | None:
        """What was said in an event, sealed or not; None if it cannot be opened now. Nothing is remembered of it."""
        if word(event, "type") != "m.room.encrypted":
            return event
        try:
            return self.machine.inbound.open(room_id, event, once=False) if self.machine is not None else None
        except NotOpened:
            return None

    @property
    def unsigned(self) -> str:
        """Why our device is not signed by its account; empty if it is."""
        return self._identity.unsigned if self._identity is not None else ""

    def state(self, rooms: tuple[Room, ...]) -> EncryptionState:
        """How encryption is now; `rooms` are the encrypted ones of ours."""
        if self.problem or self.machine is None:
            return EncryptionState(self.problem, rooms=rooms)
        return EncryptionState("", self.machine.device, self.unsigned, self._publishing.number, rooms)

    def _unavailable(self, reason: str, hint: str) -> None:
        self.problem = f"{reason}: {hint}"
        log.error("encryption_unavailable", network=self._network, reason=reason, hint=hint)

    def _doubt(self) -> None:
        """We have logged in again: a homeserver forgets the keys of a device that was logged out."""
        self._is_in_doubt = True
        self._stir.set()

    def _stir_later(self) -> None:
        asyncio.get_running_loop().call_later(again.AGAIN_S, self._stir.set)

    async def _hold(self, machine: Machine | None) -> None:
        if machine is not None and self._is_in_doubt and await self._publishing.publish_again(machine):
            self._is_face_in_doubt = True
        self._is_in_doubt = False
        if self._is_face_in_doubt:
            await self._sign()
        if machine is not None:
            await self._publishing.publish(machine)
            await self._mend(machine)

    async def _sign(self) -> None:
        """See to it that our device is signed by the account. If the homeserver does not let us, everything else goes
        on, and it is tried again."""
        self._is_face_in_doubt = False
        if self.machine is None or self._identity is None:
            return
        try:
            async with asyncio.timeout(_SIGNING_S):
                await self._patience.ask(partial(self._identity.ensure, self.machine))
        except (ApiError, NotSigned, TimeoutError) as error:
            if not isinstance(error, NotSigned):
                error = NotSigned(str(error) or "the homeserver does not answer", "the bridge tries again")
                self._is_face_in_doubt = True
                self._stir_later()
            if str(error) != self._identity.unsigned:
                log.warning("not_verified", network=self._network, reason=error.reason, hint=error.hint)
            self._identity.unsigned = str(error)

    async def _mend(self, machine: Machine) -> None:
        """Begin new sessions with devices whose messages we cannot open, and tell them."""
        if wedged := machine.wedged():
            await self.claims.meet(machine, wedged)
            machine.give_up(wedged)
        for kind, body in machine.outgoing():
            try:
                await self.mail.send(kind, body)
            except ApiError as error:
                if error.passes or error.logged_out:
                    raise  # else it is given up
