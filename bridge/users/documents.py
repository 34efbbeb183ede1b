"""Converts users, sanctions and requests to database documents and back. All that is read is checked: it may be
hand-written."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, TypeVar

from bridge.model.event import Room
from bridge.model.people import Identity, Proof, Role
from bridge.users.contract import IrcLogin, Measure, MembershipRequest, Sanction, Standing, User, UsersError
from bridge.users.identities import checked, checked_name
from bridge.users.layout import Row
from bridge.users.sanctions import checked_target

Made = TypeVar("Made")
_PROOFS = {str(kind): kind for kind in Proof}
_NUMBER = re.compile(r"[0-9]{1,15}")
_WRONG = (KeyError, TypeError, ValueError, AttributeError, RecursionError, UsersError)
_END_OF_TIME = 253_402_300_799.0
"""Seconds since the epoch: the end of the year 9999, the last one that Python's calendar has."""


def version(meta: Mapping[str, Row]) -> int | None:
    """The format version of the database; None if it has none."""
    try:
        found = [opened(row).get("format") for row in meta.values()]
    except _WRONG as error:
        raise UsersError("the user database is broken: its format version cannot be read") from error
    return found[0] if found and isinstance(found[0], int) else None


def users(rows: Mapping[str, Row], known: Mapping[Row, User]) -> Iterator[tuple[Row, int, User]]:
    """Each row with its number and its user; users in `known` are reused. Raises UsersError if a row is broken."""
    for number, row in rows.items():
        if not _NUMBER.fullmatch(number):
            raise UsersError(f"the user database is broken: {number[:40]!r} is no row's number")
        user = known.get(row)
        yield row, int(number), user if user is not None else _made("user", number, row, _user)


def sanctions(rows: Mapping[str, Row]) -> Iterator[Sanction]:
    """The sanctions in `rows`. Raises UsersError if one is broken: none must be left out silently."""
    return (_made("sanction", number, row, _sanction) for number, row in rows.items())


def requests(rows: Mapping[str, Row]) -> Iterator[MembershipRequest]:
    """The requests in `rows`. A broken one is left out: it lets nobody in, and must not keep users from being read."""
    for number, row in rows.items():
        with suppress(UsersError):
            yield _made("request", number, row, _request)


def check_request(request: MembershipRequest) -> None:
    """Raises UsersError if `request` could not be read again: its address may be a hostile server's."""
    try:
        str(request.room).encode()
    except UnicodeEncodeError as error:
        raise UsersError("the address of who asks cannot be stored") from error
    _made("request", "1", of_request(request), _request)


def opened(row: Row) -> Mapping[str, Any]:
    """The document in a row. Raises UsersError if it is not an object."""
    document: object = json.loads(row) if isinstance(row, str) else row
    if not isinstance(document, Mapping):
        raise UsersError("the user database is broken: a row is no object")
    return document


def of_user(user: User) -> dict[str, Any]:
    identities = [_of_identity(one) for one in user.identities]
    made: dict[str, Any] = {
        "name": user.name,
        "role": str(user.role),
        "identities": identities,
        "password": user.password,
    }
    if not user.puppet:
        made["puppet"] = False
    if user.logins:
        made["irc_logins"] = [asdict(login) for login in user.logins]
    return made


def of_request(request: MembershipRequest) -> dict[str, Any]:
    return {
        "handle": request.handle,
        "identity": _of_identity(request.identity),
        "room": str(request.room),
        "since": request.since,
        "standing": str(request.standing),
        "decided": request.decided,
        "user": request.user,
    }


def of_sanction(sanction: Sanction) -> dict[str, Any]:
    return asdict(sanction) | {"measure": str(sanction.measure)}


def _of_identity(identity: Identity) -> dict[str, str]:
    return {"kind": str(identity.kind), "network": identity.network, "value": identity.value}


def _made(kind: str, number: str, row: Row, make: Callable[[Mapping[str, Any]], Made]) -> Made:
    try:
        return make(opened(row))
    except _WRONG as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise UsersError(f"{kind} {number} is broken: {reason}") from error


def _user(document: Mapping[str, Any]) -> User:
    identities = tuple(map(_identity, document["identities"]))
    password = document.get("password")
    return User(
        checked_name(str(document["name"])),
        Role(document["role"]),
        identities,
        None if password is None else str(password),
        puppet=document.get("puppet") is not False,
        logins=tuple(_login(each) for each in document.get("irc_logins", ())),
    )


def _login(document: Mapping[str, Any]) -> IrcLogin:
    return IrcLogin(*(str(document[key]) for key in ("network", "account", "sealed")))


def _identity(document: Mapping[str, Any]) -> Identity:
    return checked(Identity(_proof(document["kind"]), str(document["network"]), str(document["value"])))


def _request(document: Mapping[str, Any]) -> MembershipRequest:
    decided, standing = document["decided"], Standing(document["standing"])
    if (decided is None) is not (standing is Standing.OPEN):
        raise ValueError(f"a request that is {standing} has {'no' if decided is None else 'a'} time of its decision")
    return MembershipRequest(
        identity=_identity(document["identity"]),
        room=Room.parse(str(document["room"])),
        since=_time(document["since"]),
        handle=checked_name(str(document["handle"])),
        standing=standing,
        decided=None if decided is None else _time(decided),
        user=str(document["user"]),
    )


def _time(value: object) -> float:
    time = float(str(value))
    if not 0 <= time <= _END_OF_TIME:
        raise ValueError(f"{time} is not a time")
    return time


def _proof(kind: object) -> Proof:
    """The kind of proof; from a dict, since tens of thousands are read. Raises ValueError if it does not exist."""
    return _PROOFS.get(str(kind)) or Proof(str(kind))


def _sanction(document: Mapping[str, Any]) -> Sanction:
    link, until = document["link"], document["until"]
    return Sanction(
        target=checked_target(str(document["target"])),
        measure=Measure(document["measure"]),
        link=None if link is None else str(link),
        since=_time(document["since"]),
        until=None if until is None else _time(until),
        reason=str(document["reason"]),
        by=str(document["by"]),
    )
