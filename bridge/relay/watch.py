"""Watches for unreachable rooms and for messages to give up, and tells the people concerned."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from bridge.model.accounting import Loss
from bridge.model.event import Room
from bridge.network import Network, Reports
from bridge.relay import outages
from bridge.relay.checks import told
from bridge.relay.gaps import GAPS
from bridge.relay.outages import Outage
from bridge.relay.shared import Shared
from bridge.rules.gate import Gate
from bridge.store import Commit, Lease, LeaseLost, stored

log = structlog.get_logger()

_TELL_AGAIN = 600  # looks between two notices of what a room has lost: it may lose something all the time
_TIDY = 10  # looks between two tidyings of the outbox
_AWAY = "away "  # before a room's id: the key that keeps an outage of which others were told


class Lookout:
    """Tells of outages and losses, and bounds the outbox."""

    def __init__(self, gate: Gate, shared: Shared) -> None:
        self._gate = gate
        self._shared = shared
        self._outages = shared.outages
        self._looks = 0
        self._kept: dict[Room, str] = {}  # the outages that the store knows, each with its reason
        self._told: dict[Room, int] = {}  # the look at which people were told what a room has lost

    async def resume(self, lease: Lease) -> None:
        """Load the outages that lasted when an earlier run ended, which of them it has told others of, and the gaps of
        which it has not. Call it before the network begins."""
        await self._resume_outages(lease)
        gone: dict[str, str | None] = {}
        for key, kept in (await stored(lease.recall)).items():
            what = next((prefix for prefix in (_AWAY, GAPS) if key.startswith(prefix)), None)
            if what is None:
                continue
            room = Room(lease.network, key.removeprefix(what))
            if not self._gate.links.of(room):
                gone[key] = None
            elif what == _AWAY:
                since, reason, silenced = json.loads(kept)
                self._outages.resume(Outage(room, since, reason, silenced))
            else:
                self._shared.gaps.resume(room, kept)
        if gone:
            await stored(lease.remember, gone)

    async def _resume_outages(self, lease: Lease) -> None:
        for outage in await stored(lease.lasting_outages):
            if self._gate.links.of(outage.room):
                self._outages.go_on(Outage(outage.room, outage.began, outage.reason))
                self._kept[outage.room] = outage.reason
            else:
                await stored(lease.end_outage, outage.room, self._shared.clock())

    async def look(self, networks: Mapping[str, Network], leases: Mapping[str, Lease]) -> None:
        """Tell of outages and tidy the outbox. Call it about once a second."""
        leases = {name: lease for name, lease in leases.items() if lease.valid()}
        rooms = (room for link in self._gate.links for room in link.rooms if room.network in networks)
        absences = {room: networks[room.network].absence(room) for room in rooms}
        muted = [room for room, why in absences.items() if why is not None and _is_inside(networks[room.network], room)]
        for change in [*self._outages.look(absences, self._shared.clock(), self._shared.terms.tell_after, muted)]:
            if (lease := leases.get(change.outage.room.network)) is not None:
                with suppress(LeaseLost):  # the network was stopped meanwhile, and its rooms are forgotten
                    await self._tell_of(change, lease)
        await self._keep_outages(leases)
        self._shared.heartbeats.beat("look out")
        self._looks += 1
        if self._looks % _TIDY == 0:
            await self._tell_of_gaps(leases)
            await self._tidy(leases)

    async def _keep_outages(self, leases: Mapping[str, Lease]) -> None:
        """Keep in the store which outages have begun, unless they are short, and which are over. Those of a network
        that was stopped go on: it finds them when it begins again."""
        now = self._shared.clock()
        lasting = {each.room: each for each in self._outages.lasting()}
        for room, outage in lasting.items():
            reason = told(outage.reason)
            is_new = now - outage.since >= outages.SHORT and self._kept.get(room) != reason
            if is_new and (lease := leases.get(room.network)) is not None:
                with suppress(LeaseLost):
                    await stored(lease.begin_outage, room, outage.since, reason)
                    self._kept[room] = reason
        for room in [room for room in self._kept if room not in lasting]:
            if (lease := leases.get(room.network)) is not None:
                with suppress(LeaseLost):
                    await stored(lease.end_outage, room, now)
            del self._kept[room]

    async def _tell_of_gaps(self, leases: Mapping[str, Lease]) -> None:
        for room, bundle in self._shared.gaps.due(leases, self._shared.clock(), self._shared.terms.tell_gaps):
            owed = [outages.unknown(room, bundle, other) for other in self._others(room)]
            changes = {GAPS + room.id: self._shared.gaps.kept(room)}
            with suppress(LeaseLost):
                await stored(leases[room.network].commit, Commit.owing(owed, changes=changes))

    async def _tidy(self, leases: Mapping[str, Lease]) -> None:
        """Store why away rooms wait, and give up on what has waited for too long."""
        for room, reason in self._outages.away().items():
            if room.network in leases:
                with suppress(LeaseLost):
                    await stored(leases[room.network].explain, room, reason)
        for lease in leases.values():
            with suppress(LeaseLost):
                await self._tidy_network(lease)

    async def _tidy_network(self, lease: Lease) -> None:
        await self._trim(lease)
        losses = await stored(lease.losses)
        rooms = {room for room in {loss.room for loss in losses} if self._may_tell(room)}
        for loss in losses:
            if loss.room in rooms:
                await self._tell_of_loss(loss, lease, [loss.room, *self._others(loss.room)])

    def _may_tell(self, room: Room) -> bool:
        if self._outages.holds(room) or self._looks - self._told.get(room, -_TELL_AGAIN) < _TELL_AGAIN:
            return False
        if self._gate.links.of(room):
            self._told[room] = self._looks
        return True

    async def _trim(self, lease: Lease) -> None:
        before = self._shared.clock() - self._shared.terms.max_age
        terms = self._shared.terms
        number = await stored(lease.trim, before, terms.per_room, terms.per_room_bytes)
        if number:
            self._shared.counters.given_up[lease.network] += number
            hint = "these messages waited longer than outbox.max_age, or were more than outbox.per_room, and are lost"
            log.error("given_up", network=lease.network, messages=number, hint=hint)

    async def _tell_of(self, change: outages.Begun | outages.Ended, lease: Lease) -> None:
        if isinstance(change, outages.Begun):
            await self._tell_of_outage(change.outage, lease)
            return
        room = change.outage.room
        if change.told or change.until - change.outage.since >= outages.SHORT:
            await self._tell_of_return(change, lease)
        self._outages.let_go(room)
        await stored(lease.hasten, room)

    async def _tell_of_outage(self, outage: Outage, lease: Lease) -> None:
        log.warning(
            "away", room=str(outage.room), reason=outage.reason, hint="messages for this room wait until it is back"
        )
        owed = [outages.begun(outage, other, self._shared.clock()) for other in self._others(outage.room)]
        kept = json.dumps([outage.since, outage.reason, outage.silenced])
        await stored(lease.commit, Commit.owing(owed, changes={_AWAY + outage.room.id: kept}))

    async def _tell_of_return(self, change: outages.Ended, lease: Lease) -> None:
        room, others = change.outage.room, self._others(change.outage.room)
        await self._trim(lease)
        losses = [loss for loss in await stored(lease.losses) if loss.room == room]
        waiting = await stored(lease.waiting, room)
        owed = [outages.back(change, other) for other in others] if change.told else []
        if waiting or losses:
            owed.append(outages.follows(change, waiting, losses, others))
        owed += [outages.lost(loss, other, self._shared.clock()) for loss in losses for other in others]
        changes: Mapping[str, str | None] = {_AWAY + room.id: None} if change.told else {}
        await stored(lease.commit, Commit.owing(owed, changes=changes, told=losses))
        log.info("back", room=str(room), waiting=waiting, lost=sum(loss.number for loss in losses))

    async def _tell_of_loss(self, loss: Loss, lease: Lease, rooms: Sequence[Room]) -> None:
        """Tell `rooms` of a loss; nobody, if its room is in no link."""
        told = rooms if self._gate.links.of(loss.room) else []
        owed = [outages.lost(loss, room, self._shared.clock()) for room in told]
        await stored(lease.commit, Commit.owing(owed, told=[loss]))

    def _others(self, room: Room) -> Sequence[Room]:
        return self._gate.links.others(room)


def _is_inside(network: Network, room: Room) -> bool:
    """Whether we are in a `room` where nothing can be said: then we may not speak."""
    return isinstance(network, Reports) and not network.vitals().problem and network.joined(room)
