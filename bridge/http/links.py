"""Signed links to files and texts: makes and checks them. Pure.

A link's path is `/m/` or `/t/` and 48 characters of base64url: 16 bytes of handle (which file, see
`bridge.model.outbox.handle`), 4 bytes of the time until which it works, and 16 bytes of HMAC-SHA-256 over both.
"""

import base64
import hashlib
import hmac
import re
import secrets

from bridge.model.event import FOREVER

FILE, TEXT = "/m/", "/t/"
"""Where files and whole texts are."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{48}", re.ASCII)
_IN_TEXT = re.compile(r"/[mt]/([A-Za-z0-9_-]{48})(?![A-Za-z0-9_-])", re.ASCII)
_SIGNED, _HANDLE = 20, 16
"""Bytes that are signed, and how many of these are the handle."""
_KIND = {FILE: b"quackbridge file 1\0", TEXT: b"quackbridge text 1\0"}
"""What the signature is for: a link to one thing is none to the other."""


class Forged(Exception):
    """The token was not made with our key."""


class Expired(Exception):
    """The link does not work any more."""


def new_key() -> str:
    """A random key of 256 bits, in hex."""
    return secrets.token_hex(32)


def token(key: bytes, handle: str, until: int, place: str = FILE) -> str:
    """The last part of the path of a link to the file or text `handle` (128 bits in hex), which works `until` then
    (seconds since the epoch, `FOREVER` for ever)."""
    signed = bytes.fromhex(handle) + until.to_bytes(4, "big")
    return base64.urlsafe_b64encode(signed + _signature(key, place, signed)).decode()


def link(public_url: str, key: bytes, handle: str, until: int, place: str = FILE) -> str:
    """The address of a file or text under `public_url`."""
    return f"{public_url}{place}{token(key, handle, until, place)}"


def checked(key: bytes, given: str, now: float, place: str = FILE) -> str:
    """The handle in the token `given`, found at `place`. Raises Forged or Expired."""
    if not _TOKEN.fullmatch(given):
        raise Forged
    data = base64.urlsafe_b64decode(given)
    signed, signature = data[:_SIGNED], data[_SIGNED:]
    if not hmac.compare_digest(signature, _signature(key, place, signed)):
        raise Forged
    until = int.from_bytes(signed[_HANDLE:], "big")
    if until != FOREVER and until <= now:
        raise Expired
    return signed[:_HANDLE].hex()


def handle_in(address: str) -> str | None:
    """The handle in a link, whose signature is not checked; None if `address` is no such link."""
    found = _IN_TEXT.search(address)
    return base64.urlsafe_b64decode(found[1])[:_HANDLE].hex() if found else None


def _signature(key: bytes, place: str, signed: bytes) -> bytes:
    return hmac.new(key, _KIND[place] + signed, hashlib.sha256).digest()[:16]
