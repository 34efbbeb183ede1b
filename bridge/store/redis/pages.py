"""The outbox and the ledger of a store on Redis, put together from pages: the server does nothing else while it reads
one. What changes in between may be seen as it was before or after."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from typing import Any

from bridge.model.accounting import REDACTED, Account, Count, Ledger, Tally
from bridge.model.event import BOTS, Origin, Room
from bridge.model.outbox import Entry
from bridge.store.redis import packing
from bridge.store.redis.packing import Json, decimal
from bridge.store.redis.verbs import MINUTE_S

Read = Callable[..., Coroutine[Any, Any, Any]]

_QUEUES = 100
"""Queues that are asked about at once."""


async def outbox(read: Read) -> Sequence[Entry]:
    """See `bridge.store.contract.Store.outbox`. `read` carries out a verb."""
    found = {each["id"]: each async for each in _waiting(read, bodies=True)}  # one may die, and be found again
    return packing.read_outbox(found.values())


async def ledger(read: Read, since: float) -> Ledger:
    """See `bridge.store.contract.Store.ledger`. What was queued since then and is finished was finished since then; the
    rest waits or is dead. What waits is asked for first: it may be finished meanwhile, and is found again."""
    found = {each["id"]: each async for each in _waiting(read, bodies=False)}
    found |= {each["id"]: each async for each in _done(read, since)}
    people = [each for each in found.values() if _is_of_people(each, since)]
    counts: Counter[tuple[str, ...]] = Counter()
    async for name, number in _counted(read, since):
        counts[name] += number
    return _ledger(people, counts)


async def _waiting(read: Read, *, bodies: bool) -> AsyncIterator[Json]:
    left: list[Json] = await read("waiting_queues")
    while left:
        asked = left[:_QUEUES]
        page = await read("waiting_page", asked, bodies=bodies)
        for each in page["found"]:
            yield each
        if (number := page.get("number")) is None:
            left = left[len(asked) :]
        else:
            left = [{**asked[number - 1], "after": page["after"]}, *left[number:]]


async def _done(read: Read, since: float) -> AsyncIterator[Json]:
    begin, skip = decimal(since), 0
    while page := await read("done_page", begin, skip):
        for each in page:
            yield each
        last = page[-1]["done"]
        same = sum(each["done"] == last for each in page)
        begin, skip = last, skip + same if last == begin else same


async def _counted(read: Read, since: float) -> AsyncIterator[tuple[tuple[str, ...], int]]:
    minute = int(since // MINUTE_S)
    while (page := await read("counts_page", minute))["last"] is not None:
        for name, number in page["counts"]:
            yield tuple(name), number
        minute = int(page["last"]) + 1


def _is_of_people(delivery: Json, since: float) -> bool:
    if float(delivery["since"]) < since or delivery["network"] == BOTS or delivery["reason"] == REDACTED:
        return False
    return bool(delivery["heard"] != BOTS and delivery["origin"] != Origin.OURS)


def _ledger(deliveries: Iterable[Json], counts: Counter[tuple[str, ...]]) -> Ledger:
    carried: set[str] = set()
    fates: dict[Room, Counter[str]] = {}
    lost: Counter[str] = Counter()
    for each in deliveries:
        carried.add(each["event"])
        fates.setdefault(Room(each["network"], each["room"]), Counter())[each["state"]] += 1
        if each["state"] in {"dead", "dropped"}:
            lost[each["reason"]] += 1
    return Ledger(
        len(carried),
        tuple(Account(room, **states) for room, states in sorted(fates.items(), key=lambda each: each[0])),
        tuple(
            (Count(Room(network, room), Tally(what), reason), number)
            for (network, room, what, reason), number in packing.in_order(
                counts.items(), lambda each: (-each[1], *each[0])
            )
        ),
        tuple(packing.in_order(lost.items(), lambda each: (-each[1], each[0]))),
    )
