"""Tells admins who asks to become a member, and the people who asked what was decided. Privately, each once."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from bridge.lib.ids import digest
from bridge.model.event import Event, Message, Origin, Room
from bridge.model.outbox import Addressed
from bridge.model.talks import is_talk
from bridge.model.text import one_line, plain
from bridge.relay.admins import Admins
from bridge.relay.notices import Notices
from bridge.store import Commit, Lease, LeaseLost, stored
from bridge.users import MembershipRequest, Role, Standing, User, Users
from bridge.users.identities import same_name
from bridge.users.requests import LASTS_S, in_force, open_ones

_NAMED = 5
"""How many of those who ask are named to an admin: they fit into one line on IRC."""
_SHOWN = 60
"""Characters of a shown identity at most."""
_ADMIN, _OUTCOME = "admin ", "outcome "
"""What the keys begin with, under which it is kept when an admin was told, and of which decisions people were."""
_THEIR_VERBS = frozenset({"requests", "approve", "deny"})


class RequestNews:
    """The news of requests. What was told already is kept with the lease that `look` gets.

    `networks` are all networks; a reload replaces them. An admin whom `admins` does not reach is told when they speak.
    """

    def __init__(self, users: Users, notices: Notices, admins: Admins, clock: Callable[[], float]) -> None:
        self._users = users
        self._admins = admins
        self._notices = notices
        self._clock = clock
        self._kept: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self.networks: Collection[str] = ()

    async def resume(self, lease: Lease) -> None:
        """Load what an earlier run has told. Call it before the first look."""
        found = await stored(lease.recall)
        self._kept = {key: value for key, value in found.items() if key.startswith((_ADMIN, _OUTCOME))}
        self._told = dict(self._kept)

    async def look(self, lease: Lease) -> None:
        """Tell what is new. Call it every few seconds."""
        now, requests = self._clock(), self._users.requests()
        if not requests and not self._told:
            return
        owed = [*self._to_admins(now), *self._to_askers(requests, now)]
        self._forget(requests, now)
        told = dict(self._told)
        changes: dict[str, str | None] = {key: None for key in self._kept if key not in told}
        changes |= {key: value for key, value in told.items() if self._kept.get(key) != value}
        if owed or changes:
            with suppress(LeaseLost):  # the daemon stops
                await stored(lease.commit, Commit.owing(owed, changes=changes))
                self._kept = told

    def to_speaker(self, event: Event, user: User) -> Addressed | None:
        """The news for the admin `user`, who has just said `event`; None if there is none, or it is not for them."""
        if user.role is not Role.ADMIN or not isinstance(event.body, Message) or event.origin is not Origin.LIVE:
            return None
        if event.private and plain(event.text).split(maxsplit=1)[:1] in [[verb] for verb in _THEIR_VERBS]:
            return None  # they know
        is_with_us = event.private and not is_talk(event.room)  # else a member's puppet would say it
        room = event.room if is_with_us else Room(event.room.network, event.sender.address)
        return self._to_admin(user, room, self._clock())

    def _to_admins(self, now: float) -> Iterator[Addressed]:
        if not open_ones(self._users.requests(), now):
            return
        for user, room in self._admins.reached():
            if (told := self._to_admin(user, room, now)) is not None:
                yield told

    def _to_admin(self, user: User, room: Room, now: float) -> Addressed | None:
        """The notice of open requests; None if there is none since they were told last, or they were told today."""
        key = _ADMIN + same_name(user.name)
        day, _, newest = self._told.get(key, " -inf").partition(" ")
        found = open_ones(self._users.requests(), now)
        if not found or found[-1].since <= float(newest) or day == _day(now):
            return None
        self._told[key] = f"{_day(now)} {found[-1].since!r}"
        return self._notices.tell(room, f"requests {_day(now)} {same_name(user.name)}", worded(found))

    def _to_askers(self, requests: Collection[MembershipRequest], now: float) -> Iterator[Addressed]:
        for request in requests:
            key = _outcome(request)
            said = _SAID.get(request.standing)
            if said is None or key in self._told or not in_force(request, now):
                continue
            self._told[key] = ""
            if request.room.network in self.networks:
                yield self._notices.tell(request.room, key, said(request))

    def _forget(self, requests: Collection[MembershipRequest], now: float) -> None:
        """Forget what was told of requests and admins that are no more."""
        kept = {_outcome(request) for request in requests if in_force(request, now)}
        admins = {_ADMIN + same_name(user.name) for user in self._users.list() if user.role is Role.ADMIN}
        self._told = {key: value for key, value in self._told.items() if key in kept or key in admins}


def worded(requests: Collection[MembershipRequest]) -> str:
    """What an admin is told of open `requests` (at least one)."""
    shown = [f"{each.handle} ({one_line(str(each.identity), _SHOWN)})" for each in [*requests][:_NAMED]]
    more = [f"{len(requests) - _NAMED} more"] if len(requests) > _NAMED else []
    ask = "1 person asks to become a member" if len(requests) == 1 else f"{len(requests)} people ask to become members"
    return f"{ask}: {', '.join([*shown, *more])}. Say `approve NAME`, `deny NAME`, or `requests` for the list."


def _approved(request: MembershipRequest) -> str:
    identity = one_line(str(request.identity), _SHOWN)
    return f"{identity} is a member now, as {request.user}: an admin has approved the request. What you say is carried."


def _denied(request: MembershipRequest) -> str:
    identity = one_line(str(request.identity), _SHOWN)
    until = datetime.fromtimestamp((request.decided or request.since) + LASTS_S, UTC)
    return f"An admin has declined the request of {identity}. They may ask again after {until:%Y-%m-%d}."


_SAID: Mapping[Standing, Callable[[MembershipRequest], str]] = {Standing.APPROVED: _approved, Standing.DENIED: _denied}


def _outcome(request: MembershipRequest) -> str:
    one = request.identity
    return _OUTCOME + digest(str(one.kind), one.network, one.value, repr(request.decided))


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).date().isoformat()
