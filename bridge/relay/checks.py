"""Why a part of the bridge is not well, in words for the operator; '' if it is. Pure."""

import re
from collections.abc import Mapping

from bridge.lib.durations import spelled
from bridge.lib.sizes import spelled as size
from bridge.model.health import Queue
from bridge.model.text import one_line

LEAST_FREE = 64_000_000
"""Bytes: below it, the operator has to act. What is heard waits once less than 8 MB are free (`bridge.store.reserve`);
logs and a backup may take the rest in between."""
LATEST_S = 2.0
"""Seconds that the event loop may be late before it is told: people notice it by then."""
CLOCK_LATELY_S = 300.0
"""Seconds for which it is told that the clock was set."""
_LONGEST = 200
"""Characters of a reason: a server may have written it."""
_BY = re.compile(r"\b(kicked|banned|removed|killed|muted) by .*", re.IGNORECASE | re.DOTALL)


def told(reason: str) -> str:
    """`reason` in one short line, without who did it and what they said: it is shown to anybody."""
    return one_line(_BY.sub(r"\1", reason), _LONGEST)


def of_outbox(queues: Mapping[str, Queue], now: float, max_age: float) -> str:
    """`max_age`: how many seconds a message may wait. The network whose messages wait longest is named."""
    oldest = {name: queue.oldest for name, queue in queues.items() if queue.oldest is not None}
    if not oldest:
        return ""
    name = min(oldest, key=oldest.__getitem__)
    age = now - oldest[name]
    return f"messages for {name} have waited for {spelled(age)}" if age > max_age else ""


def of_disk(free: int | None, full: str) -> str:
    """`free`: bytes on the disk of the store, None if unknown. `full`: why what is heard has to wait for space."""
    if full:
        return "the disk of the store is full: what is said waits at the servers until there is space"
    if free is not None and free < LEAST_FREE:
        return f"only {size(free)} are left on the disk of the store"
    return ""


def of_clock(step: float) -> str:
    """`step`: by how many seconds the clock was set lately."""
    if not step:
        return ""
    return f"the clock of this machine was set {'forward' if step > 0 else 'back'} by {spelled(abs(step))}"


def of_loop(lag: float) -> str:
    """`lag`: how many seconds the event loop was late."""
    return f"the process is late by {lag:.1f} s: this machine is too busy" if lag > LATEST_S else ""
