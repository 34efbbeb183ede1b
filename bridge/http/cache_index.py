"""The index of the file cache: what it holds, and what is evicted first (the least recently used). Pure."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

_BLOCK = 4096
"""Bytes of a block on disk: a file takes whole blocks, so that small files are counted as what they cost."""
_SHARE = 4
"""A file takes a quarter of the bound at most, so that one does not evict all others."""
_MOST = 10_000
"""Files at most: `sweep` looks each one up every hour."""


def cost(size: int) -> int:
    """The bytes that a file of `size` bytes takes on disk."""
    return -(-max(size, 1) // _BLOCK) * _BLOCK


@dataclass(slots=True, eq=False)
class CachedFile:
    """A file in the cache, or on its way into it. `readers`: how many read it now. `is_gone`: it is removed, but takes
    space until the last of them is done."""

    name: str
    cost: int
    readers: int = 0
    is_gone: bool = False


class CacheIndex:
    """The files of a cache by their names. `used`: the bytes that they take, with those that are being written."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, CachedFile] = OrderedDict()
        self._reading: set[CachedFile] = set()
        self._writing: set[CachedFile] = set()
        self.used = 0

    def names(self) -> Sequence[str]:
        """The least recently used first."""
        return [*self._files]

    def add(self, name: str, size: int) -> None:
        """Add a file that is on disk already, as the most recently used."""
        self._files[name] = CachedFile(name, cost(size))
        self.used += cost(size)

    def reserve(self, name: str, size: int, bound: int) -> tuple[CachedFile, Sequence[str]] | None:
        """Reserve space for a file of `size` bytes that will be written. Returns its entry, and the names of files that
        are evicted for it and have to be removed first; None if there is no space."""
        is_known = name in self._files or any(self.is_wanted(each) for each in self._writing if each.name == name)
        fixed = sum(entry.cost for entry in self._writing | self._reading)  # what is being written and read cannot go
        if is_known or cost(size) > bound // _SHARE or fixed + cost(size) > bound:
            return None
        gone = self._shrink(bound - cost(size), _MOST - len(self._writing) - 1)
        entry = CachedFile(name, cost(size))
        self._writing.add(entry)
        self.used += entry.cost
        return entry, gone

    def is_wanted(self, entry: CachedFile) -> bool:
        """Whether the file that is being written is still wanted."""
        return entry in self._writing and not entry.is_gone

    def commit(self, entry: CachedFile) -> bool:
        """The file is written. False if it is not wanted any more: then call `cancel`."""
        if not self.is_wanted(entry):
            return False
        self._writing.discard(entry)
        self._files[entry.name] = entry
        return True

    def cancel(self, entry: CachedFile) -> None:
        """The file is given up, and what was written of it is removed: free its space."""
        if entry in self._writing:
            self._writing.discard(entry)
            self.used -= entry.cost

    def acquire(self, name: str) -> CachedFile | None:
        """Begin to read a file, which is not evicted until `release`; None if there is none."""
        entry = self._files.get(name)
        if entry is not None:
            self._files.move_to_end(name)
            entry.readers += 1
            self._reading.add(entry)
        return entry

    def release(self, entry: CachedFile) -> None:
        entry.readers -= 1
        if not entry.readers:
            self._reading.discard(entry)
            if entry.is_gone:
                self.used -= entry.cost

    def remove(self, name: str) -> bool:
        """Remove a file, also while it is read; one that is being written is not wanted any more. False if there is
        none to read."""
        for each in self._writing:
            each.is_gone |= each.name == name
        entry = self._files.pop(name, None)
        if entry is None:
            return False
        entry.is_gone = True
        if not entry.readers:
            self.used -= entry.cost
        return True

    def shrink(self, bound: int) -> Sequence[str]:
        """Evict until `bound` bytes are used. Returns the names of the files, which are to be removed from the disk."""
        return self._shrink(bound, _MOST)

    def _shrink(self, bound: int, most: int) -> Sequence[str]:
        gone = []
        for entry in [*self._files.values()]:
            if self.used <= bound and len(self._files) <= most:
                break
            if not entry.readers:
                self.remove(entry.name)
                gone.append(entry.name)
        return gone
