"""Whose keys are whose: signatures of devices and one-time keys (spec, "Signing JSON", "Device keys"). Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import vodozemac

from bridge.matrix.dialect.fields import Json, table, word

ALGORITHM = "m.megolm.v1.aes-sha2"
"""How messages of a room are sealed (spec, "m.megolm.v1.aes-sha2")."""
ONE_TIME = "signed_curve25519"
_MOST = 500
"""Most devices of a person that are looked at: each takes a signature check, and anybody can make up thousands."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of `user`; `curve25519` and `ed25519` are its public keys (unpadded base64)."""

    user: str
    id: str
    curve25519: str
    ed25519: str


def devices(answer: Json, user: str) -> Iterator[Device]:
    """The devices of `user` in an answer to /keys/query: those that are what they say they are, by their own
    signature."""
    there = table(answer, "device_keys", user)
    for device_id in [*there][:_MOST]:
        keys = table(there, device_id)
        curve, ed = (
            word(table(keys, "keys"), f"curve25519:{device_id}"),
            word(table(keys, "keys"), f"ed25519:{device_id}"),
        )
        named = (word(keys, "user_id"), word(keys, "device_id")) == (user, device_id)
        if named and is_key(curve) and is_signed(keys, user, device_id, ed):
            yield Device(user, device_id, curve, ed)


def is_signed(signed: Json, user: str, key_id: str, ed25519: str) -> bool:
    """Whether `user` has signed an object with the key `ed25519`, named `key_id` there."""
    signature = word(table(signed, "signatures", user), f"ed25519:{key_id}")
    try:
        key = vodozemac.Ed25519PublicKey.from_base64(ed25519)
        key.verify_signature(canonical(signed), vodozemac.Ed25519Signature.from_base64(signature))
    except (ValueError, RecursionError):
        return False
    return True


def is_key(curve25519: str) -> bool:
    """Whether it is a Curve25519 key at all."""
    try:
        vodozemac.Curve25519PublicKey.from_base64(curve25519)
    except ValueError:
        return False
    return True


def canonical(signed: Json) -> bytes:
    """What is signed of an object (spec, "Canonical JSON")."""
    kept = {key: value for key, value in signed.items() if key not in ("signatures", "unsigned")}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(errors="replace")
