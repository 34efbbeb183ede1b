"""Whose keys are whose: signatures of devices and one-time keys (spec, "Signing JSON", "Device keys"). Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import vodozemac

from bridge.matrix.dialect.fields import Json, table, values, word

ALGORITHM = "m.megolm.v1.aes-sha2"
"""How messages of a room are sealed (spec, "m.megolm.v1.aes-sha2")."""
ONE_TIME = "signed_curve25519"
Pair = tuple[str, str]
"""A user's id, and the id of a device of theirs."""

_MOST = 500
"""Most devices of a person that are looked at: each takes a signature check, and anybody can make up thousands."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of `user`; `curve25519` and `ed25519` are its public keys (unpadded base64). `signed`: its owner has
    signed it, by their cross-signing keys."""

    user: str
    id: str
    curve25519: str
    ed25519: str
    signed: bool = False


def master_key(answer: Json, user: str) -> str:
    """The master key of `user` in an answer to /keys/query; empty if there is none."""
    return _published(table(answer, "master_keys", user), user, "master")


def devices(answer: Json, user: str) -> Iterator[Device]:
    """The devices of `user` in an answer to /keys/query: those that are what they say they are, by their own
    signature."""
    there = table(answer, "device_keys", user)
    own = _self_signing_key(answer, user)
    for device_id in [*there][:_MOST]:
        keys = table(there, device_id)
        curve, ed = (
            word(table(keys, "keys"), f"curve25519:{device_id}"),
            word(table(keys, "keys"), f"ed25519:{device_id}"),
        )
        named = (word(keys, "user_id"), word(keys, "device_id")) == (user, device_id)
        if named and is_key(curve) and is_signed(keys, user, device_id, ed):
            yield Device(user, device_id, curve, ed, bool(own) and is_signed(keys, user, own, own))


def _self_signing_key(answer: Json, user: str) -> str:
    """The key with which `user` signs their devices; empty if there is none, or their master key has not signed it."""
    keys, master = table(answer, "self_signing_keys", user), master_key(answer, user)
    return _published(keys, user, "self_signing") if master and is_signed(keys, user, master, master) else ""


def _published(keys: Json, user: str, usage: str) -> str:
    """The public key of `user` in a published cross-signing key for that `usage`; empty if it is none."""
    if word(keys, "user_id") != user or usage not in values(keys, "usage"):
        return ""
    there = table(keys, "keys")
    return next((key for name in there if (key := word(there, name)) and name == f"ed25519:{key}"), "")


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
