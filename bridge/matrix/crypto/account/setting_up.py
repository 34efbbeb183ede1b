"""What an operator does by `quackbridge matrix-setup`: signs our device, and takes care of the recovery key."""

from bridge.matrix.crypto.account.identity import Identity
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.network import NotSigned, Refused


class SettingUp:
    """Each step waits for the homeserver's answer once: an operator can try again. For what each does and raises, see
    `bridge.network.Encrypts`."""

    def __init__(self, machine: Machine, identity: Identity) -> None:
        self._machine = machine
        self._identity = identity

    async def sign_device(self, recovery_key: str | None, password: str | None) -> str:
        try:
            await self._identity.ensure(self._machine, recovery_key, password)
        except (ApiError, Unreachable, Refused) as error:
            raise NotSigned(f"the homeserver does not do it ({error})") from None
        return f"the device {self._machine.device} is signed: clients do not warn of it"

    async def new_recovery_key(self) -> str:
        try:
            await self._identity.renew_recovery_key()
        except (ApiError, Unreachable, Refused) as error:
            raise NotSigned(f"the homeserver does not do it ({error}): say it again") from None
        return "there is another recovery key; the one before opens nothing any more"

    async def recovery_key_shown(self) -> None:
        await self._identity.recovery_key_shown()
