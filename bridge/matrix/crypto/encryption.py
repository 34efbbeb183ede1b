"""The encryption of one account, put together: what the adapter seals and opens with, and what operators see of it."""

import asyncio
from collections.abc import Callable, Sequence

from bridge.matrix.account import Account
from bridge.matrix.crypto.account.identity import Identity
from bridge.matrix.crypto.account.setting_up import SettingUp
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.opening import Opening
from bridge.matrix.crypto.pruning import Pruning
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.sealing import Sealing
from bridge.matrix.crypto.verification.verifying import Say, Verifying
from bridge.matrix.crypto.verification.vouching import Vouching
from bridge.matrix.dialect import convert
from bridge.matrix.http.homeserver import Homeserver
from bridge.matrix.http.patience import Patience
from bridge.matrix.rooms.joined import Rooms
from bridge.matrix.settings import MatrixSettings
from bridge.model.people import Sender
from bridge.network import Comparison, EncryptionState, Memory, News, NotSigned


class Encryption:
    """`rooms` says which rooms are encrypted; `clock` gives seconds since the epoch. `verifying` is None until `meet`
    was called."""

    def __init__(
        self,
        settings: MatrixSettings,
        homeserver: Homeserver,
        account: Account,
        patience: Patience,
        memory: Memory,
        rooms: Rooms,
        clock: Callable[[], float],
    ) -> None:
        name, only = settings.name, settings.trust == "cross-signed"
        self._network = name
        self._homeserver = homeserver
        self._account = account
        self._rooms = rooms
        self._clock = clock
        self.rows = Rows(memory)
        self._identity = Identity(name, homeserver, account, self.rows, settings.recovery_key, clock)
        self.keys = Keys(name, homeserver, account, patience, self.rows, clock, self._identity, signed_only=only)
        self.sealing = Sealing(rooms, homeserver, self.keys, clock)
        self.opening = Opening(self.keys, self.rows, clock)
        self.verifying: Verifying | None = None

    def meet(self, say: Say, knows: Callable[[Sender], bool], tell: Callable[[News], None]) -> None:
        """Let people verify us whom the bridge `knows`. `say` says things in rooms; `tell` takes news for admins."""

        def knows_user(user: str) -> bool:
            return knows(convert.sender(self._network, user, ""))

        vouching = Vouching(self._homeserver, self._account, self.keys, self.rows)
        self.verifying = Verifying(
            self._network,
            self._account,
            self.keys,
            vouching,
            say,
            clock=self._clock,
            knows=knows_user,
            tell=tell,
        )
        self.keys.verification = self.verifying.hear_device
        self.keys.pins.tell, self.keys.pins.knows = tell, knows_user
        self._identity.tell = tell

    async def reaches(self, user: str) -> bool:
        """Whether `user` has a device with keys: only then can they read what is encrypted. Raises what `Homeserver`
        raises."""
        machine = self.keys.machine
        if machine is None:
            return False
        self.keys.directory.changed([user])  # we are not told of changes of people with whom we share no room
        await self.keys.directory.know(machine, [user])
        return machine.devices.has_any(user)

    def state(self) -> EncryptionState:
        """See `bridge.network.Encrypts`."""
        if self._account.refused:
            return EncryptionState(self._account.refused)
        encrypted = (joined.room for joined in self._rooms if joined.encrypted and not joined.private)
        return self.keys.state(tuple(encrypted))

    def setting_up(self) -> SettingUp:
        """What an operator may do. Raises NotSigned if there can be no encryption now."""
        if self._account.refused or self.keys.machine is None:
            raise NotSigned(self.state().problem)
        return SettingUp(self.keys.machine, self._identity)

    async def hold(self) -> None:
        """Keep all of it working. Does not return."""
        pruning = Pruning(self._rooms, self.keys, self.sealing.people)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keys.hold(), name=f"keys {self._network}")
            group.create_task(pruning.hold(), name=f"old keys {self._network}")
            if self.verifying is not None:
                group.create_task(self.verifying.hold(), name=f"verifying {self._network}")

    def comparisons(self) -> Sequence[Comparison]:
        """See `bridge.network.Encrypts`."""
        return self.verifying.comparisons() if self.verifying is not None else ()

    async def answer_comparison(self, id_: str, *, same: bool) -> str:
        """See `bridge.network.Encrypts`."""
        assert self.verifying is not None
        return await self.verifying.answer(id_, same=same)
