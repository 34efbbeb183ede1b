"""A simulated disk: after a power cut it has what was synced, and any part of what was written since."""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeAlias

from tests.durability.trace import Grown, MadeFolder, Moved, Opened, Operation, Removed, Sized, Synced, Written

SECTOR = 512  # bytes that a disk writes whole or not at all, which SQLite expects too

Image: TypeAlias = Mapping[str, bytes]
"""The files that are found, by their paths."""
_Change: TypeAlias = Written | Sized | Grown
_Entries: TypeAlias = Mapping[str, "_File | _Folder | None"]


@dataclass(slots=True)
class _File:
    """What is on the disk, and what is not yet, each with the number of the operation that did it."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, _Change]] = field(default_factory=list)

    def sync(self, before: int) -> None:
        _put(self.durable, (change for number, change in self.pending if number < before))
        self.pending = [(number, change) for number, change in self.pending if number >= before]

    def survived(self, rng: random.Random) -> bytes:
        content = bytearray(self.durable)
        changes = [change for _, change in self.pending]
        _put(content, _some(changes, rng))
        if changes and rng.random() < 0.3:  # the size was kept, the data was not
            whole = bytearray(self.durable)
            _put(whole, changes)
            missing = max(0, len(whole) - len(content))
            content += rng.choice((bytes, rng.randbytes))(missing)
        return bytes(content)


@dataclass(slots=True)
class _Folder:
    """As a file; a renaming is one change to several entries, and None is an entry that goes."""

    durable: _Entries = field(default_factory=dict)
    pending: list[tuple[int, _Entries]] = field(default_factory=list)

    def now(self) -> _Entries:
        return _with(self.durable, (change for _, change in self.pending))

    def sync(self, before: int) -> None:
        self.durable = _with(self.durable, (change for number, change in self.pending if number < before))
        self.pending = [(number, change) for number, change in self.pending if number >= before]

    def survived(self, rng: random.Random) -> _Entries:
        changes = [change for _, change in self.pending]
        share = rng.choice((0.0, 0.5, 1.0))
        return _with(self.durable, (change for change in changes if rng.random() < share))


class Disk:
    """A folder that is there, and empty, before the first operation."""

    def __init__(self) -> None:
        self._root = _Folder()

    def apply(self, number: int, operation: Operation) -> None:
        """Apply an operation of the program; `number` is its index in the trace."""
        match operation:
            case Opened(path, truncated):
                if self._find(path) is None:
                    self._enter(number, {path: _File()})
                if truncated:
                    self._file(path).pending.append((number, Sized(path, 0)))
            case MadeFolder(path):
                self._enter(number, {path: _Folder()})
            case Written(path) | Sized(path) | Grown(path):
                self._file(path).pending.append((number, operation))
            case Synced(path, before):
                if (place := self._find(path)) is not None:
                    place.sync(before)
            case Removed(path):
                self._enter(number, {path: None})
            case Moved(path, to):
                self._enter(number, {path: None, to: self._find(path)})
            case _:
                pass  # nothing of the disk

    def whole(self) -> Image:
        """All files as the running program sees them."""
        return dict(_present(self._root, PurePosixPath()))

    def image(self, rng: random.Random) -> Image:
        """One of the disks that a power cut at this moment may leave."""
        return dict(_survivors(self._root, PurePosixPath(), rng))

    def _find(self, path: str) -> _File | _Folder | None:
        place: _File | _Folder | None = self._root
        for part in PurePosixPath(path).parts:
            place = place.now().get(part) if isinstance(place, _Folder) else None
        return place

    def _file(self, path: str) -> _File:
        found = self._find(path)
        assert isinstance(found, _File), f"{path} was not seen being made"
        return found

    def _enter(self, number: int, entries: _Entries) -> None:
        (parent,) = {str(PurePosixPath(path).parent) for path in entries}
        folder = self._find(parent)
        assert isinstance(folder, _Folder), f"{parent} was not seen being made"
        folder.pending.append((number, {PurePosixPath(path).name: entry for path, entry in entries.items()}))


def _with(entries: _Entries, changes: Iterable[_Entries]) -> _Entries:
    changed = dict(entries)
    for change in changes:
        changed |= change
    return {name: entry for name, entry in changed.items() if entry is not None}


def _put(content: bytearray, changes: Iterable[_Change]) -> None:
    for change in changes:
        size = change.offset if isinstance(change, Written) else change.size
        content.extend(bytes(max(0, size - len(content))))
        if isinstance(change, Written):
            content[change.offset : change.offset + len(change.data)] = change.data
        elif isinstance(change, Sized):
            del content[change.size :]


def _present(folder: _Folder, at: PurePosixPath) -> Iterator[tuple[str, bytes]]:
    for name, entry in folder.now().items():
        if isinstance(entry, _Folder):
            yield from _present(entry, at / name)
        elif entry is not None:
            content = bytearray(entry.durable)
            _put(content, (change for _, change in entry.pending))
            yield str(at / name), bytes(content)


def _survivors(folder: _Folder, at: PurePosixPath, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    for name, entry in folder.survived(rng).items():
        if isinstance(entry, _Folder):
            yield from _survivors(entry, at / name, rng)
        elif entry is not None:
            yield str(at / name), entry.survived(rng)


def _some(changes: Sequence[_Change], rng: random.Random) -> Iterable[_Change]:
    """A random part of `changes`, as a disk may have written them in any order."""
    share = rng.choice((0.1, 0.5, 0.9))
    match rng.randrange(5):
        case 0:
            return ()
        case 1:
            return changes
        case 2:
            return [change for change in changes if rng.random() < share]
        case 3:
            count = rng.randint(0, len(changes))
            torn = _sectors(changes[count - 1], rng, share) if count else ()
            return (*changes[: max(0, count - 1)], *torn)
        case _:
            return [sector for change in changes for sector in _sectors(change, rng, share)]


def _sectors(change: _Change, rng: random.Random, share: float) -> Iterator[_Change]:
    """Some of the sectors that were written."""
    if not isinstance(change, Written):
        if rng.random() < share:
            yield change
        return
    start, end = change.offset, change.offset + len(change.data)
    for sector in range(start // SECTOR, -(-end // SECTOR)):
        if rng.random() < share:
            first, last = max(start, sector * SECTOR), min(end, (sector + 1) * SECTOR)
            yield Written(change.path, first, change.data[first - start : last - start])
