"""Our account's cross-signing: with it, others see that our device is the account's own, and need not warn of it."""

import json
import secrets
from collections.abc import Sequence

import structlog

from bridge.matrix.account import Account
from bridge.matrix.crypto import recovery, signing
from bridge.matrix.crypto.machine import Machine
from bridge.matrix.crypto.rows import SECRET, SEEDS, Rows
from bridge.matrix.crypto.signing import SigningKey
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Homeserver

log = structlog.get_logger()

_NAMES = ("master", "self_signing", "user_signing")
_MISSING = (
    "the account's cross-signing keys are not here: clients warn of the bridge's messages. Put the recovery key, which"
    " `quackbridge matrix-setup` or the client that made them has shown, into `recovery_key_file`; restart the bridge"
)
_MADE = "write down the recovery key: `quackbridge matrix-setup {}` shows it. A restored bridge needs it"
_NO_PASSWORD = "the homeserver wants the password for it: put the password into the configuration, once"  # noqa: S105


class Identity:
    """Makes the keys if the account has none, else signs our device with those that we have, or that `recovery_key`
    opens. It never replaces keys that are there: the account's other devices trust them."""

    def __init__(
        self, network: str, homeserver: Homeserver, account: Account, rows: Rows, recovery_key: str | None
    ) -> None:
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._rows = rows
        self._recovery_key = recovery_key

    async def ensure(self, machine: Machine) -> None:
        """See to it that our device is signed. Raises what `Homeserver` raises."""
        us = self._account.us.user
        there = await self._homeserver.post("keys", "query", body={"device_keys": {us: []}})
        master = _key(table(there, "master_keys", us))
        keys = self._kept()
        if not master:
            keys = await self._make(machine, keys or [SigningKey.new() for _ in _NAMES])
        elif not keys or keys[0].public != master:
            keys = await self._recovered(master)
        if not keys:
            return
        await self._store(keys)
        device = table(there, "device_keys", us, machine.device)
        if not word(table(device, "signatures", us), f"ed25519:{keys[1].public}"):
            await self._sign(machine, device, keys[1])

    def _kept(self) -> Sequence[SigningKey]:
        kept = self._rows.get(SEEDS)
        return [SigningKey(bytes.fromhex(seed)) for seed in json.loads(kept)] if kept is not None else ()

    async def _keep(self, keys: Sequence[SigningKey], secret: bytes) -> None:
        self._rows.put(SEEDS, "", json.dumps([key.seed.hex() for key in keys]))
        self._rows.put(SECRET, "", secret.hex())
        await self._rows.flush()

    async def _make(self, machine: Machine, keys: Sequence[SigningKey]) -> Sequence[SigningKey]:
        """Publish new keys, which are stored before. Returns none if the homeserver does not let us."""
        us, (master, own, users) = self._account.us.user, keys
        await self._keep(keys, bytes.fromhex(self._rows.get(SECRET) or secrets.token_hex(32)))
        body: Json = {
            "master_key": machine.sign(master.published(us, "master")),
            "self_signing_key": master.sign(us, own.published(us, "self_signing")),
            "user_signing_key": master.sign(us, users.published(us, "user_signing")),
        }
        try:
            await self._account.confirmed("keys", "device_signing", "upload", body=body)
        except ApiError as error:
            if error.passes or error.logged_out:
                raise
            log.warning("not_verified", network=self._network, reason=str(error), hint=_NO_PASSWORD)
            return ()
        log.info("cross_signing_made", network=self._network, hint=_MADE.format(self._network))
        return keys

    async def _store(self, keys: Sequence[SigningKey]) -> None:
        """Put the keys into secret storage, under a key of our own. A storage that is there is not touched."""
        secret = bytes.fromhex(self._rows.get(SECRET) or "")
        if not secret:
            return
        if name := word(await self._data("m.secret_storage.default_key"), "key"):
            if not signing.fits(secret, await self._data(f"m.secret_storage.key.{name}")):
                self._rows.put(SECRET, "", None)  # another client's: our key opens nothing
            return
        name = secrets.token_hex(12)
        await self._put(f"m.secret_storage.key.{name}", signing.description(secret))
        for kind, key in zip(_NAMES, keys, strict=True):
            kept = f"m.cross_signing.{kind}"
            box = signing.seal(secret, kept, signing.text(key.seed).encode())
            await self._put(kept, {"encrypted": {name: box}})
        await self._put("m.secret_storage.default_key", {"key": name})

    async def _recovered(self, master: str) -> Sequence[SigningKey]:
        """The account's keys from its secret storage; none, and why in the log, if we cannot open it."""
        try:
            secret = recovery.read(self._recovery_key or "")
            name = word(await self._data("m.secret_storage.default_key"), "key")
            if not signing.fits(secret, await self._data(f"m.secret_storage.key.{name}")):
                raise ValueError("the recovery key is another one")
            keys = [SigningKey(await self._opened(secret, name, kind)) for kind in _NAMES]
            if keys[0].public != master:
                raise ValueError("the keys in the secret storage are not the account's")
        except ValueError as error:
            reason = str(error) if self._recovery_key else "there is no recovery key"
            log.warning("not_verified", network=self._network, reason=reason, hint=_MISSING)
            return ()
        await self._keep(keys, secret)
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
        signed = key.sign(us, {name: value for name, value in device.items() if name not in ("unsigned", "signatures")})
        answer = await self._homeserver.post("keys", "signatures", "upload", body={us: {machine.device: signed}})
        if table(answer, "failures"):
            log.warning("not_verified", network=self._network, reason="the homeserver does not take the signature")
        else:
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
