"""Our account's cross-signing: with it, others see that our device is the account's own, and need not warn of it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog

from bridge.matrix.account import Account
from bridge.matrix.crypto.account.secret_storage import NAMES, SecretStorage
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.rows import OWNER, SEEDS, Rows
from bridge.matrix.crypto.signatures import is_signed
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.network import News, NotSigned

log = structlog.get_logger()

_NONE = "there is no recovery key"
_MISSING = (
    "the account's cross-signing keys are not here, and clients warn of the bridge's messages. Run `quackbridge"
    " matrix-setup {}` with the recovery key, which it or the client that made the keys has shown"
)
_REPLACED = "the account has other cross-signing keys than those that the bridge has signed with"
_RESET = (
    "if somebody of yours has reset them in a client, run `quackbridge matrix-setup {}` with the recovery key of that"
    " client; else somebody else has got into the account: change its password"
)
_NEWS = "Somebody has reset the cross-signing keys of my own account {}: clients warn of me now. Hint: {}."
_MADE = "write down the recovery key: `quackbridge matrix-setup {}` shows it, once. A restored bridge needs it"
_NO_PASSWORD = "the homeserver wants the account's password for it, and the configuration has none"  # noqa: S105
_WRONG_PASSWORD = "the homeserver does not accept the account's password for it"  # noqa: S105
_SETUP = "run `quackbridge matrix-setup {}`, which asks for it"
_ALTERED = "the homeserver shows other keys of the bridge's device than the bridge has"
_UNALTERED = "nothing is signed: ask the homeserver's operator who has altered them"
_KEY, _PASSWORD = "recovery key", "password"


class Identity:
    """Makes the keys if the account has none, else signs our device with those that we have, or that a recovery key
    opens. It never replaces keys that are there: the account's other devices trust them. `unsigned`: why our device is
    not signed; empty if it is."""

    def __init__(
        self,
        network: str,
        homeserver: Homeserver,
        account: Account,
        rows: Rows,
        recovery_key: str | None,
        clock: Callable[[], float],
    ) -> None:
        self.unsigned = "it has not been looked at yet"
        self.tell: Callable[[News], None] = lambda _: None
        """Takes news for admins."""
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._rows = rows
        self._recovery_key = recovery_key
        self._clock = clock
        self._storage = SecretStorage(homeserver, account, rows)
        self._one_at_a_time = asyncio.Lock()  # else two would make different keys

    async def ensure(self, machine: Machine, recovery_key: str | None = None, password: str | None = None) -> None:
        """See to it that our device is signed, with a `recovery_key` or `password` instead of the configured one.
        Raises NotSigned, and what `Homeserver` raises."""
        async with self._one_at_a_time:
            us, there = self._account.us.user, await self._asked()
            published, keys = _published(there, us), self._kept()
            if not published[0]:
                keys = await self._make(machine, keys or [SigningKey.new() for _ in NAMES], password)
            elif _public(keys) != published:
                keys = await self._recovered(published, recovery_key or self._recovery_key, replaced=bool(keys))
            await self._storage.store(keys)
            await self._rows.flush()
            device = table(there, "device_keys", us, machine.device)
            if not is_signed(device, us, keys[1].public, keys[1].public):
                await self._sign(machine, device, keys[1])
            self.unsigned = ""

    async def renew_recovery_key(self) -> None:
        """Let another key open the secret storage, if it is ours. Raises NotSigned, and what `Homeserver` raises. After
        a crash on the way, it is completed by `ensure`."""
        async with self._one_at_a_time:
            keys = self._kept()
            if not keys or _public(keys) != _published(await self._asked(), self._account.us.user):
                reason = _REPLACED if keys else "the account's cross-signing keys are not here"
                raise NotSigned(reason, (_RESET if keys else _MISSING).format(self._network))
            await self._storage.renew(keys)

    async def recovery_key_shown(self) -> None:
        """It is kept no longer: whoever reads the store later does not find it."""
        async with self._one_at_a_time:
            self._storage.forget_key(self._clock())
            await self._rows.flush()

    async def _asked(self) -> Json:
        us = self._account.us.user
        return await self._homeserver.post("keys", "query", body={"device_keys": {us: []}})

    def _kept(self) -> Sequence[SigningKey]:
        """The account's keys; those of another account are forgotten."""
        if self._rows.get(OWNER) not in (None, self._account.us.user):
            self._rows.put(SEEDS, "", None)
            self._storage.forget_key()
        kept = self._rows.get(SEEDS)
        return [SigningKey(bytes.fromhex(seed)) for seed in json.loads(kept)] if kept is not None else ()

    def _keep(self, keys: Sequence[SigningKey]) -> None:
        self._rows.put(SEEDS, "", json.dumps([key.seed.hex() for key in keys]))
        self._rows.put(OWNER, "", self._account.us.user)

    async def _make(self, machine: Machine, keys: Sequence[SigningKey], password: str | None) -> Sequence[SigningKey]:
        """Publish new keys, which are stored before."""
        us, (master, own, users) = self._account.us.user, keys
        is_new = self._rows.get(SEEDS) is None
        self._keep(keys)
        if is_new and not self._storage.has_key:
            await self._storage.new_key()
        await self._rows.flush()
        body: Json = {
            "master_key": machine.sign(master.published(us, "master")),
            "self_signing_key": master.sign(us, own.published(us, "self_signing")),
            "user_signing_key": master.sign(us, users.published(us, "user_signing")),
        }
        try:
            await self._account.confirmed("keys", "device_signing", "upload", body=body, password=password)
        except ApiError as error:
            if error.session:
                has_one = password or self._account.has_password
                reason = _WRONG_PASSWORD if has_one else _NO_PASSWORD
                raise NotSigned(reason, _SETUP.format(self._network), _PASSWORD) from None
            if error.passes or error.logged_out:
                raise
            raise NotSigned(f"the homeserver does not take the account's keys ({error})") from None
        log.info("cross_signing_made", network=self._network, hint=_MADE.format(self._network))
        return keys

    async def _recovered(
        self, published: Sequence[str], recovery_key: str | None, *, replaced: bool
    ) -> Sequence[SigningKey]:
        """The account's keys from its secret storage. `replaced`: we have others. Raises NotSigned if we cannot open
        it, or it has other keys than those that are `published`: a signature with these would count for nothing."""
        hint = (_RESET if replaced else _MISSING).format(self._network)
        if replaced:  # once a day: whoever can reset them once can do so often
            day = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
            self.tell(News(f"own master {day}", _NEWS.format(self._account.us.user, hint)))
        if not recovery_key:
            raise NotSigned(_REPLACED if replaced else _NONE, hint, _KEY)
        try:
            keys = await self._storage.open(recovery_key)
            if _public(keys) != [*published]:
                raise ValueError("the keys in the secret storage are not the account's")
        except ValueError as error:
            raise NotSigned(f"{_REPLACED}, and {error}" if replaced else str(error), hint, _KEY) from None
        self._keep(keys)
        self._storage.forget_key()
        await self._rows.flush()
        return keys

    async def _sign(self, machine: Machine, device: Json, key: SigningKey) -> None:
        """Sign our device as the homeserver shows it, if it is ours: else we would vouch for somebody else's."""
        us = self._account.us.user
        keys = {f"curve25519:{machine.device}": machine.curve25519, f"ed25519:{machine.device}": machine.ed25519}
        if table(device, "keys") != keys or not is_signed(device, us, machine.device, machine.ed25519):
            raise NotSigned(_ALTERED, _UNALTERED)
        signed = key.sign(us, {name: value for name, value in device.items() if name not in ("unsigned", "signatures")})
        answer = await self._homeserver.post("keys", "signatures", "upload", body={us: {machine.device: signed}})
        if table(answer, "failures"):
            raise NotSigned("the homeserver does not take the signature of the bridge's device")
        log.info("device_signed", network=self._network, device=machine.device)


def _public(keys: Sequence[SigningKey]) -> list[str]:
    return [key.public for key in keys]


def _published(there: Json, user: str) -> list[str]:
    """The public cross-signing keys of `user` in an answer to /keys/query, in the order of `NAMES`; an empty one for
    each that is missing."""
    return [_key(table(there, f"{kind}_keys", user)) for kind in NAMES]


def _key(published: Json) -> str:
    """The public key in a published cross-signing key; empty if there is none."""
    keys = table(published, "keys")
    return next((found for name in keys if (found := word(keys, name))), "")
