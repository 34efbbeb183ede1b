"""Encrypted files as a Matrix client makes them (spec, "Sending encrypted attachments")."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

KEY, IV = bytes(range(100, 132)), bytes(range(8)) + bytes(8)
_OCT = {"kty": "oct", "key_ops": ["encrypt", "decrypt"], "alg": "A256CTR", "ext": True}


def sealed(data: bytes, uri: str = "mxc://hs/a") -> tuple[bytes, dict[str, Any]]:
    """The encrypted bytes of `data`, and the `file` that names them."""
    encryptor = Cipher(AES(KEY), CTR(IV)).encryptor()
    encrypted = encryptor.update(data)
    return encrypted, {
        "url": uri,
        "key": _OCT | {"k": _bare(urlsafe_b64encode(KEY))},
        "iv": _bare(b64encode(IV)),
        "hashes": {"sha256": _bare(b64encode(hashlib.sha256(encrypted).digest()))},
        "v": "v2",
    }


def _bare(encoded: bytes) -> str:
    return encoded.decode().rstrip("=")
