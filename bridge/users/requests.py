"""Requests of guests to become members: open ones, decided ones, and who may ask again. Pure.

Bounds: `OPEN` open ones and `CLOSED` others; each is forgotten `LASTS_S` after it was made or decided.
"""

import itertools
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from bridge.model.people import Identity, Proof
from bridge.users.contract import MembershipRequest, Standing, UsersError
from bridge.users.identities import on_network, same, same_name

OPEN = 1_000
"""Open requests at most: more than any admin reads. The oldest is dropped for a new one."""
CLOSED = 1_000
"""Decided and dropped requests that are kept at most: then the oldest is forgotten."""
LASTS_S = 30 * 86_400.0
"""Seconds for which a request stays open, and for which somebody who was denied may not ask again."""
_HANDLE = frozenset(string.ascii_letters + string.digits + "_.-")
"""Characters of a handle: they look like no others, and mean nothing to a shell."""
_LONGEST = 24
"""Characters of a handle at most, without its number."""


class Requests:
    """Immutable snapshot of the requests."""

    def __init__(self, requests: Iterable[MembershipRequest] = ()) -> None:
        self.all: Sequence[MembershipRequest] = tuple(requests)
        self._by_identity = {same(each.identity): each for each in self.all}

    def about(self, identity: Identity, now: float) -> MembershipRequest | None:
        """The request of that identity, open or not; None if there is none in force at `now`."""
        found = self._by_identity.get(same(identity))
        return found if found is not None and in_force(found, now) else None

    def named(self, name: str, now: float) -> MembershipRequest:
        """The open request with the handle or the identity `name`. Raises UsersError if there is none."""
        for each in open_ones(self.all, now):
            if name == str(each.identity) or same_name(name) == same_name(each.handle):
                return each
        raise UsersError(f"there is no open request called {name!r}; `requests` lists them")

    def with_(
        self, request: MembershipRequest, is_user: Callable[[str], object]
    ) -> tuple["Requests", MembershipRequest]:
        """A copy with `request` under a handle of its own, and the request as it is there. It replaces a closed one of
        the same identity; an open one stays as it is. `is_user` tells whether a word is the name of a user. Raises
        UsersError if the identity may not ask at `request.since`."""
        now = request.since
        before = self.about(request.identity, now)
        if before is not None and before.standing is Standing.OPEN:
            return self, before
        if before is not None and before.standing is Standing.DENIED:
            raise UsersError(f"{before.identity} was denied, and may not ask again yet")
        left = [each for each in self.all if same(each.identity) != same(request.identity)]
        taken = {same_name(each.handle) for each in left}
        made = replace(request, handle=_free(request.identity, lambda name: same_name(name) in taken or is_user(name)))
        return Requests(_bounded([*left, made], now)), made

    def decided(self, name: str, standing: Standing, now: float, user: str = "") -> "Requests":
        """A copy in which the open request called `name` is approved as `user`, or denied."""
        found = self.named(name, now)
        closed = replace(found, standing=standing, decided=now, user=user)
        return Requests(_bounded([*(each for each in self.all if each is not found), closed], now))

    def on_network(self, old: str, new: str) -> "Requests":
        """A copy in which what is on the network `old` is on `new`; itself, if there is nothing."""
        moved = [_moved(each, old, new) for each in self.all]
        return self if moved == [*self.all] else Requests(moved)

    def without_users(self, is_held: Callable[[Identity], bool]) -> "Requests":
        """A copy in which the open requests of identities that a user holds by now are dropped; itself, if there are
        none. Their handles stay taken for a while: an admin who has read one must not approve somebody else by it."""
        held = [each for each in self.all if each.standing is Standing.OPEN and is_held(each.identity)]
        if not held:
            return self
        closed = [replace(each, standing=Standing.DROPPED, decided=each.since) for each in held]
        return Requests([*(each for each in self.all if each not in held), *closed])


def _moved(request: MembershipRequest, old: str, new: str) -> MembershipRequest:
    (identity,) = on_network([request.identity], old, new)
    room = replace(request.room, network=new) if request.room.network == old else request.room
    return replace(request, identity=identity, room=room)


def in_force(request: MembershipRequest, now: float) -> bool:
    """Whether `request` has not been forgotten yet."""
    return now < (request.since if request.decided is None else request.decided) + LASTS_S


def open_ones(requests: Iterable[MembershipRequest], now: float) -> Sequence[MembershipRequest]:
    """The open ones of `requests` at `now`, oldest first."""
    found = (each for each in requests if each.standing is Standing.OPEN and in_force(each, now))
    return sorted(found, key=lambda each: each.since)


def _bounded(requests: Iterable[MembershipRequest], now: float) -> Sequence[MembershipRequest]:
    """`requests` within the limits. A dropped one keeps its handle for a while: an admin who has read it must not
    approve somebody else by it."""
    kept = [each for each in requests if in_force(each, now)]
    opened = open_ones(kept, now)
    excess = {each.handle for each in opened[: max(0, len(opened) - OPEN)]}
    dropped = [replace(each, standing=Standing.DROPPED, decided=now) for each in opened if each.handle in excess]
    closed = sorted((each for each in kept if each.standing is not Standing.OPEN), key=lambda each: each.decided or 0.0)
    return [*[*closed, *dropped][-CLOSED:], *(each for each in opened if each.handle not in excess)]


def _free(identity: Identity, is_taken: Callable[[str], object]) -> str:
    """A short name for who holds `identity`, which no option, pattern or other person can be taken for."""
    match identity.kind:
        case Proof.MATRIX:
            name = identity.value[1:].partition(":")[0]
        case Proof.IRC:
            name = identity.value
        case Proof.IRC_MASK:
            name = identity.value.partition("!")[2].partition("@")[0]
    plain = "".join(filter(_HANDLE.__contains__, name)).strip("-._")[:_LONGEST] or "somebody"
    numbered = (f"{plain}{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([plain], numbered) if not is_taken(name))
