"""The Matrix adapter: stays logged in, yields what is said, and sends each post under a fixed transaction id."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from bridge.lib.waiting import next_while
from bridge.matrix.account import Account
from bridge.matrix.avatars import Avatars
from bridge.matrix.calling import Calling
from bridge.matrix.crypto.account.setting_up import SettingUp
from bridge.matrix.crypto.encryption import Encryption
from bridge.matrix.dialect.fields import word
from bridge.matrix.dialect.place import Place
from bridge.matrix.dialect.render import render
from bridge.matrix.dialect.sources import parse
from bridge.matrix.downloads import Downloads
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.registration import token_file
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.errands import MayTalk
from bridge.matrix.ghosts.talks.talks import Talks
from bridge.matrix.hearing.asking import Asking
from bridge.matrix.hearing.listening import Listening
from bridge.matrix.hearing.remembering import Remembering
from bridge.matrix.hearing.unsealing import Unsealing
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.matrix.http.pulse import Pulse
from bridge.matrix.receipts import Receipts
from bridge.matrix.rooms.invitations import Invitations
from bridge.matrix.rooms.joined import Rooms
from bridge.matrix.rooms.joining import Joining
from bridge.matrix.rooms.private import Private
from bridge.matrix.rooms.voice import Voices
from bridge.matrix.sending import Sending
from bridge.matrix.settings import MatrixSettings
from bridge.matrix.uploads import Uploads
from bridge.model.event import Event, EventKey, Membership, Room
from bridge.model.outbox import Attached, Owed, Post
from bridge.model.people import Sender
from bridge.model.presentation import DEFAULT, Presentation
from bridge.network import (
    Batch,
    Comparison,
    Download,
    EncryptionState,
    Fetched,
    GhostState,
    Memory,
    NoComparison,
    NotNow,
    NotSigned,
    Refused,
    Vitals,
)

_GATHER_S = 4.0
"""Seconds that memberships wait for more: a netsplit ends for many people within these."""


class MatrixNetwork:
    """One account on one homeserver; `rooms` are the configured rooms, by alias or id. `memory` keeps device, access
    token and private conversations. `clock` gives seconds since the epoch. `carries` tells whether what somebody says
    in a room is carried: of others, long messages are not read in full. `knows` tells whether somebody is a user: they
    may verify us. `may_stay` tells whether who has a ghost in a room may still have it, `may_talk` why somebody may not
    talk in private with a person on IRC."""

    window = 1  # a homeserver does not keep the order of parallel requests

    def __init__(
        self,
        settings: MatrixSettings,
        rooms: Sequence[Room],
        memory: Memory,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        carries: Callable[[Sender, Room], bool] = lambda *_: True,
        knows: Callable[[Sender], bool] = lambda _: True,
        may_stay: Callable[[Sender, Room], bool] = lambda *_: True,
        may_talk: MayTalk = lambda *_: "",
        folder: Path = Path(),
    ) -> None:
        self.name = settings.name
        self._stays = may_stay
        self._online = asyncio.Event()
        self._logged_in = asyncio.Event()
        self._homeserver = Homeserver(settings.homeserver, settings.user, settings.name)
        patience = Patience(self.name, rng)
        known = self._rooms = Rooms(self.name)
        self._account = Account(settings, self._homeserver, memory, patience)
        self._memory = memory
        sealed = self._encryption = (
            Encryption(settings, self._homeserver, self._account, patience, memory, known, clock)
            if settings.encryption
            else None
        )
        unsealing = Unsealing(self.name, sealed.keys, sealed.opening) if sealed else Unsealing(self.name)
        self._joining = Joining(rooms, known, self._homeserver, self._account, memory, rng)
        self._private = Private(self.name, known, self._homeserver, self._account, memory, lambda: unsealing.works)
        if sealed:
            self._private.can_be_sealed = sealed.reaches
        self._invitations = Invitations(self.name, self._joining, self._private, memory)
        tokens = token_file(settings.ghosts.token_file, self.name, folder)
        service = Service(self._homeserver, tokens)
        idle_s = settings.ghosts.idle
        faces = self._faces = Faces(
            self.name, settings.user, service, self._homeserver, memory, self._online, clock, idle_s, self._may_stay
        )
        known.is_ghost = faces.is_ours
        talks = self._talks = (
            Talks(self.name, settings.user, faces, service, known, memory, may_talk, clock)
            if settings.ghosts.url is not None
            else None
        )
        self._sending = Sending(
            self.name,
            known,
            self._homeserver,
            self._account,
            self._joining,
            self._private,
            self._online,
            sealed.sealing if sealed else None,
            faces,
            talks,
        )
        self._avatars = Avatars(self.name, self._homeserver, memory, self._online)
        self._calling = Calling(known, self._homeserver, self._account, self._joining)
        self._downloads = Downloads(self.name, self._homeserver)
        self._uploads = Uploads(self._homeserver)
        self._receipts = Receipts(known, self._homeserver, self._online)
        self._pulse = Pulse(self._homeserver)
        self._voices = Voices(known, self._homeserver, self._account)
        asking = self._asking = Asking(self._homeserver, self._account, patience, known, self._online, clock)
        remembering = Remembering(self._invitations, known, sealed.rows if sealed else None)
        if sealed:
            asking.opened = sealed.keys.look
            sealed.meet(self._sending.say, knows, remembering.tell)
        self._listening = Listening(
            self.name,
            asking,
            known,
            self._joining,
            self._private,
            self._invitations,
            carries,
            unsealing,
            remembering,
            sealed.verifying if sealed else None,
            self._voices.changed,
            faces.hear,
            faces.by_id,
        )

    async def events(self, cursor: str | None) -> AsyncGenerator[Batch, None]:
        """See `bridge.network.Network`."""
        life = asyncio.create_task(self._live(), name=f"matrix {self.name}")
        known = asyncio.ensure_future(self._known(cursor))
        try:
            await asyncio.wait({life, known}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
            async with (
                aclosing(self._listening.batches(cursor)) as heard,
                aclosing(self._talks.batches(heard, cursor) if self._talks is not None else heard) as batches,
            ):
                while True:
                    yield await next_while(batches, life)
        finally:
            self._online.clear()
            self._rooms.doubt()
            self._logged_in.clear()
            known.cancel()
            life.cancel()
            await asyncio.wait({life, known})
            await self._homeserver.close()

    def render(self, owed: Sequence[Owed], how: Presentation = DEFAULT) -> Sequence[Post]:
        """See `bridge.network.Network`. What was uploaded in plain is not shown in an encrypted room."""
        if self._is_encrypted(owed[0].room):
            owed = [item if _is_sealed(item.attached) else replace(item, attached=None) for item in owed]
        return render(owed, Place(how, self._calling.who(owed[0].room), self._avatars.of))

    async def send(self, post: Post, *, again: bool = False, trial: bool = False) -> str:
        """See `bridge.network.Network`. A post sent again stays one event: the transaction id is the same."""
        return await self._sending.send(post, again=again)

    def recognises(self, room: Room) -> bool:
        """See `bridge.network.Recognises`. Always: the homeserver knows the transaction id."""
        return True

    def leave(self) -> bool:
        """See `bridge.network.Network`. Always False: a sync from the cursor repeats what comes now."""
        return False

    def absence(self, room: Room) -> str | None:
        """See `bridge.network.Network`."""
        if problem := self._problem():
            return problem
        joined = self._rooms.of(room)
        if joined is None or not joined.inside:
            return self._joining.trouble(room) or (joined.absence if joined is not None else None)
        return self._voices.reason(joined) or None

    def vitals(self) -> Vitals:
        """See `bridge.network.Reports`."""
        ghosts = self._faces.state()
        return Vitals(self._problem(), self._asking.heard, ghosts=None if ghosts is None else ghosts.number)

    def _may_stay(self, person: Sender, room_id: str) -> bool:
        joined = self._rooms.by_id(room_id)
        return joined is None or joined.private or self._stays(person, joined.room)

    def ghosts(self) -> GhostState | None:
        """See `bridge.network.HasGhosts`."""
        return self._faces.state()

    async def receive_transaction(self, transaction: str, body: bytes) -> None:
        """See `bridge.network.ReceivesTransactions`."""
        if self._talks is None or not self._logged_in.is_set():
            raise NotNow("The bridge is not logged in.")
        await self._talks.receive_transaction(transaction, body)

    async def receive_ping(self) -> None:
        """See `bridge.network.ReceivesTransactions`."""
        if self._talks is not None:
            self._talks.note_reached()

    def is_ghost(self, user: str) -> bool:
        """See `bridge.network.ReceivesTransactions`."""
        return self._faces.by_id(user) is not None

    def joined(self, room: Room) -> bool:
        """See `bridge.network.Reports`."""
        joined = self._rooms.of(room)
        return joined is not None and joined.inside

    def _problem(self) -> str:
        """Why we are not logged in, or the homeserver counts as dead; empty if neither."""
        if not self._online.is_set() or self._pulse.is_silent:
            return self._account.refused or "the homeserver does not answer"
        return ""

    def use(self, rooms: Sequence[Room]) -> None:
        """See `bridge.network.Network`. We stay in rooms that are no longer configured; see `Joining.use`."""
        self._joining.use(rooms)

    async def typing(self, room: Room, active: bool) -> None:  # noqa: FBT001
        """Show others in `room` that we type, or have stopped. Never raises."""
        await self._sending.typing(room, active=active)

    def read(self, event: EventKey) -> None:
        """Show others in its room that we have read `event`. Returns at once, and never raises."""
        self._receipts.read(event)

    def download(self, source: str) -> AbstractAsyncContextManager[Download]:
        """See `bridge.network.MediaSource`."""
        return self._downloads.download(source)

    async def is_away(self, user: str) -> bool | None:
        """See `bridge.network.KnowsPresence` (spec, "Presence")."""
        if not user.startswith("@") or not self._online.is_set():
            return None
        with suppress(ApiError, Unreachable, Refused):
            found = await self._homeserver.get("presence", user, "status")
            return word(found, "presence") != "online"
        return None

    async def attach(self, file: Fetched, rooms: Collection[Room] = ()) -> Attached:
        """See `bridge.network.MediaSink`. It is encrypted if any of `rooms` is: clients show it in the others, too."""
        return await self._uploads.attach(file, sealed=any(map(self._is_encrypted, rooms)))

    def _is_encrypted(self, room: Room) -> bool:
        joined = self._rooms.of(room)
        return joined is not None and joined.encrypted

    def encryption(self) -> EncryptionState:
        """See `bridge.network.Encrypts`."""
        if self._encryption is None:
            return EncryptionState("it is off (`encryption: false`), and encrypted rooms are neither read nor written")
        return self._encryption.state()

    async def sign_device(self, recovery_key: str | None, password: str | None) -> str:
        """See `bridge.network.Encrypts`."""
        return await self._setting_up().sign_device(recovery_key, password)

    async def new_recovery_key(self) -> str:
        """See `bridge.network.Encrypts`."""
        return await self._setting_up().new_recovery_key()

    async def recovery_key_shown(self) -> None:
        """See `bridge.network.Encrypts`."""
        await self._setting_up().recovery_key_shown()

    def _setting_up(self) -> SettingUp:
        if self._encryption is None:
            raise NotSigned(self.encryption().problem)
        return self._encryption.setting_up()

    @asynccontextmanager
    async def visit(self) -> AsyncGenerator[None, None]:
        """Be logged in, with our keys, and do nothing else: for commands while no daemon runs."""
        try:
            await self._begin()
            yield
        finally:
            await self._homeserver.close()

    def gather(self, event: Event) -> float:
        """See `bridge.network.Gathering`."""
        return _GATHER_S if isinstance(event.body, Membership) else 0.0

    def comparisons(self) -> Sequence[Comparison]:
        """See `bridge.network.Encrypts`."""
        return self._encryption.comparisons() if self._encryption is not None else ()

    async def answer_comparison(self, id_: str, *, same: bool) -> str:
        """See `bridge.network.Encrypts`."""
        if self._encryption is None:
            raise NoComparison("Encryption is off for this network: there is nothing to compare.")
        return await self._encryption.answer_comparison(id_, same=same)

    async def ready(self) -> None:
        """See `bridge.network.Network`."""
        await self._joining.complete.wait()
        await self._listening.begun.wait()

    async def _known(self, cursor: str | None) -> None:
        """Return when listening may begin: logged in and, without a cursor, every room tried."""
        await self._logged_in.wait()
        if cursor is None:
            await self._joining.tried()

    async def _begin(self) -> None:
        await self._account.log_in()
        self._rooms.encrypted.recall(await self._memory.recall())
        if self._encryption is not None:
            await self._encryption.keys.begin()

    async def _live(self) -> None:
        await self._begin()
        await self._joining.recall()
        await self._private.recall()
        await self._invitations.recall()
        await self._avatars.recall()
        await self._faces.recall()
        if self._talks is not None:
            await self._talks.recall()
        self._logged_in.set()
        async with asyncio.TaskGroup() as group:
            if self._encryption is not None:
                group.create_task(self._encryption.hold(), name=f"encryption {self.name}")
            group.create_task(self._joining.hold(), name=f"joining {self.name}")
            group.create_task(self._private.hold(), name=f"private {self.name}")
            group.create_task(self._avatars.hold(), name=f"avatars {self.name}")
            group.create_task(self._calling.hold(), name=f"calling {self.name}")
            group.create_task(self._receipts.hold(), name=f"receipts {self.name}")
            group.create_task(self._invitations.answer(), name=f"invitations {self.name}")
            group.create_task(self._pulse.keep(), name=f"pulse {self.name}")
            group.create_task(self._voices.hold(), name=f"voices {self.name}")
            group.create_task(self._faces.hold(), name=f"ghosts {self.name}")
            if self._talks is not None:
                group.create_task(self._talks.hold(), name=f"talks {self.name}")


def _is_sealed(file: Attached | None) -> bool:
    source = parse(file.source) if file is not None else None
    return source is not None and source.key is not None
