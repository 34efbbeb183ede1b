"""The keys of encryption, as rows of the network's memory: stored with the events that they came with, or before
anything leaves that depends on them."""

import asyncio
import json
from collections.abc import Mapping

from bridge.network import UNCOPIED, Memory

PREFIX = f"{UNCOPIED}crypto "
"""How the keys of all rows begin. A copy of the store must not have them: who goes back to older ones seals two things
with one key."""

SEEDS, SECRET, STORAGE, SHOWN, OWNER = "seeds", "recovery", "storage", "shown", "owner"
"""The kinds of the rows of `identity` and `storage`: the seeds of our cross-signing keys, and the key of the secret
storage until it was shown, both as hexadecimal digits; the names of that key and of those before it in the account's
data; when the key was shown (seconds since the epoch); and whose seeds they are."""
_OF_ACCOUNT = (SEEDS, SECRET, STORAGE, SHOWN, OWNER)
RECOVERY, RECOVERY_SHOWN = f"{PREFIX}{SECRET} ", f"{PREFIX}{SHOWN} "
"""The whole keys of two of these."""

WAITING = "waiting"
"""The kind of the messages that wait for their keys: they change only together with the events that they become."""

NEWS = "news"
"""The kind of what admins are to be told: it is forgotten only together with the batch that tells them."""

Changes = Mapping[str, str | None]


class Rows:
    """Rows by kind and name, all of them in our memory too. Not more than one store of them is under way at a time: an
    older value never comes after a newer one."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._rows: dict[str, dict[str, str]] = {}
        self._changed: dict[str, str | None] = {}
        self._underway: dict[str, str | None] = {}
        self._storing = asyncio.Lock()
        self._is_loaded = False

    async def load(self) -> None:
        """Load what is stored. What we have in memory already is newer: then the store gets all of it."""
        if self._is_loaded:
            self.give_back()
            kinds = self._rows.items()
            self._changed = {_key(kind, name): value for kind, rows in kinds for name, value in rows.items()}
            return
        for key, value in (await self._memory.recall()).items():
            if key.startswith(PREFIX):
                kind, _, name = key.removeprefix(PREFIX).partition(" ")
                self._rows.setdefault(kind, {})[name] = value
        self._is_loaded = True

    @property
    def has_changed(self) -> bool:
        """Whether anything is not stored, or under way to be."""
        return bool(self._changed)

    def of(self, kind: str) -> Mapping[str, str]:
        """All rows of a kind, by name."""
        return self._rows.get(kind, {})

    def get(self, kind: str, name: str = "") -> str | None:
        return self.of(kind).get(name)

    def put(self, kind: str, name: str, value: str | None) -> None:
        """Set a row; None removes it."""
        if self.get(kind, name) == value:
            return
        if value is None:
            self._rows[kind].pop(name)
        else:
            self._rows.setdefault(kind, {})[name] = value
        self._changed[_key(kind, name)] = value

    def clear(self) -> None:
        """Remove all rows, but for those of the account: they outlive a device."""
        for kind in [kind for kind in self._rows if kind not in _OF_ACCOUNT]:
            self._changed |= {_key(kind, name): None for name in self._rows.pop(kind)}

    async def take(self) -> Changes:
        """What has changed, for the caller to store: until `stored` or `give_back`, nothing else stores any."""
        await self._storing.acquire()
        return self._begin(self._changed)

    def _begin(self, changes: Changes) -> Changes:
        self._underway = dict(changes)
        self._changed = {key: value for key, value in self._changed.items() if key not in changes}
        if not self._underway:
            self._storing.release()
        return dict(self._underway)

    def stored(self) -> None:
        """What was taken is stored."""
        if self._underway:
            self._underway = {}
            self._storing.release()

    def give_back(self) -> None:
        """What was taken may not be stored: it is taken again."""
        if self._underway:
            self._changed = self._underway | self._changed
            self.stored()

    async def flush(self) -> None:
        """Store what has changed now, before something leaves that depends on it. A message that has waited, or news,
        would be gone if they were forgotten before their event is stored."""
        await self._storing.acquire()
        changes = self._begin({key: value for key, value in self._changed.items() if not _is_of_batch(key, value)})
        if not changes:
            return
        try:
            await self._memory.remember(changes)
        except BaseException:
            self.give_back()
            raise
        self.stored()


def _is_of_batch(key: str, value: str | None) -> bool:
    """Whether a change is stored together with events only."""
    return key.startswith(_key(WAITING, "")) or (value is None and key.startswith(_key(NEWS, "")))


def _key(kind: str, name: str) -> str:
    return f"{PREFIX}{kind} {name}"


def named(*parts: str) -> str:
    """The name of a row. Others choose the parts: each may have any characters."""
    return json.dumps(parts)


def parts(name: str) -> list[str]:
    """What the name of a row was made of by `named`."""
    return [*json.loads(name)]
