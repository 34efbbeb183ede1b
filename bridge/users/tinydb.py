"""The user database on TinyDB: a JSON file that operators can read, and an index of it in memory."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from tinydb import TinyDB
from tinydb.table import Document

from bridge.model.patterns import is_pattern
from bridge.model.people import Identity, Role, Sender
from bridge.users import documents
from bridge.users.audit import Audit
from bridge.users.contract import IrcLogin, MembershipRequest, Sanction, Standing, User, UsersError
from bridge.users.identities import checked, distinct, new_name, on_network, same, same_name
from bridge.users.index import Index
from bridge.users.layout import Row, Tables
from bridge.users.requests import Requests
from bridge.users.sanctions import Sanctions, checked_target
from bridge.users.shared import SharedAudit, SharedFile, SharedText, file_of
from bridge.users.storage import AtomicFile, Held

_FORMAT = 2  # 1 had no sanctions: a program that knows only 1 would let banned people in. Requests, which came later,
# need no 3: a program that does not know them leaves them as they are, and lets nobody in by them
_META: Row = {"format": _FORMAT}
_LEFT_OUT = ("puppet", "irc_logins")
"""What a user's row has only where it is not what most users have."""
_EMPTY: Tables = {"meta": {"1": _META}, "users": {}, "sanctions": {}, "requests": {}}


@dataclass(frozen=True, slots=True)
class _State:
    """The content of the file: the users with the numbers of their documents, the sanctions, and the requests."""

    index: Index
    numbers: Mapping[str, int]
    sanctions: Sanctions
    requests: Requests


@dataclass(frozen=True, slots=True)
class _Change:
    """A change to write: users `before` are removed, `after` are added (same name: replaced). `what` and `details` are
    for the audit log. `sanctions`, `requests`: all of them after the change, or None."""

    what: str
    details: str
    before: Sequence[User] = ()
    after: Sequence[User] = ()
    sanctions: Sanctions | None = None
    requests: Requests | None = None


class TinyUsers:
    """The Users contract on the file at `place`, or on a text that machines share; it is read at creation and when
    `refresh` finds it changed. The audit log records changes as done by `by`."""

    def __init__(self, place: Path | SharedText, by: str = "", clock: Callable[[], float] = time.time) -> None:
        self._by = by
        self._clock = clock
        self._file = file_of(place)
        self.audit = Audit(place, clock) if isinstance(place, Path) else SharedAudit(place, clock)
        self._made: Mapping[Row, User] = {}
        self._seen = self._file.stamp()
        self._state = self._read(self._file.read(), None)

    @classmethod
    def create(cls, path: Path | SharedText, by: str = "") -> Self:
        """Make an empty database. Raises UsersError if it exists already."""
        if not isinstance(path, Path):
            return cls._create_shared(path, by)
        file = AtomicFile(path)
        file.make_folder()
        with file.locked():
            if file.path.exists():
                raise UsersError(f"{file.path}: there is a user database already; nothing was changed")
            file.write(_EMPTY)
        made = cls(path, by)
        made.audit.record(by, "init-db", str(file.path))
        return made

    @classmethod
    def _create_shared(cls, text: SharedText, by: str) -> Self:
        file = SharedFile(text)
        with file.locked():
            if file.stamp()[0]:
                raise UsersError(f"{text.name}: there is a user database already; nothing was changed")
            file.write(_EMPTY)
        made = cls(text, by)
        made.audit.record(by, "init-db", text.name)
        return made

    @classmethod
    def drop(cls, path: Path, by: str = "", clock: Callable[[], float] = time.time) -> Path:
        """Move the database aside; returns where it is kept. Raises UsersError if there is none."""
        stamp = f"{datetime.fromtimestamp(clock(), UTC):%Y-%m-%dT%H%M%SZ}"
        kept = AtomicFile(path).move_aside(f"{stamp}.bak")
        Audit(path, clock).record(by, "drop-db", str(kept))
        return kept

    def acting(self, by: str) -> Self:
        other = copy(self)
        other._by = by
        return other

    # Reading

    def identify(self, sender: Sender) -> User | None:
        return self._state.index.identify(sender)

    def list(self) -> Sequence[User]:
        return self._state.index.users

    def find(self, name: str) -> User | None:
        return self._state.index.find(name)

    def get(self, name: str) -> User:
        return self._state.index.user(name)

    def sanctions(self) -> Sequence[Sanction]:
        return self._state.sanctions.all

    def sanctioned(self, sender: Sender, user: User | None, link: str | None, now: float) -> Sanction | None:
        sanctions = self._state.sanctions
        return sanctions.on(sender, user, link, now) if sanctions.all else None

    def requests(self) -> Sequence[MembershipRequest]:
        return self._state.requests.all

    def refresh(self) -> bool:
        stamp = self._file.stamp()
        if stamp == self._seen:
            return False
        self._state = self._read(self._file.read(), self._state.index)
        self._seen = stamp
        return True

    # Writing

    def add(self, *users: User) -> None:
        self._write(lambda _: _Change("add-user", _described(users), (), _sound(users)))

    def put(self, *users: User) -> None:
        def decide(state: _State) -> _Change:
            after = _sound(users)
            before = [known for user in after if (known := state.index.find(user.name)) is not None]
            return _Change("put-users", _described(users), before, after)

        self._write(decide)

    def remove(self, name: str) -> None:
        def decide(state: _State) -> _Change:
            user = state.index.user(name)
            left = state.sanctions.without(state.sanctions.about(user.name))
            return _Change("remove-user", user.name, (user,), (), left)

        self._write(decide)

    def set_role(self, name: str, role: Role) -> None:
        self._change(name, "set-role", str(role), lambda user: replace(user, role=role))

    def set_puppet(self, name: str, *, on: bool) -> None:
        self._change(name, "set-puppet", "on" if on else "off", lambda user: replace(user, puppet=on))

    def set_irc_login(self, name: str, network: str, login: IrcLogin | None) -> None:
        def changed(user: User) -> User:
            if login is None and user.login(network) is None:
                raise UsersError(f"{user.name} has no account on {network}")
            others = tuple(each for each in user.logins if each.network != network)
            return replace(user, logins=(*others, *filter(None, [login])))

        details = f"{network} {login.account}" if login is not None else f"{network} removed"
        self._change(name, "set-irc-login", details, changed)

    def set_password(self, name: str, password: str | None) -> None:
        self._change(name, "set-password", "", lambda user: replace(user, password=password))

    def link_identity(self, name: str, *identities: Identity) -> None:
        added = [*map(checked, identities)]
        self._change(
            name,
            "link-identity",
            _listed(added),
            lambda user: replace(user, identities=distinct((*user.identities, *added))),
        )

    def unlink_identity(self, name: str, *identities: Identity) -> None:
        def without(user: User) -> User:
            held = {same(one): one for one in user.identities}
            for identity in identities:
                if held.pop(same(identity), None) is None:
                    raise UsersError(f"{user.name} has no identity {identity}")
            return replace(user, identities=tuple(held.values()))

        self._change(name, "unlink-identity", _listed(identities), without)

    def sanction(self, sanction: Sanction) -> None:
        def decide(state: _State) -> _Change:
            target = checked_target(sanction.target)
            if not is_pattern(target):
                target = state.index.user(target).name
            after = state.sanctions.with_(replace(sanction, target=target), self._clock())
            details = f"{target} in {sanction.link or 'all links'}: {sanction.reason}"
            return _Change(f"{sanction.measure}-user", details, sanctions=after)

        self._write(decide)

    def lift(self, target: str, link: str | None) -> Sequence[Sanction]:
        lifted: list[Sanction] = []

        def decide(state: _State) -> _Change:
            lifted[:] = [each for each in state.sanctions.about(target) if each.link == link]
            if not lifted:
                where = f"in {link}" if link else "in all links"
                raise UsersError(f"{target} isn't muted or banned {where}; `sanctions` lists who is, and where")
            after = state.sanctions.without(lifted)
            return _Change("lift", f"{target} in {link or 'all links'}", sanctions=after)

        self._write(decide)
        return lifted

    def rename_network(self, old: str, new: str) -> int:
        moved = 0

        def decide(state: _State) -> _Change:
            nonlocal moved
            before = [user for user in state.index.users if _is_on(user, old)]
            after = [_moved(user, old, new) for user in before]
            sanctions, requests = state.sanctions.on_network(old, new), state.requests.on_network(old, new)
            moved = sum(one.network == old for user in before for one in user.identities)
            moved += sum(one.network == old for user in before for one in user.logins)
            moved += _unlike(sanctions.all, state.sanctions.all) + _unlike(requests.all, state.requests.all)
            if not moved:
                return _Change("rename-network", "")
            return _Change("rename-network", f"{old} to {new}", before, after, sanctions, requests)

        self._write(decide)
        return moved

    def ask(self, request: MembershipRequest) -> MembershipRequest:
        documents.check_request(replace(request, handle=request.handle or "x"))
        made = [request]

        def decide(state: _State) -> _Change:
            if state.index.holds(checked(request.identity)):
                raise UsersError(f"{request.identity} belongs to a user already")
            after, made[0] = state.requests.with_(request, state.index.find)
            changed = after if after is not state.requests else None
            return _Change("request", f"{made[0].handle} {request.identity}", requests=changed)

        self._write(decide)
        return made[0]

    def approve(self, request: str, name: str, now: float) -> MembershipRequest:
        def decide(state: _State, found: MembershipRequest) -> tuple[Sequence[User], User]:
            return (), User(name, identities=(found.identity,))

        return self._approve(request, decide, now)

    def approve_as(self, request: str, name: str, now: float) -> MembershipRequest:
        def decide(state: _State, found: MembershipRequest) -> tuple[Sequence[User], User]:
            user = state.index.user(name)
            return (user,), replace(user, identities=distinct((*user.identities, found.identity)))

        return self._approve(request, decide, now)

    def deny(self, request: str, now: float) -> MembershipRequest:
        denied: list[MembershipRequest] = []

        def decide(state: _State) -> _Change:
            denied[:] = [state.requests.named(request, now)]
            after = state.requests.decided(request, Standing.DENIED, now)
            return _Change("deny", f"{denied[0].handle} {denied[0].identity}", requests=after)

        self._write(decide)
        return denied[0]

    def _approve(
        self,
        request: str,
        decide: Callable[[_State, MembershipRequest], tuple[Sequence[User], User]],
        now: float,
    ) -> MembershipRequest:
        approved: list[MembershipRequest] = []

        def approve(state: _State) -> _Change:
            found = state.requests.named(request, now)
            before, user = decide(state, found)
            approved[:] = [found]
            after = state.requests.decided(request, Standing.APPROVED, now, user.name)
            details = f"{found.handle} {found.identity} as {user.name}"
            return _Change("approve", details, before, _sound([user]), requests=after)

        self._write(approve)
        return approved[0]

    def _change(self, name: str, what: str, details: str, change: Callable[[User], User]) -> None:
        def decide(state: _State) -> _Change:
            user = state.index.user(name)
            return _Change(what, f"{user.name} {details}".strip(), (user,), (change(user),))

        self._write(decide)

    def _write(self, decide: Callable[[_State], _Change]) -> None:
        """Write the change that `decide` makes of the current file. It is recorded in the audit log first: if that
        fails, nothing is changed."""
        with self._file.locked():
            tables = self._file.read()
            if self._file.stamp() != self._seen:
                self._state = self._read(tables, self._state.index)
            change = decide(self._state)
            if change.before == change.after and change.sanctions is None and change.requests is None:
                return
            index = self._state.index.changed(change.before, change.after)
            requests = (change.requests or self._state.requests).without_users(index.holds)
            if requests is not self._state.requests:
                change = replace(change, requests=requests)
            after, numbers = _carried_out(change, tables, self._state.numbers)
            self.audit.record(self._by, change.what, change.details)
            try:
                self._file.write(after)
            except UsersError as error:
                self.audit.record(self._by, "failed", f"{change.what} {change.details}: {error}")
                raise
            self._seen = self._file.stamp()
            self._state = _State(index, numbers, change.sanctions or self._state.sanctions, requests)

    def _read(self, tables: Tables, before: Index | None) -> _State:
        """The state in `tables`, which replaces `before`. Raises UsersError if they are broken or not of our format."""
        path = self._file.path
        try:
            version = documents.version(tables.get("meta", {}))
        except UsersError as error:
            raise UsersError(f"{path}: {error}") from error
        if version is None:
            raise UsersError(f"{path}: this is not a user database of quackbridge")
        if version > _FORMAT:
            raise UsersError(
                f"{path}: the user database has format {version}, newer than this quackbridge knows"
                f" ({_FORMAT}): install the newer quackbridge again, or restore a backup"
            )
        try:
            found = [*documents.users(tables.get("users", {}), self._made)]
            sanctions = Sanctions(documents.sanctions(tables.get("sanctions", {})))
            requests = Requests(documents.requests(tables.get("requests", {})))
        except UsersError as error:
            raise UsersError(f"{path}: {error}") from error
        try:
            index = Index((user for _row, _number, user in found), before)
        except UsersError as error:
            raise UsersError(f"{path}: the user database is broken: {error}") from error
        self._made = {row: user for row, _number, user in found if isinstance(row, str)}
        numbers = {user.name: number for _row, number, user in found}
        return _State(index, numbers, sanctions, requests.without_users(index.holds))


def _carried_out(change: _Change, tables: Tables, numbers: Mapping[str, int]) -> tuple[Tables, Mapping[str, int]]:
    """Apply `change`: returns the new tables, and the numbers of the users in them."""
    held, numbers = Held({**tables, "meta": {"1": _META}}), {**numbers}
    fresh = itertools.count(max(numbers.values(), default=0) + 1)
    with TinyDB(storage=lambda: held) as database:
        free = {same_name(user.name): numbers.pop(user.name) for user in change.before}
        rows = {number: documents.opened(tables["users"][str(number)]) for number in free.values()}
        users = database.table("users")
        users.remove(doc_ids=[*free.values()])
        made = []
        for user in change.after:
            number = numbers[user.name] = free.get(same_name(user.name)) or next(fresh)
            kept = {key: value for key, value in rows.get(number, {}).items() if key not in _LEFT_OUT}
            made.append(Document({**kept, **documents.of_user(user)}, number))
        users.insert_multiple(made)
        if change.sanctions is not None:
            database.drop_table("sanctions")
            database.table("sanctions").insert_multiple(map(documents.of_sanction, change.sanctions.all))
        if change.requests is not None:
            database.drop_table("requests")
            database.table("requests").insert_multiple(map(documents.of_request, change.requests.all))
    return held.tables, numbers


def _is_on(user: User, network: str) -> bool:
    """Whether anything of a user is about that network."""
    return user.login(network) is not None or any(one.network == network for one in user.identities)


def _moved(user: User, old: str, new: str) -> User:
    logins = {each.network: each for each in user.logins}
    if (login := logins.pop(old, None)) is not None:
        logins[new] = replace(login, network=new)
    identities = distinct(on_network(user.identities, old, new))
    return replace(user, identities=identities, logins=tuple(logins.values()))


def _unlike(some: Sequence[object], others: Sequence[object]) -> int:
    """How many of `some` are not among `others`."""
    return sum(each not in others for each in some)


def _sound(users: Iterable[User]) -> tuple[User, ...]:
    names: dict[str, str] = {}
    for user in users:
        if (other := names.get(same_name(new_name(user.name)))) is not None:
            raise UsersError(f"there is a user {other!r} already")
        names[same_name(user.name)] = user.name
    return tuple(replace(user, identities=distinct(map(checked, user.identities))) for user in users)


def _described(users: Sequence[User]) -> str:
    if len(users) > 1:
        admins = ", ".join(user.name for user in users if user.role is Role.ADMIN) or "none"
        return f"{len(users)} users, admins: {admins}; {', '.join(user.name for user in users)}"
    return " ".join(f"{user.name} {user.role} {_listed(user.identities)}".strip() for user in users)


def _listed(identities: Iterable[Identity]) -> str:
    return ", ".join(map(str, identities))
