"""Opens one message of a room with its key, and why one may not be opened. No state."""

import hashlib
import json
from typing import Any

import vodozemac

from bridge.matrix.dialect.fields import Json

_DIGEST = 16
"""Characters of a digest."""

RoomKey = tuple[str, str]
"""A key of room messages: the ids of the room and of the session."""


class NotOpened(Exception):
    """A sealed event cannot be carried. The text is the reason. `told`: what the people there are told, with `{who}`;
    empty if they are told nothing."""

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(reason)
        self.told = told


class NoKey(NotOpened):
    """There is no key for it yet."""


class Unproven(NotOpened):
    """No device of its sender that we know has sealed it."""


class Unsigned(NotOpened):
    """Its sender's device is not signed by its owner, and we carry those only. `event` is what was said."""

    def __init__(self, event: Json) -> None:
        super().__init__("its sender has not verified the device", _UNSIGNED)
        self.event = event


_UNSIGNED = (
    "this bridge carries words of devices only that their owners have verified, and this one is not. {who} can verify"
    " it in the settings of their client (sessions, or devices), and say it again."
)


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


def heard_once(kept: str, index: int, event_id: str) -> str:
    """What is kept of the messages of a key that have been heard (an object in compact JSON: digests of events by their
    indexes), with this one. It is done for each message: reading and writing the JSON would cost as much as opening
    it. Raises NotOpened if another event had the same ciphertext."""
    ours, name = hashlib.sha256(event_id.encode(errors="replace")).hexdigest()[:_DIGEST], f'"{index}":"'
    at = kept.find(name)
    if at < 0:
        return f'{kept[:-1]}{"," if len(kept) > 2 else ""}{name}{ours}"}}'
    if kept[at + len(name) :][:_DIGEST] != ours:
        raise NotOpened("it repeats another message")
    return kept
