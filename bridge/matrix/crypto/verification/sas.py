"""Verification by comparing emoji, as the one who is asked: what is answered to what (spec, "Key verification
framework", "Short Authentication String (SAS) verification"). No I/O.

The normal course: they `request`, we are `ready`; they `start`, we `accept`; they send their `key`, we ours, and both
sides show the emoji that follow from both keys. Whoever sees the same on both sides lets their client send a `mac`,
which vouches for that side's lasting keys. Each side checks the other's, and is `done`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType

import vodozemac

from bridge.matrix.crypto import unpadded
from bridge.matrix.crypto.signatures import canonical
from bridge.matrix.crypto.verification.emoji import EMOJI
from bridge.matrix.dialect.fields import Json, table, values, word

METHOD = "m.sas.v1"
_WAYS = (
    ("key_agreement_protocols", "key_agreement_protocol", "curve25519-hkdf-sha256"),
    ("hashes", "hash", "sha256"),
    ("message_authentication_codes", "message_authentication_code", "hkdf-hmac-sha256.v2"),
)
"""What we take from the offers of a `start`, under which key we say so, and the way itself: older ones are weaker."""
_SHOWS = ("decimal", "emoji")
"""What people may be shown. Everybody has to offer numbers."""


class Code(StrEnum):
    """Why a comparison was cancelled (spec, `m.key.verification.cancel`)."""

    USER = "m.user"
    TIMEOUT = "m.timeout"
    UNKNOWN_TRANSACTION = "m.unknown_transaction"
    UNKNOWN_METHOD = "m.unknown_method"
    UNEXPECTED = "m.unexpected_message"
    KEY_MISMATCH = "m.key_mismatch"
    USER_MISMATCH = "m.user_mismatch"
    INVALID = "m.invalid_message"
    MISMATCHED_SAS = "m.mismatched_sas"


REASONS: Mapping[Code, str] = MappingProxyType(
    {
        Code.USER: "the bridge does not compare emoji now",
        Code.TIMEOUT: "it took too long",
        Code.UNKNOWN_TRANSACTION: "the bridge knows nothing of this verification: begin again",
        Code.UNKNOWN_METHOD: "the bridge can only compare emoji, in the way of the present specification",
        Code.UNEXPECTED: "this was not expected now",
        Code.KEY_MISMATCH: "the keys are not those that the homeserver shows",
        Code.USER_MISMATCH: "this is another device than the one that has asked",
        Code.INVALID: "this makes no sense",
        Code.MISMATCHED_SAS: "the emoji are not the same",
    }
)
"""What each of our cancellations says to the other side."""


@dataclass(frozen=True, slots=True)
class Side:
    """A device of `user`, and the lasting keys of both, by their names (`ed25519:DEVICE`, `ed25519:MASTER KEY`)."""

    user: str
    device: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """To be sent to the other side: its type is `m.key.verification.KIND`."""

    kind: str
    content: Json


@dataclass(frozen=True, slots=True)
class Shown:
    """What people compare: seven emoji with their names, and three numbers, which say the same."""

    emoji: tuple[tuple[str, str], ...]
    numbers: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class End:
    """How it ended: with the `code` of a cancellation, ours or `by_them`; without, both sides are done."""

    code: str = ""
    by_them: bool = False


class _Wrong(Exception):
    """What they sent ends it."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code = code


class _Step(Enum):
    READY = auto()
    ACCEPTED = auto()
    SHOWN = auto()
    DONE = auto()
    """Both have vouched for their keys, and we are done."""


class Exchange:
    """One comparison, from our `ready` on. Feed it what the other device sends (`hear`) and what an admin says
    (`answer`), and send what they return. Our `mac` goes out after a yes only. `end`: None while it goes on. `proven`:
    those of their keys for which their `mac` vouches."""

    def __init__(self, transaction: str, ours: Side, theirs: Side) -> None:
        self.theirs = theirs
        self.shown: Shown | None = None
        self.end: End | None = None
        self.proven: Mapping[str, str] = {}
        self.is_answered = False
        self._ours = ours
        self._transaction = transaction
        self._step = _Step.READY
        self._sas = vodozemac.Sas()
        self._key = self._sas.public_key.to_base64()
        self._shared: vodozemac.EstablishedSas | None = None

    @property
    def waits(self) -> bool:
        """Whether an admin has to say if the emoji are the same."""
        return self.shown is not None and not self.is_answered and self.end is None

    def ready(self, request: Json) -> Sequence[Message]:
        """Begin, with the content of their request."""
        if METHOD not in values(request, "methods"):
            return self.cancel(Code.UNKNOWN_METHOD)
        return (Message("ready", {"from_device": self._ours.device, "methods": [METHOD]}),)

    def hear(self, kind: str, content: Json) -> Sequence[Message]:
        """They have sent a message of that `kind`."""
        steps: Mapping[str, Callable[[Json], Sequence[Message]]] = {
            "cancel": self._cancelled,
            "start": self._start,
            "key": self._their_key,
            "mac": self._their_mac,
            "done": self._done,
        }
        if self.end is not None:
            return ()
        try:
            if kind not in steps:
                raise _Wrong(Code.UNEXPECTED)
            return steps[kind](content)
        except _Wrong as wrong:
            return self.cancel(wrong.code)

    def answer(self, *, same: bool) -> Sequence[Message]:
        """An admin says whether both sides show the same. Only while it `waits`."""
        if not self.waits:
            return ()
        self.is_answered = True
        if not same:
            return self.cancel(Code.MISMATCHED_SAS)
        return (self._our_mac(), *self._done_if_proven())

    def cancel(self, code: Code) -> Sequence[Message]:
        """End it, and tell the other side why."""
        if self.end is not None:
            return ()
        self.end = End(code)
        return (Message("cancel", {"code": code, "reason": REASONS[code]}),)

    def _cancelled(self, content: Json) -> Sequence[Message]:
        self.end = End(word(content, "code") or Code.USER, by_them=True)
        return ()

    def _start(self, content: Json) -> Sequence[Message]:
        self._expect(_Step.READY)
        if word(content, "from_device") != self.theirs.device:
            raise _Wrong(Code.USER_MISMATCH)
        offered = all(way in values(content, offers) for offers, _, way in _WAYS)
        shown = [way for way in _SHOWS if way in values(content, "short_authentication_string")]
        if word(content, "method") != METHOD or not offered or "decimal" not in shown:
            raise _Wrong(Code.UNKNOWN_METHOD)
        try:
            commitment = hashlib.sha256(self._key.encode() + canonical(content)).digest()
        except (ValueError, RecursionError):
            raise _Wrong(Code.INVALID) from None
        self._step = _Step.ACCEPTED
        ways = {name: way for _, name, way in _WAYS}
        said = {"method": METHOD, "commitment": unpadded.encode(commitment), "short_authentication_string": shown}
        return (Message("accept", {**said, **ways}),)

    def _their_key(self, content: Json) -> Sequence[Message]:
        self._expect(_Step.ACCEPTED)
        try:
            key = vodozemac.Curve25519PublicKey.from_base64(word(content, "key"))
            self._shared = self._sas.diffie_hellman(key)
        except ValueError:  # not 32 bytes, or one with which the secret would be known to everybody
            raise _Wrong(Code.INVALID) from None
        they, we = self.theirs, self._ours
        sides = (they.user, they.device, key.to_base64(), we.user, we.device, self._key)  # they sent `start`
        found = self._shared.bytes("|".join(("MATRIX_KEY_VERIFICATION_SAS", *sides, self._transaction)))
        self.shown = Shown(tuple(EMOJI[number] for number in found.emoji_indices), found.decimals)
        self._step = _Step.SHOWN
        return (Message("key", {"key": self._key}),)

    def _their_mac(self, content: Json) -> Sequence[Message]:
        """It may come before an admin has answered: people are not equally quick."""
        self._expect(_Step.SHOWN)
        if self.proven:
            raise _Wrong(Code.UNEXPECTED)
        macs = table(content, "mac")
        named = {name: key for name, key in self.theirs.keys.items() if name in macs}
        if f"ed25519:{self.theirs.device}" not in named:
            raise _Wrong(Code.KEY_MISMATCH)
        self._check("KEY_IDS", ",".join(sorted(macs)), word(content, "keys"))
        for name, key in named.items():
            self._check(name, key, word(macs, name))
        self.proven = named
        return self._done_if_proven() if self.is_answered else ()

    def _check(self, name: str, vouched: str, mac: str) -> None:
        assert self._shared is not None
        try:
            self._shared.verify_mac(vouched, self._info(self.theirs, self._ours, name), mac)
        except ValueError:
            raise _Wrong(Code.KEY_MISMATCH) from None

    def _our_mac(self) -> Message:
        assert self._shared is not None
        keys = self._ours.keys
        macs = {
            name: self._shared.calculate_mac(key, self._info(self._ours, self.theirs, name))
            for name, key in keys.items()
        }
        names = ",".join(sorted(keys))
        mac = self._shared.calculate_mac(names, self._info(self._ours, self.theirs, "KEY_IDS"))
        return Message("mac", {"mac": macs, "keys": mac})

    def _info(self, of: Side, to: Side, name: str) -> str:
        """What a mac is about (spec, "MAC calculation")."""
        return f"MATRIX_KEY_VERIFICATION_MAC{of.user}{of.device}{to.user}{to.device}{self._transaction}{name}"

    def _done_if_proven(self) -> Sequence[Message]:
        if not self.proven:
            return ()
        self._step = _Step.DONE
        return (Message("done", {}),)

    def _done(self, _content: Json) -> Sequence[Message]:
        self._expect(_Step.DONE)
        self.end = End()
        return ()

    def _expect(self, step: _Step) -> None:
        if self._step is not step:
            raise _Wrong(Code.UNEXPECTED)
