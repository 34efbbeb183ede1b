"""Our account's cross-signing: with it, others see that our device is the account's own, and need not warn of it."""

import json
import secrets
from collections.abc import Callable, Sequence

import structlog

from bridge.matrix.account import Account
from bridge.matrix.crypto import recovery, signing
from bridge.matrix.crypto.machine import Machine
from bridge.matrix.crypto.rows import SECRET, SEEDS, SHOWN, STORAGE, Rows
from bridge.matrix.crypto.signing import SigningKey
from bridge.matrix.crypto.trust import Device, devices
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.network import NotSigned

log = structlog.get_logger()

_NAMES = ("master", "self_signing", "user_signing")
_MISSING = (
    "the account's cross-signing keys are not here, and clients warn of the bridge's messages. Run `quackbridge"
    " matrix-setup {}` with the recovery key, which it or the client that made the keys has shown"
)
_MADE = "write down the recovery key: `quackbridge matrix-setup {}` shows it, once. A restored bridge needs it"
_NO_PASSWORD = "the homeserver wants the account's password for it: run `quackbridge matrix-setup {}`"  # noqa: S105
_OTHERS = "another client has set up the account's secret storage: its recovery key is the account's"
_FOREIGN = "the homeserver shows other keys of our device than it has: nothing is signed"
_STORAGES = 20
"""Most names of keys of the secret storage that are remembered."""
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
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._rows = rows
        self._recovery_key = recovery_key
        self._clock = clock

    async def ensure(self, machine: Machine, recovery_key: str | None = None, password: str | None = None) -> None:
        """See to it that our device is signed, with a `recovery_key` or `password` instead of the configured one.
        Raises NotSigned, and what `Homeserver` raises."""
        us = self._account.us.user
        there = await self._homeserver.post("keys", "query", body={"device_keys": {us: []}})
        master = _key(table(there, "master_keys", us))
        keys = self._kept()
        if not master:
            keys = await self._make(machine, keys or [SigningKey.new() for _ in _NAMES], password)
        elif not keys or keys[0].public != master:
            keys = await self._recovered(master, recovery_key or self._recovery_key)
        await self._store(keys)
        device = table(there, "device_keys", us, machine.device)
        if not word(table(device, "signatures", us), f"ed25519:{keys[1].public}"):
            await self._sign(machine, device, keys[1])
        self.unsigned = ""

    async def renew_recovery_key(self) -> None:
        """Let another key open the secret storage, if it is ours. Raises NotSigned, and what `Homeserver` raises. After
        a crash on the way, it is completed by `ensure`."""
        keys = self._kept()
        default = word(await self._data("m.secret_storage.default_key"), "key")
        if not keys:
            raise NotSigned("the account's cross-signing keys are not here", _MISSING.format(self._network))
        if default and not await self._is_ours(default):
            raise NotSigned(_OTHERS)
        await self._keep_secret([*self._storages(), *([default] if default else [])])
        await self._store(keys)

    async def recovery_key_shown(self) -> None:
        """It is kept no longer: whoever reads the store later does not find it."""
        self._rows.put(SECRET, "", None)
        self._rows.put(SHOWN, "", repr(self._clock()))
        await self._rows.flush()

    def _kept(self) -> Sequence[SigningKey]:
        kept = self._rows.get(SEEDS)
        return [SigningKey(bytes.fromhex(seed)) for seed in json.loads(kept)] if kept is not None else ()

    def _keep(self, keys: Sequence[SigningKey]) -> None:
        self._rows.put(SEEDS, "", json.dumps([key.seed.hex() for key in keys]))

    def _storages(self) -> list[str]:
        """The names of our keys of the secret storage, the newest last."""
        return [*json.loads(self._rows.get(STORAGE) or "[]")]

    async def _keep_secret(self, before: Sequence[str]) -> None:
        """Make a key of the secret storage, and store it before anything is encrypted for it."""
        self._rows.put(SECRET, "", secrets.token_hex(32))
        self._rows.put(SHOWN, "", None)
        self._rows.put(STORAGE, "", json.dumps([*dict.fromkeys(before), secrets.token_hex(12)][-_STORAGES:]))
        await self._rows.flush()

    async def _make(self, machine: Machine, keys: Sequence[SigningKey], password: str | None) -> Sequence[SigningKey]:
        """Publish new keys, which are stored before."""
        us, (master, own, users) = self._account.us.user, keys
        self._keep(keys)
        if self._rows.get(SECRET) is None:
            await self._keep_secret(())
        await self._rows.flush()
        body: Json = {
            "master_key": machine.sign(master.published(us, "master")),
            "self_signing_key": master.sign(us, own.published(us, "self_signing")),
            "user_signing_key": master.sign(us, users.published(us, "user_signing")),
        }
        try:
            await self._account.confirmed("keys", "device_signing", "upload", body=body, password=password)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            needs = _PASSWORD if error.session else ""
            raise NotSigned(str(error), _NO_PASSWORD.format(self._network), needs) from None
        log.info("cross_signing_made", network=self._network, hint=_MADE.format(self._network))
        return keys

    async def _store(self, keys: Sequence[SigningKey]) -> None:
        """Put the keys into secret storage, if a key of ours waits to be shown that does not open it yet. A storage of
        another client is not touched."""
        secret = bytes.fromhex(self._rows.get(SECRET) or "")
        default = word(await self._data("m.secret_storage.default_key"), "key")
        if not secret or (default and default in self._storages()[-1:]):
            return
        if default and signing.fits(secret, await self._data(f"m.secret_storage.key.{default}")):
            self._rows.put(STORAGE, "", json.dumps([default]))  # an earlier version kept no names
            return
        if default and default not in self._storages():
            self._rows.put(SECRET, "", None)  # another client's: our key opens nothing
            return
        if not self._storages():
            self._rows.put(STORAGE, "", json.dumps([secrets.token_hex(12)]))
            await self._rows.flush()
        await self._write_storage(self._storages()[-1], secret, keys)

    async def _write_storage(self, name: str, secret: bytes, keys: Sequence[SigningKey]) -> None:
        """Until its last step the key before opens it."""
        await self._put(f"m.secret_storage.key.{name}", signing.description(secret))
        boxes = {}
        for kind, key in zip(_NAMES, keys, strict=True):
            kept = f"m.cross_signing.{kind}"
            boxes[kept] = {name: signing.seal(secret, kept, signing.text(key.seed).encode())}
            before = table(await self._data(kept), "encrypted")
            await self._put(kept, {"encrypted": {**before, **boxes[kept]}})
        await self._put("m.secret_storage.default_key", {"key": name})
        for kept, box in boxes.items():
            await self._put(kept, {"encrypted": box})

    async def _is_ours(self, name: str) -> bool:
        described = await self._data(f"m.secret_storage.key.{name}")
        return name in self._storages() or word(described, "name") == signing.NAME

    async def _recovered(self, master: str, recovery_key: str | None) -> Sequence[SigningKey]:
        """The account's keys from its secret storage. Raises NotSigned if we cannot open it."""
        hint = _MISSING.format(self._network)
        if not recovery_key:
            raise NotSigned("there is no recovery key", hint, _KEY)
        try:
            secret = recovery.read(recovery_key)
            name = word(await self._data("m.secret_storage.default_key"), "key")
            if not name:
                raise ValueError("the account has no secret storage: set it up in the client that made the keys")
            if not signing.fits(secret, await self._data(f"m.secret_storage.key.{name}")):
                raise ValueError("the recovery key is another one")
            keys = [SigningKey(await self._opened(secret, name, kind)) for kind in _NAMES]
            if keys[0].public != master:
                raise ValueError("the keys in the secret storage are not the account's")
        except ValueError as error:
            raise NotSigned(str(error), hint, _KEY) from None
        self._keep(keys)
        self._rows.put(SECRET, "", None)
        await self._rows.flush()
        return keys

    async def _opened(self, secret: bytes, name: str, kind: str) -> bytes:
        kept = f"m.cross_signing.{kind}"
        box = table(await self._data(kept), "encrypted", name)
        seed = recovery.unpadded(signing.unseal(secret, kept, box).decode())
        if len(seed) != 32:
            raise ValueError("the secret storage has no key")
        return seed

    async def _sign(self, machine: Machine, device: Json, key: SigningKey) -> None:
        us = self._account.us.user
        ours = Device(us, machine.device, machine.curve25519, machine.ed25519)
        if ours not in devices({"device_keys": {us: {machine.device: device}}}, us):
            raise NotSigned(_FOREIGN)  # our signature would vouch for whatever the homeserver likes
        signed = key.sign(us, {name: value for name, value in device.items() if name not in ("unsigned", "signatures")})
        answer = await self._homeserver.post("keys", "signatures", "upload", body={us: {machine.device: signed}})
        if table(answer, "failures"):
            raise NotSigned("the homeserver does not take the signature of our device")
        log.info("device_signed", network=self._network, device=machine.device)

    async def _data(self, kind: str) -> Json:
        """Account data; empty if there is none."""
        try:
            return await self._homeserver.get("user", self._account.us.user, "account_data", kind)
        except ApiError as error:
            if error.code == "M_NOT_FOUND":
                return {}
            raise

    async def _put(self, kind: str, content: Json) -> None:
        await self._homeserver.put("user", self._account.us.user, "account_data", kind, body=content)


def _key(published: Json) -> str:
    """The public key in a published cross-signing key; empty if there is none."""
    return next((key for key in table(published, "keys").values() if isinstance(key, str)), "")
