"""Value types of chat: rooms, users, patterns of people."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from bridge.model.event import Room
from bridge.model.patterns import Pattern
from bridge.users import UsersError
from bridge.users.identities import checked_name


def _room(value: object) -> Room:
    if not isinstance(value, str):
        raise ValueError("must be a string: network/room (# begins a comment, so put it in quotes)")
    return Room.parse(value)


def _pattern(value: object) -> Pattern:
    if not isinstance(value, str):
        raise ValueError("must be a string: put it in quotes")
    return Pattern.parse(value)


def _user(name: str) -> str:
    try:
        return checked_name(name)
    except UsersError as error:
        raise ValueError(f"{error}: write the name under which the user was added") from error


def _members(value: object) -> tuple[str, ...] | None:
    """The listed names; None for `all`."""
    if value == "all":
        return None
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise ValueError("must be all, or a list of at least one user's name")
    return tuple(map(_user, value))


RoomName = Annotated[
    Room, BeforeValidator(_room), WithJsonSchema({"type": "string", "pattern": "^[^/@\\s]+/.+$", "title": "Room"})
]
Members = Annotated[
    tuple[str, ...] | None,
    BeforeValidator(_members),
    WithJsonSchema({"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
IgnorePattern = Annotated[Pattern, BeforeValidator(_pattern), WithJsonSchema({"type": "string", "maxLength": 255})]
UserName = Annotated[str, AfterValidator(_user)]
