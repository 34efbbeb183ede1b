"""The user database on TinyDB: one JSON file that an operator can read, and an index of it in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tinydb import TinyDB

from bridge.model import Identity, Proof, Sender
from bridge.users.contract import Role, User, UsersError
from bridge.users.identities import checked, checked_name, distinct, same
from bridge.users.index import Index
from bridge.users.storage import AtomicFile

_FORMAT = 1


class TinyUsers:
    """The Users contract on the file at `path`, read when made and whenever `refresh` finds it changed."""

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)
        self._seen = self._file.stamp()
        self._index, _numbers = self._read()

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty database. UsersError where there is one already."""
        file = AtomicFile(path)
        file.make_folder()
        with file.locked():
            if file.path.exists():
                raise UsersError(f"{file.path}: there is a user database already; nothing was changed")
            file.write({"meta": {"1": {"format": _FORMAT}}, "users": {}})
        return cls(path)

    @classmethod
    def drop(cls, path: Path) -> Path:
        """Move the database aside, and say where it is kept. UsersError where there is none."""
        return AtomicFile(path).move_aside(f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.bak")

    # Reading

    def identify(self, sender: Sender) -> User | None:
        return self._index.identify(sender)

    def list(self) -> Sequence[User]:
        return self._index.users

    def get(self, name: str) -> User:
        return self._index.user(name)

    def refresh(self) -> bool:
        stamp = self._file.stamp()
        if stamp == self._seen:
            return False
        self._index, _numbers = self._read()
        self._seen = stamp
        return True

    # Writing

    def add(self, user: User) -> None:
        checked_name(user.name)
        user = replace(user, identities=distinct(map(checked, user.identities)))
        self._write(lambda _: (None, user))

    def remove(self, name: str) -> None:
        self._write(lambda index: (index.user(name), None))

    def set_role(self, name: str, role: Role) -> None:
        self._change(name, lambda user: replace(user, role=role))

    def set_password(self, name: str, password: str | None) -> None:
        self._change(name, lambda user: replace(user, password=password))

    def link_identity(self, name: str, *identities: Identity) -> None:
        added = [*map(checked, identities)]
        self._change(name, lambda user: replace(user, identities=distinct((*user.identities, *added))))

    def unlink_identity(self, name: str, *identities: Identity) -> None:
        def without(user: User) -> User:
            held = {same(one): one for one in user.identities}
            for identity in identities:
                if held.pop(same(identity), None) is None:
                    raise UsersError(f"{user.name} has no identity {identity}")
            return replace(user, identities=tuple(held.values()))

        self._change(name, without)

    def _change(self, name: str, change: Callable[[User], User]) -> None:
        def decide(index: Index) -> tuple[User, User]:
            user = index.user(name)
            return user, change(user)

        self._write(decide)

    def _write(self, decide: Callable[[Index], tuple[User | None, User | None]]) -> None:
        """Put the second of what `decide` says, of the users that are on disk now, in the place of the first."""
        with self._file.locked():
            index, numbers = self._read()
            before, after = decide(index)
            if before != after:
                index = index.changed(before, after)
                with TinyDB(storage=lambda: self._file) as database:
                    table = database.table("users")
                    if before is None and after is not None:
                        table.insert(_document(after))
                    elif before is not None and after is not None:
                        table.update(_document(after), doc_ids=[numbers[before.name]])
                    elif before is not None:
                        table.remove(doc_ids=[numbers[before.name]])
            self._index, self._seen = index, self._file.stamp()

    def _read(self) -> tuple[Index, Mapping[str, int]]:
        """What is on disk, and under which number each user's document stands. UsersError where we did not write it."""
        tables = self._file.read()
        version = next((row.get("format") for row in tables.get("meta", {}).values() if isinstance(row, dict)), None)
        if not isinstance(version, int):
            raise UsersError(f"{self._file.path}: this is not a user database of quackbridge")
        if version > _FORMAT:
            raise UsersError(
                f"{self._file.path}: the user database has format {version}, newer than this quackbridge knows"
                f" ({_FORMAT}): install the newer quackbridge again, or restore a backup"
            )
        found: dict[int, User] = {}
        for number, document in tables.get("users", {}).items():
            try:
                found[int(number)] = _user(document)
            except (KeyError, TypeError, ValueError, AttributeError, UsersError) as error:
                reason = f"{error} is missing" if isinstance(error, KeyError) else error
                raise UsersError(f"{self._file.path}: user {number} is broken: {reason}") from error
        try:
            return Index(found.values()), {user.name: number for number, user in found.items()}
        except UsersError as error:
            raise UsersError(f"{self._file.path}: the user database is broken: {error}") from error


def _document(user: User) -> dict[str, Any]:
    identities = [
        {"kind": str(identity.kind), "network": identity.network, "value": identity.value}
        for identity in user.identities
    ]
    return {"name": user.name, "role": str(user.role), "identities": identities, "password": user.password}


def _user(document: Mapping[str, Any]) -> User:
    """What `_document` wrote, or somebody by hand: a mistake there must not let in who does not belong."""
    identities = tuple(
        checked(Identity(Proof(one["kind"]), str(one["network"]), str(one["value"]))) for one in document["identities"]
    )
    password = document.get("password")
    return User(
        checked_name(str(document["name"])),
        Role(document["role"]),
        identities,
        None if password is None else str(password),
    )
