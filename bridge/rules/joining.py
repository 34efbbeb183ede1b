"""How a guest becomes a member: recognises `request`, and words the next step on their network. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.model.people import Sender
from bridge.model.text import addressed, folded
from bridge.users.identities import lasting

REQUEST = "request"
"""What a guest says to ask for membership."""
_LOOKED_AT = 300
"""Characters of a line that are compared: nobody writes more around the word."""
_AROUND = " \t\r\n.!?/`'\"“”"
_ASK = f"To become a member, say `{REQUEST}` to me."
_UNPROVEN = "This network does not prove who you are: ask an admin"


@dataclass(frozen=True, slots=True)
class Door:
    """What an IRC network offers to somebody who wants to prove who they are: `services` with accounts, trusted host
    `masks`, and an encrypted or local connection over which we take `passwords`."""

    services: bool = False
    masks: bool = False
    passwords: bool = False


def asks_to_join(text: str, names: Iterable[str]) -> bool:
    """Whether `text` says `request` and nothing else, perhaps to one of `names`."""
    said = text[:_LOOKED_AT]
    rest = addressed(said, names)
    return len(text) <= _LOOKED_AT and folded(said if rest is None else rest).strip(_AROUND) == REQUEST


def next_step(sender: Sender, door: Door) -> str:
    """What a guest has to do next to become a member, in one or two sentences. Where the network proves who they are,
    as on Matrix, they only have to ask; `door` is for those of whom it proves nothing."""
    if lasting(sender) is not None:
        return _ASK
    if door.services:
        return f"To become a member, log in to services first (`/msg NickServ identify`), then say `{REQUEST}` to me."
    if door.passwords:
        return f"{_UNPROVEN} for a password, then say `login NAME PASSWORD` to me in private{_mask(door)}."
    return f"{_UNPROVEN} {'what to do' if door.masks else 'to trust your host mask'}."


def _mask(door: Door) -> str:
    return "" if door.masks else ", or to trust your host mask"
