"""Opens one message of a room with its key, and why one may not be opened. No state."""

import hashlib
import json
from typing import Any

import vodozemac

from bridge.matrix.dialect.fields import Json


class NotOpened(Exception):
    """A sealed event cannot be carried. The text is the reason."""


class NoKey(NotOpened):
    """There is no key for it yet."""


class Unproven(NotOpened):
    """No device of its sender that we know has sealed it."""


def opened(session: Any, ciphertext: str) -> tuple[Json, int]:
    try:
        message = vodozemac.MegolmMessage.from_base64(ciphertext)
        if message.message_index() < session.first_known_index:
            raise NoKey("its key is for later messages only")
        text, index = session.decrypt(ciphertext)
        plain = json.loads(text)
    except (ValueError, RecursionError):
        raise NotOpened("it is damaged") from None
    if not isinstance(plain, dict):
        raise NotOpened("it is damaged")
    return plain, index


def digest(event_id: str) -> str:
    return hashlib.sha256(event_id.encode(errors="replace")).hexdigest()[:16]
