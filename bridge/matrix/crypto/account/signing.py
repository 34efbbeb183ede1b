"""Cross-signing keys, and the secret storage that keeps them for the account's other devices (spec, "Cross-signing",
"Secrets"). Pure, but for `SigningKey.new` and `seal`, which take random bytes."""

import hmac
import secrets
from typing import Self

from Crypto.Cipher import AES
from Crypto.Hash import SHA256
from Crypto.Protocol.KDF import HKDF
from Crypto.PublicKey import ECC
from Crypto.Signature import eddsa

from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.signatures import canonical
from bridge.matrix.dialect.fields import Json, table, word

STORAGE = "m.secret_storage.v1.aes-hmac-sha2"
NAME = "quackbridge"
"""What we call a key of a secret storage that we have made."""
_SALT = b"\0" * 32
_NO_BIT_63 = 0x7F


class SigningKey:
    """An Ed25519 key; `seed` is its 32 secret bytes, `public` the public key in unpadded base64."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._key = ECC.construct(curve="Ed25519", seed=seed)
        self.public = unpadded.encode(self._key.public_key().export_key(format="raw"))

    @classmethod
    def new(cls) -> Self:
        return cls(secrets.token_bytes(32))

    def sign(self, user: str, signed: Json) -> dict[str, object]:
        """The object with our signature, as `user`, beside those that it has."""
        signature = unpadded.encode(eddsa.new(self._key, "rfc8032").sign(canonical(signed)))
        ours = {**table(signed, "signatures", user), f"ed25519:{self.public}": signature}
        return {**signed, "signatures": {**table(signed, "signatures"), user: ours}}

    def published(self, user: str, usage: str) -> dict[str, object]:
        """It as a cross-signing key of `user` for a `usage`: `master`, `self_signing` or `user_signing`."""
        return {"user_id": user, "usage": [usage], "keys": {f"ed25519:{self.public}": self.public}}


def seal(secret: bytes, name: str, plain: bytes) -> dict[str, object]:
    """Encrypt what secret storage keeps under `name` with its 32 byte key `secret`."""
    iv = bytearray(secrets.token_bytes(16))
    iv[8] &= _NO_BIT_63
    return sealed(secret, name, plain, bytes(iv))


def sealed(secret: bytes, name: str, plain: bytes, iv: bytes) -> dict[str, object]:
    """The same with given initial bytes."""
    aes, mac = _keys(secret, name)
    data = AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=iv).encrypt(plain)
    return {
        "iv": unpadded.encode(iv),
        "ciphertext": unpadded.encode(data),
        "mac": unpadded.encode(hmac.digest(mac, data, "sha256")),
    }


def unseal(secret: bytes, name: str, box: Json) -> bytes:
    """Decrypt what `seal` made, or another client. Raises ValueError if the key is another one."""
    aes, mac = _keys(secret, name)
    data = unpadded.decode(word(box, "ciphertext"))
    if not hmac.compare_digest(hmac.digest(mac, data, "sha256"), unpadded.decode(word(box, "mac"))):
        raise ValueError("the recovery key is another one")
    return AES.new(aes, AES.MODE_CTR, nonce=b"", initial_value=unpadded.decode(word(box, "iv"))).decrypt(data)


def description(secret: bytes) -> dict[str, object]:
    """What is published of the key of a secret storage: whoever has the key can see whether it is this one."""
    proof = seal(secret, "", _SALT)
    return {"algorithm": STORAGE, "name": NAME, "iv": proof["iv"], "mac": proof["mac"]}


def fits(secret: bytes, described: Json) -> bool:
    """Whether it is the key that is described so."""
    try:
        proof = sealed(secret, "", _SALT, unpadded.decode(word(described, "iv")))
        return hmac.compare_digest(unpadded.decode(word(described, "mac")), unpadded.decode(str(proof["mac"])))
    except ValueError:
        return False


def _keys(secret: bytes, name: str) -> tuple[bytes, bytes]:
    first, second = HKDF(secret, 32, _SALT, SHA256, num_keys=2, context=name.encode())
    return bytes(first), bytes(second)
