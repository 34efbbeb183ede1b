"""The user database on TinyDB: one JSON file that an operator can read, and an index of it in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tinydb import TinyDB
from tinydb.table import Table

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
        with self._editing() as (table, index, _numbers):
            index.check_name_free(user.name)
            for identity in user.identities:
                index.check_free(identity, user.name)
            table.insert(_document(user))

    def remove(self, name: str) -> None:
        with self._editing() as (table, index, numbers):
            table.remove(doc_ids=[numbers[index.user(name).name]])

    def set_role(self, name: str, role: Role) -> None:
        self._change(name, lambda user, _: replace(user, role=role))

    def set_password(self, name: str, password: str | None) -> None:
        self._change(name, lambda user, _: replace(user, password=password))

    def link_identity(self, name: str, identity: Identity) -> None:
        checked(identity)

        def with_it(user: User, index: Index) -> User:
            free = index.check_free(identity, user.name)
            return replace(user, identities=(*user.identities, identity)) if free else user

        self._change(name, with_it)

    def unlink_identity(self, name: str, identity: Identity) -> None:
        def without(user: User, _: Index) -> User:
            left = tuple(one for one in user.identities if same(one) != same(identity))
            if len(left) == len(user.identities):
                raise UsersError(f"{user.name} has no identity {identity}")
            return replace(user, identities=left)

        self._change(name, without)

    def _change(self, name: str, change: Callable[[User, Index], User]) -> None:
        with self._editing() as (table, index, numbers):
            user = index.user(name)
            if (changed := change(user, index)) != user:
                table.update(_document(changed), doc_ids=[numbers[user.name]])

    @contextmanager
    def _editing(self) -> Iterator[tuple[Table, Index, Mapping[str, int]]]:
        """The table as it is on disk now, locked, to be changed by one write; and the numbers of its documents."""
        with self._file.locked():
            index, numbers = self._read()
            with TinyDB(storage=lambda: self._file) as database:
                yield database.table("users"), index, numbers
            seen = self._file.stamp()
            self._index, _numbers = self._read()
            self._seen = seen

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
