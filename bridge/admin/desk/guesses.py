"""Wrong guesses at a password or code: each makes the next one wait longer."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bridge.lib.backoff import Backoff
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.users.shared import Slips

_FOR_ONE = Backoff(first_s=2.0, longest_s=900.0)
"""Pause of one guesser: 2 s, doubled with each further wrong guess, at most 15 minutes."""
_FOR_ALL = Backoff(first_s=2.0, longest_s=60.0)
"""Pause for everybody who guesses at one user's password. Short, since it may keep the user from logging in too; one
guess a minute finds no password."""
_FORGOTTEN_AFTER_S = 3600.0
"""Wrong guesses are forgotten after this time without another."""
_MOST = 10_000
"""How many guessers are remembered; the least recently seen is forgotten."""
_KIND = "guess"


@dataclass(slots=True)
class _Guesser:
    wrong: int
    last: float


class By(Enum):
    """What guesses are counted by; the value is how many wrong ones are free: people mistype, and share a host."""

    SENDER = 2
    USER = 4
    HOST = 10


Key = tuple[By, str]


class Guesses(Protocol):
    """Counts wrong guesses under several keys at once: the guesser, their host, and the user whose password it is.
    Times are seconds of one clock."""

    async def wait(self, keys: Iterable[Key], now: float) -> float:
        """Seconds until one may guess again under all of `keys`; 0: now."""
        ...

    async def wrong(self, keys: Iterable[Key], now: float) -> None:
        """Count a wrong guess under all of `keys`."""
        ...

    async def right(self, keys: Iterable[Key]) -> None:
        """Reset the count of a user who has logged in. The guessers' counts stay: they may guess at others, too."""
        ...


class OwnGuesses:
    """Guesses that this daemon alone counts."""

    def __init__(self) -> None:
        self._guessers: LruDict[Key, _Guesser] = LruDict(_MOST)

    async def wait(self, keys: Iterable[Key], now: float) -> float:
        """See `Guesses`."""
        return max((_pause(key, self._known(key, now), now) for key in keys), default=0.0)

    async def wrong(self, keys: Iterable[Key], now: float) -> None:
        """See `Guesses`."""
        for key in keys:
            guesser = self._known(key, now) or _Guesser(0, now)
            self._guessers[key] = _Guesser(guesser.wrong + 1, now)

    async def right(self, keys: Iterable[Key]) -> None:
        """See `Guesses`."""
        for key in keys:
            if key[0] is By.USER:
                self._guessers.pop(key)

    def _known(self, key: Key, now: float) -> _Guesser | None:
        guesser = self._guessers.get(key)
        return guesser if guesser is not None and now - guesser.last < _FORGOTTEN_AFTER_S else None


class SharedGuesses:
    """Guesses that all workers count together: somebody may guess on several networks, which different workers run.
    While the store is away, each counts what it hears."""

    def __init__(self, slips: Slips) -> None:
        self._slips = slips
        self._own = OwnGuesses()

    async def wait(self, keys: Iterable[Key], now: float) -> float:
        """See `Guesses`."""
        keys = [*keys]
        own = await self._own.wait(keys, now)
        try:
            found = await asyncio.to_thread(lambda: [_pause(key, self._found(key, now), now) for key in keys])
        except OSError:
            return own
        return max((own, *found))

    async def wrong(self, keys: Iterable[Key], now: float) -> None:
        """See `Guesses`."""
        keys = [*keys]
        await self._own.wrong(keys, now)
        with suppress(OSError):
            await asyncio.to_thread(self._count, keys, now)

    async def right(self, keys: Iterable[Key]) -> None:
        """See `Guesses`."""
        keys = [*keys]
        await self._own.right(keys)
        with suppress(OSError):
            await asyncio.to_thread(self._reset, [key for key in keys if key[0] is By.USER])

    def _count(self, keys: Iterable[Key], now: float) -> None:
        for key in keys:
            wrong = 1 + (found.wrong if (found := self._found(key, now)) is not None else 0)
            self._slips.keep(_KIND, _named(key), f"{wrong} {now!r}", now + _FORGOTTEN_AFTER_S, now)

    def _reset(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._slips.drop(_KIND, _named(key))

    def _found(self, key: Key, now: float) -> _Guesser | None:
        slip = self._slips.find(_KIND, _named(key))
        if slip is None or now >= slip[1]:
            return None
        wrong, _, last = slip[0].partition(" ")
        return _Guesser(int(wrong), float(last))


def _named(key: Key) -> str:
    """What is typed as a name may be a password: it is not kept."""
    return digest("guess", key[0].name, key[1])


def _pause(key: Key, guesser: _Guesser | None, now: float) -> float:
    free = key[0].value
    if guesser is None or guesser.wrong <= free:
        return 0.0
    backoff = _FOR_ALL if key[0] is By.USER else _FOR_ONE
    return max(0.0, guesser.last + backoff.plain(guesser.wrong - free - 1) - now)
