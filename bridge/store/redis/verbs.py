"""What each verb of the contract sends to its script, and how the script's answer is read."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from bridge.model.accounting import Traffic, TrafficKind
from bridge.model.event import BOTS, VOICES, EventKey, Room
from bridge.model.health import Lines, Queue
from bridge.model.history import Run
from bridge.model.outbox import Post, Revoked
from bridge.store.contract import LEASE_S, Commit, Committed, Dead, Dropped, Fate, Owner, Shown, Waits
from bridge.store.redis import packing
from bridge.store.redis.packing import Json, decimal
from bridge.store.tables.bodies import load
from bridge.store.tables.files import ALL_TEXTS, GUESTS_TEXTS
from bridge.store.tables.networks import REPORT

_EXPIRE_AT_ONCE = 500  # rows a call: takes milliseconds, so that expiring never delays a message
_PAGE, _PAGE_BYTES = 100, 128 * 1024  # deliveries, or minutes, a call, and bytes of their texts: some milliseconds
MINUTE_S, _DAY_S = 60, 86_400
_REASON = 300  # characters kept of an outage's reason


def _is_real(network: str) -> bool:
    return network != BOTS and not network.startswith(VOICES)


def _as_it_is(answer: Any) -> Any:
    return answer


@dataclass(frozen=True, slots=True)
class Request:
    """A call of a script: its arguments, how its answer is read, the rooms that it is about, and the lease that it
    needs: network and token; None: none."""

    args: Mapping[str, object]
    read: Callable[[Any], Any] = _as_it_is
    rooms: Collection[Room] = ()
    lease: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Verbs:
    """The verbs as `bridge.store.core.Core` has them, with the same arguments; each returns the request for it. `now`
    is in seconds since the epoch, and not in the arguments: a repeated call has the same. `excerpt` is how many
    characters of each carried message are kept."""

    now: float
    excerpt: int

    # Networks

    def keep(self, network: str, token: str) -> Request:
        return Request({"seconds": LEASE_S}, lease=(network, token))

    def renew(self, network: str, token: str, cursor: str | None) -> Request:
        return Request({"cursor": cursor}, lease=(network, token))

    def report(self, network: str, token: str, words: str) -> Request:
        return Request({"changes": {REPORT: words}}, lease=(network, token))

    def release(self, network: str, token: str) -> Request:
        return Request({"network": network, "token": token, "voice": network.startswith(VOICES)})

    def cursor(self, network: str, token: str) -> Request:
        return Request({}, lease=(network, token))

    def recall(self, network: str, token: str) -> Request:
        return Request({}, lambda flat: dict(zip([*flat][::2], [*flat][1::2], strict=True)), lease=(network, token))

    def remember(self, network: str, token: str, changes: Mapping[str, str | None]) -> Request:
        return Request({"changes": dict(changes)}, lease=(network, token))

    # Intake

    def commit(self, network: str, token: str, commit: Commit) -> Request:
        def read(answer: Json) -> Committed:
            planned = frozenset(Room(*place) for place in answer.get("planned", ()))
            return Committed(answer["new"], planned, frozenset(answer.get("erased", ())))

        rooms = {*(each.room for each in commit.deliveries), *(each.room for each in commit.events)}
        return Request(packing.commit(commit, self.excerpt), read, rooms, (network, token))

    def known(self, network: str, token: str, events: Collection[EventKey]) -> Request:
        asked = [*events]

        def read(answer: Sequence[Json | None]) -> Mapping[EventKey, Any]:
            found = zip(asked, answer, strict=True)
            return {key: packing.read_known(known) for key, known in found if known is not None}

        rooms = {key.room for key in asked}
        return Request({"events": [packing.key(each) for each in asked]}, read, rooms, (network, token))

    # Delivering

    def waiting(self, network: str, token: str, room: Room) -> Request:
        return Request(packing.room(room), rooms=(room,), lease=(network, token))

    def due(
        self,
        network: str,
        token: str,
        now: float,
        rooms: int = 32,
        each: int = 20,
        without: Collection[Room] = (),
    ) -> Request:
        excluded = [room.id for room in without if room.network == network]
        return Request(
            {"now": decimal(now), "rooms": rooms, "each": each, "without": excluded},
            lambda found: [packing.read_backlog(network, backlog, now) for backlog in found],
            lease=(network, token),
        )

    def said_in(self, network: str, token: str, room: Room, since: float, most: int) -> Request:
        return Request(
            {**packing.room(room), "since": decimal(since), "most": most},
            lambda found: [packing.read_known(known) for known in found],
            (room,),
            (network, token),
        )

    def plan(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Request:
        return self._freezes(network, token, room, posts)

    def append(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Request:
        return self._freezes(network, token, room, posts)

    def _freezes(self, network: str, token: str, room: Room, posts: Sequence[Post]) -> Request:
        return Request(
            {**packing.room(room), "posts": [packing.pack_post(post) for post in posts]},
            lambda found: packing.read_posts(room, found),
            (room,),
            (network, token),
        )

    def thaw(self, network: str, token: str, room: Room) -> Request:
        return Request(packing.room(room), rooms=(room,), lease=(network, token))

    def behind(self, network: str, token: str, room: Room) -> Request:
        return Request(
            packing.room(room),
            lambda found: packing.read_owed(room, found, self.now) if found is not None else None,
            (room,),
            (network, token),
        )

    def sent(self, network: str, token: str, post: Post, remote_id: str, then: Sequence[Post] = ()) -> Request:
        after = [packing.pack_post(each) for each in then]
        args = {**packing.room(post.room), "post": packing.pack_post(post), "remote": remote_id, "next": after}
        return Request(args, rooms=(post.room,), lease=(network, token))

    def settle(self, network: str, token: str, fate: Fate) -> Request:
        args: Json
        match fate:
            case Waits(room, until, reason):
                args = {"fate": "waits", "room": room.id, "till": decimal(until), "reason": reason}
            case Dead(deliveries, reason):
                args = {"fate": "dead", "deliveries": [*deliveries], "reason": reason}
            case Shown(deliveries):
                args = {"fate": "shown", "deliveries": [*deliveries]}
            case Dropped(deliveries, reason):
                args = {"fate": "dropped", "deliveries": [*deliveries], "reason": reason}
            case _ as never:
                assert_never(never)
        return Request(args, lambda bodies: [load(body) for body in bodies], lease=(network, token))

    def explain(self, network: str, token: str, room: Room, reason: str) -> Request:
        return Request({"room": room.id, "reason": reason}, rooms=(room,), lease=(network, token))

    def hasten(self, network: str, token: str, room: Room) -> Request:
        return Request({"room": room.id}, rooms=(room,), lease=(network, token))

    def trim(self, network: str, token: str, before: float, most: int, most_bytes: int = 2**62) -> Request:
        args = {"before": decimal(before), "most": most, "most_bytes": most_bytes}
        return Request(args, lease=(network, token))

    def losses(self, network: str, token: str) -> Request:
        return Request({}, lambda found: packing.read_losses(network, found), lease=(network, token))

    # Outages and runs

    def begin_outage(self, network: str, token: str, room: Room, began: float, reason: str) -> Request:
        args = {**packing.room(room), "began": decimal(began), "reason": reason[:_REASON]}
        return Request(args, lease=(network, token))

    def end_outage(self, network: str, token: str, room: Room, ended: float) -> Request:
        return Request({**packing.room(room), "ended": decimal(ended)}, lease=(network, token))

    def lasting_outages(self, network: str, token: str) -> Request:
        return Request({}, lambda found: packing.in_order_of_rooms(packing.read_outages(found)), lease=(network, token))

    def outages(self, since: float) -> Request:
        return Request({"since": decimal(since)}, packing.read_outages)

    def begin_run(self, version: str) -> Request:
        return Request({"version": version})

    def end_run(self, version: str = "") -> Request:
        return Request({"version": version})

    def owners(self) -> Request:
        def read(found: Mapping[str, Sequence[str]]) -> Mapping[str, Owner]:
            return {name: Owner(*found[name]) for name in sorted(found)}

        return Request({"report": REPORT}, read)

    def agree(self, name: str, value: str) -> Request:
        return Request({"network": BOTS, "name": name, "value": value})

    def runs(self, since: float) -> Request:
        def read(found: Sequence[Json]) -> Sequence[Run]:
            return [Run(float(run["began"]), packing.read_time(run["ended"]), run["version"]) for run in found]

        return Request({"since": decimal(since)}, read)

    # Without a lease

    def try_to_write(self) -> Request:
        return Request({})

    def try_to_take_in(self) -> Request:
        return Request({})

    def queues(self) -> Request:
        def read(found: Sequence[Any]) -> Mapping[str, Queue]:
            listed = packing.in_order(found, lambda each: (each[0],))
            return {name: Queue(number, dead, packing.read_time(oldest)) for name, number, dead, oldest in listed}

        return Request({}, read)

    def last_lines(self, rooms: Collection[Room]) -> Request:
        asked = [*rooms]

        def read(found: Sequence[tuple[str | None, str | None]]) -> Mapping[Room, Lines]:
            times = ([packing.read_time(time) for time in each] for each in found)
            return {room: Lines(*each) for room, each in zip(asked, times, strict=True)}

        return Request({"rooms": [[room.network, room.id] for room in asked]}, read, asked)

    def remote_ids(self, event: EventKey, room: Room) -> Request:
        return Request({**packing.room(room), "event": packing.key(event)}, lambda found: [*found], (room, event.room))

    def source_of(self, room: Room, remote_id: str) -> Request:
        return Request(
            {**packing.room(room), "remote": remote_id},
            lambda found: packing.read_key(found) if found is not None else None,
            (room,),
        )

    def waiting_queues(self) -> Request:
        """The first step of `outbox` and `ledger`: all queues in which something waits or is dead."""
        return Request({}, lambda found: [{**each, "after": "-inf"} for each in found])

    def waiting_page(self, queues: Sequence[Json], *, bodies: bool) -> Request:
        """Some of what is in `queues`. `bodies`: with the texts, and why each waits."""
        return Request({"queues": [*queues], "bodies": bodies, "most": _PAGE, "most_bytes": _PAGE_BYTES})

    def done_page(self, since: str, skip: int) -> Request:
        """Some of what was finished from `since` on, without the first `skip` of it."""
        return Request({"since": since, "skip": skip, "most": _PAGE})

    def counts_page(self, minute: int) -> Request:
        """Some of what was counted from that minute on."""
        return Request({"minute": minute, "most": _PAGE})

    def networks(self) -> Request:
        def read(numbers: Mapping[str, int]) -> Mapping[str, int]:
            return {name: numbers[name] for name in packing.in_order(numbers, lambda each: (each,)) if _is_real(name)}

        return Request({}, read)

    def retry(self, delivery: str) -> Request:
        return Request({"delivery": delivery})

    def drop(self, delivery: str) -> Request:
        return Request({"delivery": delivery})

    def file(self, handle: str) -> Request:
        return Request({"handle": handle}, packing.read_hosted)

    def text(self, handle: str) -> Request:
        return Request({"handle": handle})

    def count_traffic(self, used: Mapping[TrafficKind, Traffic]) -> Request:
        return Request({"used": [[kind, str(each.number), str(each.bytes)] for kind, each in used.items()]})

    def traffic_since(self, since: float) -> Request:
        def read(found: Sequence[tuple[str, str, str]]) -> Mapping[TrafficKind, Traffic]:
            total: dict[TrafficKind, Traffic] = {}
            for kind, number, size in found:
                before = total.get(TrafficKind(kind), Traffic())
                total[TrafficKind(kind)] = Traffic(before.number + int(number), before.bytes + int(size))
            return total

        return Request({"day": int(since // _DAY_S)}, read)

    def revoke(self, handle: str) -> Request:
        return Request({"handle": handle})

    def revoke_of(self, event_id: str, network: str = "") -> Request:
        return Request({"event": event_id, "network": network}, lambda numbers: Revoked(*numbers))

    def links_said(self, rooms: Collection[Room] | None) -> Request:
        """The first step of `revoke_said`: the links in `rooms` by their senders, as these are stored."""
        return Request({"rooms": None if rooms is None else [[room.network, room.id] for room in rooms]})

    def revoke_these(self, links: Sequence[Sequence[str]]) -> Request:
        """The second step of `revoke_said`: revoke links, given as handles and events."""
        return Request({"links": [*links]}, lambda numbers: Revoked(*numbers))

    def expire(self, before: float) -> Request:
        return Request(
            {
                "before": decimal(before),
                "minute": int(before // MINUTE_S),
                "day": int(before // _DAY_S),
                "most": _EXPIRE_AT_ONCE,
                "all_texts": ALL_TEXTS,
                "guests_texts": GUESTS_TEXTS,
            }
        )
