"""The real store on a disk that is full: `python -m tests.durability.full_disk FOLDER`, on a file system of its own.

Prints what was seen, a line each, as JSON.
"""

import asyncio
import errno
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from bridge.model.outbox import Delivery, Post
from bridge.store import Commit, Full, Lease
from bridge.store.sqlite import SqliteStore
from tests.events import HOME, LIBERA, matrix, said

MESSAGES = 300
_WORDS = "x" * 500
_BLOCK = 4096


def fill(file: Path) -> None:
    """Fill the disk."""
    with file.open("ab", buffering=0) as filler:
        while True:
            try:
                filler.write(bytes(_BLOCK))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                return


@asynccontextmanager
async def opened(folder: Path) -> AsyncGenerator[tuple[Lease, Lease], None]:
    store = SqliteStore.open(folder / "store.sqlite", lambda: 1_000.0)
    home, libera = await store.acquire(HOME.network, "test"), await store.acquire(LIBERA.network, "test")
    assert home is not None
    assert libera is not None
    yield home, libera
    await store.aclose()


async def hear(home: Lease, number: int) -> bool:
    """Whether there was room for message `number`."""
    event = said(HOME, matrix("alice"), f"{number} {_WORDS}", f"${number}")
    try:
        await home.commit(Commit(await home.cursor(), f"c{number}", [event], [Delivery.of(event.key, LIBERA)]))
    except Full:
        return False
    return True


async def deliver(libera: Lease, most: int) -> int:
    """How many messages could be sent."""
    sent = 0
    while sent < most and (backlogs := await libera.due(2_000.0, each=1)):
        for backlog in backlogs:
            ids = tuple(owed.delivery for owed in backlog.owed)
            posts = backlog.posts or await libera.plan(backlog.room, [Post.of(backlog.room, ids, 0, _WORDS)])
            sent += await libera.sent(posts[0], f"remote id of {posts[0].id}")
    return sent


async def main(folder: Path) -> None:
    async with opened(folder) as (home, _):
        heard = [await hear(home, number) for number in range(MESSAGES)]
        _tell(heard=sum(heard), free=_free(folder))
    fill(folder / "filler")
    async with opened(folder) as (home, libera):
        number = MESSAGES
        while await hear(home, number):
            number += 1
        _tell(heard_when_full=number - MESSAGES, free=_free(folder))
        _tell(sent=await deliver(libera, MESSAGES // 2), free=_free(folder))
        _tell(heard_then=await hear(home, number))
    fill(folder / "filler")
    async with opened(folder) as (home, libera):
        _tell(heard_after_a_restart=await hear(home, number))
        _tell(sent_after_a_restart=await deliver(libera, 10_000), free=_free(folder))
        (folder / "filler").unlink()
        _tell(heard_with_room=await hear(home, number))
        _tell(sent_with_room=await deliver(libera, 10_000))


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _tell(**seen: int) -> None:
    print(json.dumps(seen), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
