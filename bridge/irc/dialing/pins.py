"""Pinned certificates: a server is recognised by a fingerprint, instead of by a CA and its name. Pure."""

import hashlib
import re
from collections.abc import Collection, Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_DIGITS = {"sha256": 64, "sha512": 128, "spki-sha256": 64}
"""Hexadecimal digits of each kind of fingerprint: of the whole certificate, or of its public key (spki)."""


def parse(text: str) -> str:
    """A fingerprint as people write it, in the form of `fingerprints`: `SHA256:AB:CD...` becomes `sha256:abcd...`.
    Raises ValueError with a sentence."""
    kind, _, digits = text.strip().lower().partition(":")
    digits = digits.replace(":", "")
    if kind not in _DIGITS:
        raise ValueError(f"{text!r}: a fingerprint begins with sha256:, sha512: or spki-sha256:")
    if not re.fullmatch("[0-9a-f]*", digits) or len(digits) != _DIGITS[kind]:
        raise ValueError(f"{text!r}: after {kind}: there are {_DIGITS[kind]} hexadecimal digits, not {len(digits)}")
    return f"{kind}:{digits}"


def fingerprints(certificate: bytes) -> tuple[str, ...]:
    """Each fingerprint by which a certificate (DER) can be pinned. That of an unreadable key is left out."""
    of_it = (f"sha256:{hashlib.sha256(certificate).hexdigest()}", f"sha512:{hashlib.sha512(certificate).hexdigest()}")
    return (*of_it, *_of_key(certificate))


def _of_key(certificate: bytes) -> Iterator[str]:
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    yield f"spki-sha256:{hashlib.sha256(spki).hexdigest()}"


def are_met(pins: Collection[str], certificate: bytes) -> bool:
    """Whether one of `pins` (as `parse` gives them) is a fingerprint of `certificate` (DER)."""
    return not {*pins}.isdisjoint(fingerprints(certificate))


def shown(certificate: bytes) -> str:
    """The fingerprints of a certificate (DER) for people, as they would be pinned; the long one is left out."""
    return " or ".join(each for each in fingerprints(certificate) if not each.startswith("sha512:"))
