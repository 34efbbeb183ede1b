"""What an operator does by `quackbridge matrix-setup`: signs our device, and takes care of the recovery key."""

from bridge.matrix.crypto.identity import Identity
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.network import NotSigned, Refused


class SettingUp:
    """Each step waits for the homeserver's answer once: an operator can try again."""

    def __init__(self, keys: Keys, identity: Identity | None) -> None:
        self._keys = keys
        self._identity = identity

    async def sign_device(self, recovery_key: str | None, password: str | None) -> str:
        """See `bridge.network.Encrypts`."""
        if self._keys.machine is None or self._identity is None:
            raise NotSigned(self._keys.problem)
        try:
            await self._identity.ensure(self._keys.machine, recovery_key, password)
        except (ApiError, Unreachable, Refused) as error:
            raise NotSigned(f"the homeserver does not do it ({error})") from None
        return f"the device {self._keys.machine.device} is signed: clients do not warn of it"

    async def new_recovery_key(self) -> str:
        """See `bridge.network.Encrypts`."""
        if self._keys.machine is None or self._identity is None:
            raise NotSigned(self._keys.problem)
        try:
            await self._identity.renew_recovery_key()
        except (ApiError, Unreachable, Refused) as error:
            raise NotSigned(f"the homeserver does not do it ({error}): say it again") from None
        return "there is another recovery key; the one before opens nothing any more"

    async def recovery_key_shown(self) -> None:
        """See `bridge.network.Encrypts`."""
        if self._keys.machine is None or self._identity is None:
            raise NotSigned(self._keys.problem)
        await self._identity.recovery_key_shown()
