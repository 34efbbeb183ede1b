"""The user database as one text on the server, and its audit log: what `bridge.users.shared.SharedText` says."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis, exceptions
from redis.sentinel import Sentinel

from bridge.store.contract import Unusable
from bridge.store.redis.address import Address

_RECORDS = 100_000
"""Lines of the audit log that are kept: some years."""
_SLIPS = 1_000
"""Slips of a kind that are kept; then those that run out first are forgotten."""
_PATIENCE_S, _HELD_MS, _AGAIN_S = 10.0, 15_000, 0.05
_ANSWER_S, _CONFIRM_MS = 5.0, 2_000
_WRITE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[2], 'body', ARGV[2])
    redis.call('HINCRBY', KEYS[2], 'revision', 1)
end
for number = 4, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[number]) end
redis.call('LTRIM', KEYS[3], -tonumber(ARGV[3]), -1)
redis.call('DEL', KEYS[1])
return 1
"""
"""Everything that was written under the lock, if the lock is still ours."""
_FREE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


def _client(address: Address) -> Redis:
    options: dict[str, Any] = {
        **address.login(),
        "socket_timeout": _ANSWER_S,
        "socket_connect_timeout": 3.0,
        "protocol": 2,
    }
    if not address.sentinels:
        return Redis(**options)
    asking = {"socket_timeout": 3.0, "socket_connect_timeout": 3.0}
    sentinel: Any = Sentinel(list(address.sentinels), sentinel_kwargs=asking, **options)  # type: ignore[no-untyped-call]
    found: Redis = sentinel.master_for(address.service)
    return found


class UsersText:
    """One thread at a time. What is written under the lock is sent at its end, as one script: all of it or nothing."""

    name = "the user database in the store"

    def __init__(self, url: str) -> None:
        self._address = Address.parse(url)
        self._turn = threading.RLock()
        self._client = _client(self._address)
        self._held = ""
        self._text = ""
        self._lines: list[str] = []

    def revision(self) -> int:
        """See `SharedText`. Other threads wait while one writes: what is not sent yet is nobody's business."""
        with self._turn, self._reached():
            return int(self._client.hget(self._key("body"), "revision") or 0) + bool(self._text)

    def read(self) -> str | None:
        """See `SharedText`."""
        with self._turn, self._reached():
            found = self._text.encode() or self._client.hget(self._key("body"), "body")
        return found.decode() if isinstance(found, bytes) else None

    def write(self, text: str) -> None:
        """See `SharedText`."""
        self._text = text

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `SharedText`. The lock ends by itself if its holder dies; then nothing of it is written."""
        with self._turn:
            self._held = self._lock()
            try:
                yield
                self._send()
            finally:
                with suppress(OSError), self._reached():
                    self._client.eval(_FREE, 1, self._key("lock"), self._held)
                self._held, self._text, self._lines = "", "", []

    def append(self, line: str) -> None:
        """See `SharedText`."""
        with self._turn:
            if self._held:
                self._lines.append(line)
                return
            with self._reached():
                self._client.rpush(self._key("audit"), line)
                self._confirmed()

    def lines(self) -> Iterator[str]:
        """See `SharedText`."""
        with self._reached():
            found = self._client.lrange(self._key("audit"), 0, -1)
        yield from (line.decode() for line in found)  # type: ignore[union-attr]

    def keep(self, kind: str, name: str, body: str, until: float, now: float) -> None:
        """See `bridge.users.shared.Slips`."""
        with self._reached():
            pipe = self._client.pipeline()
            pipe.set(self._key("slip", kind, name), f"{until!r} {body}", px=max(1, round((until - now) * 1000)))
            pipe.zremrangebyscore(self._key("slips", kind), "-inf", now)
            pipe.zadd(self._key("slips", kind), {name: until})
            pipe.zremrangebyrank(self._key("slips", kind), 0, -_SLIPS - 1)
            pipe.execute()

    def find(self, kind: str, name: str) -> tuple[str, float] | None:
        """See `bridge.users.shared.Slips`."""
        with self._reached():
            found = self._client.get(self._key("slip", kind, name))
            is_kept = self._client.zscore(self._key("slips", kind), name) is not None
        if not isinstance(found, bytes) or not is_kept:
            return None
        until, _, body = found.decode().partition(" ")
        return body, float(until)

    def drop(self, kind: str, name: str) -> None:
        """See `bridge.users.shared.Slips`."""
        with self._reached():
            self._client.delete(self._key("slip", kind, name))
            self._client.zrem(self._key("slips", kind), name)

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _key(self, *parts: str) -> str:
        return f"{self._address.prefix}users:{':'.join(parts)}"

    def _lock(self) -> str:
        token, until = secrets.token_hex(16), time.monotonic() + _PATIENCE_S
        while True:
            with self._reached():
                if self._client.set(self._key("lock"), token, nx=True, px=_HELD_MS):
                    return token
            if time.monotonic() > until:
                raise OSError(f"another machine has locked it for {_PATIENCE_S:.0f} s")
            time.sleep(_AGAIN_S)

    def _send(self) -> None:
        if not self._text and not self._lines:
            return
        keys = [self._key(each) for each in ("lock", "body", "audit")]
        with self._reached():
            done = self._client.eval(_WRITE, 3, *keys, self._held, self._text, str(_RECORDS), *self._lines)
            if not done:
                raise OSError("the lock was held for too long, and another machine has it")
            self._confirmed()

    def _confirmed(self) -> None:
        """Wait for the replicas: who was removed must not come back with one of them. Raises OSError."""
        wanted = self._address.wait
        if wanted is None:
            wanted = int(self._client.info("replication").get("connected_slaves", 0))
        if wanted and int(self._client.wait(wanted, _CONFIRM_MS)) < wanted:
            raise OSError("it was written, but no replica has confirmed it: it may be lost; look, and try again")

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except Unusable as error:
            raise OSError(str(error)) from error
        except exceptions.RedisError as error:
            raise OSError(f"the server of the store does not answer ({type(error).__name__})") from error


def kept(url: str) -> tuple[str | None, list[str]]:
    """The users and the audit log in the store at `url`. Raises OSError."""
    text = UsersText(url)
    try:
        return text.read(), [*text.lines()]
    finally:
        text.close()
