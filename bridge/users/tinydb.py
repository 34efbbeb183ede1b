"""The user database on TinyDB: one JSON file, that an operator can read, and an index of it in memory."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from tinydb import TinyDB
from tinydb.table import Document, Table

from bridge import ids
from bridge.casemap import Casemapping
from bridge.model import Identity, Proof, Sender
from bridge.users.contract import Role, User, UsersError
from bridge.users.identities import matches, same
from bridge.users.storage import AtomicFile

_FORMAT = 1


class TinyUsers:
    """The Users contract on the file at `path`, read when made and whenever `refresh` finds it changed."""

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)
        self._seen = self._stamp()
        self._index = _Index(self._read())

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty database. UsersError where there is one already."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = AtomicFile(path)
        with file.locked():
            if path.exists():
                raise UsersError(f"{path}: there is a user database already; nothing was changed")
            file.write({"meta": {"1": {"format": _FORMAT}}, "users": {}})
        return cls(path)

    @classmethod
    def drop(cls, path: Path) -> Path:
        """Move the database aside, and say where it is kept. UsersError where there is none."""
        with AtomicFile(path).locked():
            if not path.exists():
                raise UsersError(f"{path}: there is no user database")
            kept = path.with_name(f"{path.name}.{datetime.now(UTC):%Y-%m-%dT%H%M%S%fZ}.bak")
            path.rename(kept)
        return kept

    # Reading

    def identify(self, sender: Sender) -> User | None:
        return self._index.identify(sender)

    def list(self) -> Sequence[User]:
        return self._index.users

    def get(self, name: str) -> User:
        user = self._index.by_name.get(_key(name))
        if user is None:
            raise UsersError(f"there is no user {name!r}")
        return user

    def refresh(self) -> bool:
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._index = _Index(self._read())
        self._seen = stamp
        return True

    # Writing

    def add(self, user: User) -> None:
        _check_name(user.name)
        with self._editing() as (table, index):
            if (known := index.by_name.get(_key(user.name))) is not None:
                raise UsersError(f"there is a user {known.name!r} already")
            for identity in user.identities:
                index.check_free(identity, user.name)
            table.insert(_document(user))

    def remove(self, name: str) -> None:
        with self._editing() as (table, index):
            table.remove(doc_ids=[index.document(name)])

    def set_role(self, name: str, role: Role) -> None:
        self._change(name, lambda user: replace(user, role=role))

    def set_password(self, name: str, password: str | None) -> None:
        self._change(name, lambda user: replace(user, password=password))

    def link_identity(self, name: str, identity: Identity) -> None:
        with self._editing() as (table, index):
            user = index.user(name)
            if not index.check_free(identity, user.name):
                return
            changed = replace(user, identities=(*user.identities, identity))
            table.update(_document(changed), doc_ids=[index.document(name)])

    def unlink_identity(self, name: str, identity: Identity) -> None:
        def without(user: User) -> User:
            left = tuple(one for one in user.identities if same(one) != same(identity))
            if len(left) == len(user.identities):
                raise UsersError(f"{user.name} has no identity {identity}")
            return replace(user, identities=left)

        self._change(name, without)

    def _change(self, name: str, change: Callable[[User], User]) -> None:
        with self._editing() as (table, index):
            table.update(_document(change(index.user(name))), doc_ids=[index.document(name)])

    @contextmanager
    def _editing(self) -> Iterator[tuple[Table, "_Index"]]:
        """The table as it is on disk now, locked, to be changed by one write."""
        with self._file.locked():
            with TinyDB(storage=lambda: self._file) as database:
                documents = self._read()
                yield database.table("users"), _Index(documents)
            self._index = _Index(self._read())
            self._seen = self._stamp()

    def _read(self) -> Sequence[tuple[int, User]]:
        tables = self._file.read()
        version = next((row.get("format") for row in tables.get("meta", {}).values() if isinstance(row, dict)), None)
        if not isinstance(version, int):
            raise UsersError(f"{self._file.path}: this is not a user database of quackbridge")
        if version > _FORMAT:
            raise UsersError(
                f"{self._file.path}: the user database has format {version}, newer than this quackbridge knows"
                f" ({_FORMAT}): install the newer quackbridge again, or restore a backup"
            )
        try:
            return [(int(number), _user(document)) for number, document in tables.get("users", {}).items()]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsersError(f"{self._file.path}: the user database is broken: {error!r}") from error

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._file.path.stat()
        except OSError:
            return (0, 0, 0)
        return (found.st_mtime_ns, found.st_size, found.st_ino)


class _Index:
    """One state of the database, ready to be asked. It is never changed, so whoever has one may use it at any time."""

    def __init__(self, documents: Iterable[tuple[int, User]]) -> None:
        documents = list(documents)
        self.users: Sequence[User] = tuple(sorted((user for _, user in documents), key=lambda user: _key(user.name)))
        self.by_name: Mapping[str, User] = {_key(user.name): user for user in self.users}
        self._documents = {_key(user.name): number for number, user in documents}
        self._owners = {same(identity): user for user in self.users for identity in user.identities}
        self._accounts: dict[tuple[str, Casemapping], dict[str, User]] = {}
        self._masks: dict[tuple[str, Casemapping], list[tuple[str, User]]] = {}

    def identify(self, sender: Sender) -> User | None:
        for proof in sender.proofs:
            if (user := self._known(proof, sender.casemapping)) is not None:
                return user
        return None

    def check_free(self, identity: Identity, name: str) -> bool:
        """Whether nobody has `identity`; False where `name` has it already, UsersError where somebody else does."""
        owner = self._owners.get(same(identity))
        if owner is not None and _key(owner.name) != _key(name):
            raise UsersError(f"{identity} belongs to {owner.name} already; unlink it there first")
        return owner is None

    def user(self, name: str) -> User:
        if (user := self.by_name.get(_key(name))) is None:
            raise UsersError(f"there is no user {name!r}")
        return user

    def document(self, name: str) -> int:
        return self._documents[_key(self.user(name).name)]

    def _known(self, proof: Identity, casemapping: Casemapping) -> User | None:
        match proof.kind:
            case Proof.MATRIX:
                return self._owners.get(proof)
            case Proof.IRC:
                return self._accounts_of(proof.network, casemapping).get(casemapping.fold(proof.value))
            case Proof.IRC_MASK:
                real = casemapping.fold(proof.value)
                masks = self._masks_of(proof.network, casemapping)
                return next((user for mask, user in masks if matches(mask, real)), None)

    def _accounts_of(self, network: str, casemapping: Casemapping) -> Mapping[str, User]:
        key = (network, casemapping)
        if key not in self._accounts:
            self._accounts[key] = dict(self._held(Proof.IRC, *key))
        return self._accounts[key]

    def _masks_of(self, network: str, casemapping: Casemapping) -> Sequence[tuple[str, User]]:
        key = (network, casemapping)
        if key not in self._masks:
            self._masks[key] = [*self._held(Proof.IRC_MASK, *key)]
        return self._masks[key]

    def _held(self, kind: Proof, network: str, casemapping: Casemapping) -> Iterator[tuple[str, User]]:
        for user in self.users:
            for identity in user.identities:
                if identity.kind is kind and identity.network == network:
                    yield casemapping.fold(identity.value), user


def _key(name: str) -> str:
    """Equal for names that look alike to people: composed, and without regard to letter case."""
    return unicodedata.normalize("NFKC", name).casefold()


def _check_name(name: str) -> None:
    try:
        ids.one_word(name)
    except ValueError as error:
        raise UsersError(f"a user's name {error}") from error
    if "/" in name:
        raise UsersError(f"a user's name has no slash: {name!r}")


def _document(user: User) -> dict[str, Any]:
    identities = [
        {"kind": str(identity.kind), "network": identity.network, "value": identity.value}
        for identity in user.identities
    ]
    return {"name": user.name, "role": str(user.role), "identities": identities, "password": user.password}


def _user(document: Document | Mapping[str, Any]) -> User:
    identities = tuple(
        Identity(Proof(one["kind"]), str(one["network"]), str(one["value"])) for one in document["identities"]
    )
    password = document.get("password")
    return User(str(document["name"]), Role(document["role"]), identities, None if password is None else str(password))
