"""Why a device gets no key (spec, "Reporting that decryption keys are withheld"): what others say, and what we say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from bridge.lib.lru import LruDict
from bridge.matrix.crypto.olm.opened import RoomKey
from bridge.matrix.crypto.signatures import ALGORITHM, Pair
from bridge.matrix.dialect.fields import Json, table, word

KIND = "m.room_key.withheld"
UNVERIFIED, NO_OLM = "m.unverified", "m.no_olm"
_MOST = 1000
"""Most keys of which it is remembered why we did not get them."""
_AT_ONCE = 100
"""Devices told with one request."""
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a message cannot be read: `reason` for the ledger, and what the people there are told, with `{who}`."""

    reason: str
    told: str


CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        UNVERIFIED: Cause(
            "encrypted, and its sender's client gives keys to verified devices only",
            "their client gives its keys to verified devices only, and has not verified me. {who} can verify me (open"
            " my profile, then: verify), or allow unverified devices in the settings of the room or of the client.",
        ),
        "m.blacklisted": Cause(
            "encrypted, and its sender's client was told to give the bridge no keys",
            "their client was told to give me no keys. {who} can change that where it lists my devices: in my profile.",
        ),
        "m.unauthorised": Cause(
            "encrypted, and its sender's client says that it was not for the bridge",
            "their client says that it was not for me, as I was not in the room yet. If it was: please say it again.",
        ),
    }
)
"""What others say that gives us no key for good. After other codes, it may still come."""


class Withheld:
    """What others have said of keys that we do not have, by room, session and sender."""

    def __init__(self) -> None:
        self._codes: LruDict[tuple[str, str, str], str] = LruDict(_MOST)

    def note(self, event: Json) -> RoomKey | None:
        """Take in an event to our device. Returns room and session if their key will not come."""
        content = table(event, "content")
        room_id, session_id, code = word(content, "room_id"), word(content, "session_id"), word(content, "code")
        parts = (room_id, session_id, word(event, "sender"))
        is_sound = word(content, "algorithm") == ALGORITHM and all(0 < len(part) <= _LONGEST for part in parts)
        if not is_sound or code not in CAUSES:
            return None
        self._codes[parts] = code
        return room_id, session_id

    def cause(self, room_id: str, event: Json) -> Cause | None:
        """Why we do not get the key of a sealed event; None if its sender has not said so."""
        parts = (room_id, word(table(event, "content"), "session_id"), word(event, "sender"))
        return CAUSES.get(self._codes.peek(parts) or "")


def bodies(pairs: Iterable[Pair], content: Json) -> Iterator[Json]:
    """The bodies of /sendToDevice that tell `content` to these devices."""
    left = iter(pairs)
    while some := [*islice(left, _AT_ONCE)]:
        messages: dict[str, dict[str, Json]] = {}
        for user, device in some:
            messages.setdefault(user, {})[device] = content
        yield {"messages": messages}


def of_session(room_id: str, session_id: str, sender_key: str) -> Json:
    """Why a device that its owner has not signed gets no key of a room."""
    return {
        "algorithm": ALGORITHM,
        "code": UNVERIFIED,
        "reason": "This bridge gives keys to devices only that their owner has verified.",
        "room_id": room_id,
        "session_id": session_id,
        "sender_key": sender_key,
    }


def without_session(sender_key: str) -> Json:
    """Why a device gets no keys that had no one-time key for us; it gets the next one that it has one for."""
    reason = "Your device has no one-time keys left. It gets the key once it has some."
    return {"algorithm": ALGORITHM, "code": NO_OLM, "reason": reason, "sender_key": sender_key}
