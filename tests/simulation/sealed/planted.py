"""Errors that somebody could make with keys, each small: tests of these worlds, which must find them."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from bridge.matrix.crypto.devices.directory import Directory
from bridge.matrix.crypto.olm.machine import Machine
from bridge.matrix.crypto.rows import PREFIX, Rows
from bridge.matrix.rooms.joined import Rooms
from bridge.store import Commit, Committed, Lease


@dataclass(frozen=True, slots=True)
class Error:
    """`wrong`: the adapter with an error in it. `lease`, `copies`: see `SealedWorld`."""

    wrong: Callable[[], AbstractContextManager[object]] = nullcontext
    lease: type[Lease] = Lease
    copies: bool = False


class _RowsLater(Lease):
    """The keys are stored in a transaction of their own, after the cursor that they came with."""

    async def commit(self, commit: Commit) -> Committed:
        rows = {key: text for key, text in commit.changes.items() if key.startswith(PREFIX)}
        rest = {key: text for key, text in commit.changes.items() if key not in rows}
        committed = await super().commit(replace(commit, changes=rest))
        if rows:
            await self.remember(rows)
        return committed


async def _nothing(_self: object) -> None:
    pass


async def _impatient(directory: Any, machine: Machine, users: Collection[str]) -> None:
    """Whoever is asked for already counts as known."""
    if unknown := [user for user in users if user not in directory._fresh]:
        await directory._ask(machine, unknown)


def _in_plain(_self: object, _joined: object, _how: object) -> None:
    pass


PLANTED: Mapping[str, Error] = {
    "keys that are stored after the cursor": Error(lease=_RowsLater),
    "nothing is stored before it leaves": Error(lambda: patch.object(Rows, "flush", _nothing)),
    "devices that are asked for count as known": Error(lambda: patch.object(Directory, "know", _impatient)),
    "a room that is not known to be encrypted": Error(lambda: patch.object(Rooms, "encrypt", _in_plain)),
    "a backup with the keys": Error(copies=True),
}
