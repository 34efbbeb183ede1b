"""The Olm sessions with the devices of others, as rows."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from nio.crypto import Session

from bridge.lib.lru import LruDict
from bridge.matrix.crypto.rows import Rows, named, parts

OLM = "olm"
"""The kind of the rows."""
_OPEN = 2000
"""Most sessions that are kept unpickled: it takes a fifth of a millisecond each."""
_EACH = 8
"""Most Olm sessions with one device. It uses the newest; any number could be begun."""


class Sessions:
    """The Olm sessions with each device, by its Curve25519 key: what nio calls a SessionStore. Each is unpickled when
    it is first needed."""

    def __init__(self, rows: Rows, secret: str) -> None:
        self._rows = rows
        self._secret = secret
        self._open: LruDict[str, list[Any]] = LruDict(_OPEN)
        self._names: dict[str, list[str]] = {}
        for name in rows.of(OLM):
            self._names.setdefault(parts(name)[0], []).append(name)

    def add(self, sender_key: str, session: Any) -> bool:
        there = self[sender_key]
        there.append(session)
        there.sort(key=lambda each: each.use_time, reverse=True)
        for old in there[_EACH:]:
            there.remove(old)
            name = named(sender_key, old.id)
            self._names[sender_key].remove(name)
            self._rows.put(OLM, name, None)
        return True

    def save(self, sender_key: str, session: Any) -> None:
        name = named(sender_key, session.id)
        names = self._names.setdefault(sender_key, [])
        if name not in names:
            names.append(name)
        pickle = session.pickle(self._secret).decode()
        times = [session.creation_time.isoformat(), session.use_time.isoformat()]
        self._rows.put(OLM, name, json.dumps([pickle, *times]))

    def get(self, sender_key: str) -> Any:
        """The one used last; None if there is none."""
        return next(iter(self[sender_key]), None)

    def __getitem__(self, sender_key: str) -> list[Any]:
        found = self._open.get(sender_key)
        if found is None:
            found = [self._load(name) for name in self._names.get(sender_key, ())]
            found.sort(key=lambda each: each.use_time, reverse=True)
            self._open[sender_key] = found
        return found

    def prune(self, is_needed: Callable[[str], bool], before: datetime) -> Iterator[None]:
        """Drop those that were not used since `before`, save the newest with each device that `is_needed`. Yields after
        each device."""
        for sender_key, names in [*self._names.items()]:
            by_age = sorted(names, key=lambda name: str(json.loads(self._rows.of(OLM)[name])[2]), reverse=True)
            for name in by_age[1 if is_needed(sender_key) else 0 :]:
                if datetime.fromisoformat(json.loads(self._rows.of(OLM)[name])[2]) < before:
                    names.remove(name)
                    self._rows.put(OLM, name, None)
                    self._open.pop(sender_key)
            if not names:
                del self._names[sender_key]
            yield

    def senders(self) -> Iterator[str]:
        """The devices with which there are any, by their keys."""
        return iter([*self._names])

    def has_any_of(self, sender_key: str) -> bool:
        """Whether there is any with that device."""
        return bool(self._names.get(sender_key))

    def forget(self, sender_key: str) -> None:
        """Drop all with that device."""
        for name in self._names.pop(sender_key, ()):
            self._rows.put(OLM, name, None)
        self._open.pop(sender_key)

    def _load(self, name: str) -> Any:
        pickle, made, used = json.loads(self._rows.of(OLM)[name])
        times = datetime.fromisoformat(made), datetime.fromisoformat(used)
        return Session.from_pickle(pickle.encode(), times[0], self._secret, times[1])
