"""Checks of the store: how long the oldest message waits, and whether any is dead."""

import time
from collections.abc import Iterator
from pathlib import Path

from bridge.doctor.finding import Finding, fail, ok, skip, warn
from bridge.store import peek
from bridge.store.contract import StoreError

_LATE_S = 300.0


def found(store: peek.Place) -> Iterator[Finding]:
    """Look at the store, read-only."""
    if isinstance(store, Path) and not store.exists():
        yield skip("store", "no daemon has run yet")
        return
    try:
        states = peek.deliveries(store)
    except StoreError as error:
        yield fail("store", f"it cannot be read: {error}", "restore a backup, or move the file away")
        return
    number, oldest = states.get("queued", (0, 0.0))
    yield waiting(number, oldest, time.time())
    yield dead(states.get("dead", (0, 0.0))[0])


def waiting(number: int, oldest: float, now: float) -> Finding:
    """`number` deliveries wait, the `oldest` since then (seconds since the epoch)."""
    if not number:
        return ok("outbox", "nothing waits")
    said = f"{number} deliveries wait, the oldest for {max(0, now - oldest):.0f} s"
    if now - oldest > _LATE_S:
        return warn("outbox", said, "see `quackbridge outbox list` for why")
    return ok("outbox", said)


def dead(number: int) -> Finding:
    """`number` deliveries could not be made."""
    if number:
        do = "see `quackbridge outbox list`; then `outbox retry` or `outbox drop`"
        return warn("dead letters", f"{number} messages could not be delivered", do)
    return ok("dead letters", "there are none")
