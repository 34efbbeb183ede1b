"""The secret storage of our account: keeps the seeds of its cross-signing keys at the homeserver, under a recovery key
(spec, "Secret storage"). The homeserver is not trusted: it can destroy what it keeps, and not read it."""

import json
import secrets
from collections.abc import Sequence

from bridge.matrix.account import Account
from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.account import recovery_key as written
from bridge.matrix.crypto.account import signing
from bridge.matrix.crypto.account.signing import SigningKey
from bridge.matrix.crypto.rows import SECRET, SHOWN, STORAGE, Rows
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.http.homeserver import ApiError, Homeserver
from bridge.network import NotSigned

NAMES = ("master", "self_signing", "user_signing")
"""The cross-signing keys of an account, in the order in which we keep them."""
_DEFAULT = "m.secret_storage.default_key"
_OTHERS = "another client has set up the account's secret storage: its recovery key is the account's"
_MOST = 20
"""Most names of keys of the secret storage that are remembered."""
_LONGEST = 1_000
"""Most characters of what is kept for one seed, which has 43: a homeserver may make up any number."""


class SecretStorage:
    """`rows` keep a recovery key until it was shown, and the names of ours at the homeserver. All methods that ask the
    homeserver raise what `Homeserver` raises."""

    def __init__(self, homeserver: Homeserver, account: Account, rows: Rows) -> None:
        self._homeserver = homeserver
        self._account = account
        self._rows = rows

    @property
    def has_key(self) -> bool:
        """Whether a recovery key of ours waits to be shown."""
        return self._rows.get(SECRET) is not None

    async def new_key(self, before: Sequence[str] = ()) -> None:
        """Make a recovery key, and store it before anything is encrypted for it. `before` names those of earlier."""
        self._rows.put(SECRET, "", secrets.token_hex(32))
        self._rows.put(SHOWN, "", None)
        self._keep_names([*dict.fromkeys(before), secrets.token_hex(12)])
        await self._rows.flush()

    async def renew(self, keys: Sequence[SigningKey]) -> None:
        """Let another recovery key open it, if it is ours. Raises NotSigned. After a crash on the way, the recovery key
        before opens it until `store` completes it."""
        default = await self._default()
        if default and not await self._is_ours(default):
            raise NotSigned(_OTHERS)
        await self.new_key([*self._names(), *([default] if default else [])])
        await self.store(keys)

    async def store(self, keys: Sequence[SigningKey]) -> None:
        """Put the seeds into it, if a recovery key of ours waits to be shown that does not open it yet. The storage of
        another client is not touched."""
        if not (secret := bytes.fromhex(self._rows.get(SECRET) or "")):
            return
        default = await self._default()
        if default and default in self._names()[-1:]:
            return
        if default and signing.fits(secret, await self._data(f"m.secret_storage.key.{default}")):
            self._keep_names([default])  # an earlier version kept no names
        elif default and default not in self._names():
            self._rows.put(SECRET, "", None)  # another client's: our key opens nothing
        else:
            if not self._names():
                self._keep_names([secrets.token_hex(12)])
                await self._rows.flush()
            await self._write(self._names()[-1], secret, keys)

    async def open(self, recovery_key: str) -> list[SigningKey]:
        """The keys whose seeds are in it. Raises ValueError if that recovery key does not open it."""
        secret, name = written.read(recovery_key), await self._default()
        if not name:
            raise ValueError("the account has no secret storage: set it up in the client that made the keys")
        described = await self._data(f"m.secret_storage.key.{name}")
        if word(described, "algorithm") != signing.STORAGE:
            raise ValueError("the account's secret storage is missing, or of a kind that the bridge does not know")
        if not signing.fits(secret, described):
            raise ValueError("the recovery key is another one")
        return [SigningKey(await self._seed(secret, name, f"m.cross_signing.{kind}")) for kind in NAMES]

    def forget_key(self, shown_at: float | None = None) -> None:
        """Keep the recovery key no longer: it was shown, or somebody has another."""
        self._rows.put(SECRET, "", None)
        self._rows.put(SHOWN, "", repr(shown_at) if shown_at is not None else None)

    async def _seed(self, secret: bytes, name: str, kept: str) -> bytes:
        box = table(await self._data(kept), "encrypted", name)
        if not box or len(word(box, "ciphertext")) > _LONGEST:
            raise ValueError("the account's cross-signing keys are not in its secret storage")
        try:
            seed = unpadded.decode(signing.unseal(secret, kept, box).decode())
        except ValueError:
            raise ValueError("what is in the account's secret storage is damaged") from None
        if len(seed) != 32:
            raise ValueError("what is in the account's secret storage is damaged")
        return seed

    async def _write(self, name: str, secret: bytes, keys: Sequence[SigningKey]) -> None:
        """Until its last step the key before opens it."""
        await self._put(f"m.secret_storage.key.{name}", signing.description(secret))
        boxes = {}
        for kind, key in zip(NAMES, keys, strict=True):
            kept = f"m.cross_signing.{kind}"
            boxes[kept] = {name: signing.seal(secret, kept, unpadded.encode(key.seed).encode())}
            before = table(await self._data(kept), "encrypted")
            await self._put(kept, {"encrypted": {**before, **boxes[kept]}})
        await self._put(_DEFAULT, {"key": name})
        for kept, box in boxes.items():
            await self._put(kept, {"encrypted": box})

    async def _is_ours(self, name: str) -> bool:
        described = await self._data(f"m.secret_storage.key.{name}")
        return name in self._names() or word(described, "name") == signing.NAME

    def _names(self) -> list[str]:
        """The names of our recovery keys, the newest last."""
        return [*json.loads(self._rows.get(STORAGE) or "[]")]

    def _keep_names(self, names: Sequence[str]) -> None:
        self._rows.put(STORAGE, "", json.dumps(names[-_MOST:]))

    async def _default(self) -> str:
        """The name of the key that opens it; empty if there is no secret storage."""
        return word(await self._data(_DEFAULT), "key")

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
