"""The side that asks to compare emoji, written after the specification with none of our code (spec, "Short
Authentication String (SAS) verification")."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import vodozemac

METHOD = "m.sas.v1"
OFFERS: Mapping[str, list[str]] = {
    "key_agreement_protocols": ["curve25519-hkdf-sha256", "curve25519"],
    "hashes": ["sha256"],
    "message_authentication_codes": ["hkdf-hmac-sha256.v2", "hkdf-hmac-sha256", "hmac-sha256"],
    "short_authentication_string": ["decimal", "emoji"],
}
Content = dict[str, Any]


class Asker:
    """`user` at `device`, whose lasting `keys` have names (`ed25519:DEVICE`). `transaction` and what `places` a message
    in it: for to-device messages the transaction's id in the content, in rooms a relation. `theirs` are the keys that
    the homeserver shows of the other side."""

    def __init__(self, user: str, device: str, keys: Mapping[str, str], other: str) -> None:
        self.user, self.device, self.keys, self.other = user, device, dict(keys), other
        self.transaction = ""
        self.places: Content = {}
        self.theirs: dict[str, str] = {}
        self.their_device = ""
        self.emoji: list[int] = []
        self.numbers: tuple[int, ...] = ()
        self.vouched: dict[str, str] = {}
        self._sas = vodozemac.Sas()
        self._public = self._sas.public_key.to_base64()
        self._shared: vodozemac.EstablishedSas | None = None
        self._start: Content = {}
        self._commitment = ""

    def request(self, **more: Any) -> Content:
        return {"from_device": self.device, "methods": ["m.qr_code.scan.v1", METHOD], **self.places, **more}

    def start(self, ready: Mapping[str, Any], **more: Any) -> Content:
        """The answer to `ready`."""
        assert METHOD in ready["methods"]
        self.their_device = ready["from_device"]
        self._start = {"from_device": self.device, "method": METHOD, **OFFERS, **self.places, **more}
        return self._start

    def key(self, accept: Mapping[str, Any]) -> Content:
        """The answer to `accept`."""
        expected = [METHOD, "curve25519-hkdf-sha256", "sha256", "hkdf-hmac-sha256.v2"]
        names = ("method", "key_agreement_protocol", "hash", "message_authentication_code")
        assert [accept[name] for name in names] == expected
        assert set(accept["short_authentication_string"]) <= {"decimal", "emoji"}
        self._commitment = accept["commitment"]
        return {"key": self._public, **self.places}

    def show(self, key: Mapping[str, Any]) -> None:
        """See the emoji, once the other side's `key` is there and is the one that was committed to."""
        text = json.dumps(self._start, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256((key["key"] + text).encode()).digest()
        assert b64encode(digest).decode().rstrip("=") == self._commitment, "m.mismatched_commitment"
        self._shared = self._sas.diffie_hellman(vodozemac.Curve25519PublicKey.from_base64(key["key"]))
        mine = f"{self.user}|{self.device}|{self._public}"
        yours = f"{self.other}|{self.their_device}|{key['key']}"
        found = self._shared.bytes(f"MATRIX_KEY_VERIFICATION_SAS|{mine}|{yours}|{self.transaction}")
        self.emoji, self.numbers = [*found.emoji_indices], found.decimals

    def mac(self) -> Content:
        """Sent once the person says that the emoji are the same."""
        assert self._shared is not None
        info = f"MATRIX_KEY_VERIFICATION_MAC{self.user}{self.device}{self.other}{self.their_device}{self.transaction}"
        macs = {name: self._shared.calculate_mac(key, info + name) for name, key in self.keys.items()}
        names = ",".join(sorted(self.keys))
        return {"mac": macs, "keys": self._shared.calculate_mac(names, f"{info}KEY_IDS"), **self.places}

    def check(self, mac: Mapping[str, Any]) -> None:
        """Check what vouches for the other side's keys. Raises ValueError."""
        assert self._shared is not None
        info = f"MATRIX_KEY_VERIFICATION_MAC{self.other}{self.their_device}{self.user}{self.device}{self.transaction}"
        self._shared.verify_mac(",".join(sorted(mac["mac"])), f"{info}KEY_IDS", mac["keys"])
        for name, tag in mac["mac"].items():
            self._shared.verify_mac(self.theirs[name], info + name, tag)
        self.vouched = {name: self.theirs[name] for name in mac["mac"]}

    def done(self) -> Content:
        return {**self.places}
