"""What admins are told of a comparison of emoji. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bridge.matrix.crypto.verification.sas import Code, End
from bridge.model.text import one_line
from bridge.network import Comparison

_MOST = 100
"""Most characters that are shown of an id that others choose."""
_NOTHING = "Nothing is verified"
_BETWEEN = (
    "Somebody may be between their client and the bridge, such as one of the two homeservers: do not trust what is said"
    " there until you know"
)
_OURS: Mapping[str, str] = MappingProxyType(
    {
        Code.TIMEOUT: f"it was not finished in time. {_NOTHING}; they can begin again",
        Code.MISMATCHED_SAS: f"an admin says that the emoji are not the same. {_NOTHING}. {_BETWEEN}",
        Code.KEY_MISMATCH: f"their client has other keys than their homeserver shows. {_NOTHING}. {_BETWEEN}",
    }
)
"""How it ended, by the codes of our cancellations."""
_THEIRS: Mapping[str, str] = MappingProxyType(
    {
        Code.USER: f"they have cancelled. {_NOTHING}",
        Code.TIMEOUT: f"it took too long for their client. {_NOTHING}; they can begin again",
        Code.MISMATCHED_SAS: f"they say that the emoji are not the same. {_NOTHING}. {_BETWEEN}",
        Code.KEY_MISMATCH: f"the bridge has other keys than their homeserver shows them. {_NOTHING}. {_BETWEEN}",
        "m.accepted": "another client of the bridge's account has taken it over",
    }
)


def who(user: str, device: str, us: str) -> str:
    """A person and their device, as admins are told."""
    shown = one_line(device, _MOST)
    if user == us:
        return f"another client of the bridge's own account (device {shown})"
    return f"{one_line(user, _MOST)} (device {shown})"


def question(comparison: Comparison, us: str) -> str:
    """Asks an admin to compare."""
    emoji = "  ".join(f"{symbol} {name}" for symbol, name in comparison.emoji)
    numbers = " ".join(map(str, comparison.numbers))
    person = who(comparison.user, comparison.device, us)
    until = datetime.fromtimestamp(comparison.until, UTC)
    return (
        f"{person[0].upper()}{person[1:]} wants to verify the bridge. The bridge shows: {emoji}\n"
        f"or as numbers: {numbers}\n"
        "Ask them, not here but face to face or by phone, what they see. The same: say `yes`. Not the same: say `no`.\n"
        f"It is over at {until:%H:%M} UTC. If more than one waits: verify yes {comparison.id}, or verify no"
        f" {comparison.id}"
    )


def result(person: str, end: End, *, signed: bool) -> str:
    """How it ended. `signed`: our account vouches for them now."""
    if end.code:
        told = (_THEIRS if end.by_them else _OURS).get(end.code)
        told = told or f"it was broken off ({one_line(end.code, _MOST)}). {_NOTHING}; they can begin again"
    elif signed:
        told = "done. They see the bridge as verified, and the bridge's account vouches for them, too"
    else:
        told = "done. They see the bridge as verified"
    return f"Verification with {person}: {told}."


def waiting(person: str) -> str:
    """The answer to an admin's yes while the other side has not confirmed."""
    return f"The bridge has confirmed it. {person[0].upper()}{person[1:]} has to confirm it, too; then you are told."
