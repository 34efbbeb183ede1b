"""Signed links to files: makes and checks them. Pure.

A link's path is `/m/` and 48 characters of base64url: 16 bytes of handle (which file, see
`bridge.model.outbox.handle`), 4 bytes of the time until which it works, and 16 bytes of HMAC-SHA-256 over both.
"""

import base64
import hashlib
import hmac
import re
import secrets

from bridge.model.event import FOREVER

PREFIX = "/m/"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{48}", re.ASCII)
_IN_TEXT = re.compile(r"/m/([A-Za-z0-9_-]{48})(?![A-Za-z0-9_-])", re.ASCII)
_SIGNED, _HANDLE = 20, 16
"""Bytes that are signed, and how many of these are the handle."""
_KIND = b"quackbridge file 1\0"
"""What the signature is for: with the same key something else may be signed later."""


class Forged(Exception):
    """The token was not made with our key."""


class Expired(Exception):
    """The link does not work any more."""


def new_key() -> str:
    """A random key of 256 bits, in hex."""
    return secrets.token_hex(32)


def token(key: bytes, handle: str, until: int) -> str:
    """The last part of the path of a link to the file `handle` (128 bits in hex), which works until then (seconds since
    the epoch, `FOREVER` for ever)."""
    signed = bytes.fromhex(handle) + until.to_bytes(4, "big")
    return base64.urlsafe_b64encode(signed + _signature(key, signed)).decode()


def link(public_url: str, key: bytes, handle: str, until: int) -> str:
    """The address of a file under `public_url`."""
    return f"{public_url}{PREFIX}{token(key, handle, until)}"


def checked(key: bytes, given: str, now: float) -> str:
    """The handle in the token `given`. Raises Forged or Expired."""
    if not _TOKEN.fullmatch(given):
        raise Forged
    data = base64.urlsafe_b64decode(given)
    signed, signature = data[:_SIGNED], data[_SIGNED:]
    if not hmac.compare_digest(signature, _signature(key, signed)):
        raise Forged
    until = int.from_bytes(signed[_HANDLE:], "big")
    if until != FOREVER and until <= now:
        raise Expired
    return signed[:_HANDLE].hex()


def handle_in(address: str) -> str | None:
    """The handle in a link, whose signature is not checked; None if `address` is no such link."""
    found = _IN_TEXT.search(address)
    return base64.urlsafe_b64decode(found[1])[:_HANDLE].hex() if found else None


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, _KIND + signed, hashlib.sha256).digest()[:16]
