"""One connection pool to a Redis server: runs scripts, and turns what goes wrong into the errors of the contract."""

import asyncio
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from bridge.store.contract import Full, Unavailable
from bridge.store.redis.address import Address
from bridge.store.redis.scripts import Script

CONFIRM_S = 2.0
"""Seconds in which the replicas have to confirm a write."""
_ANSWER_S = 5.0  # longer than the replicas have, shorter than a lease is believed
_CONNECT_S = 3.0
_AT_ONCE = 32  # connections: the server does one thing at a time
_PASSING = {
    "BUSY": "is busy with a script",
    "CLUSTERDOWN": "has no working cluster",
    "LOADING": "is loading its data",
    "MASTERDOWN": "has lost its primary",
    "MISCONF": "cannot write to its disk",
    "NOAUTH": "wants a password: is it in the config?",
    "NOREPLICAS": "has too few replicas to accept writes",
    "READONLY": "is a replica now, and accepts no writes",
    "TRYAGAIN": "is moving its data",
    "UNKILLABLE": "is busy with a script",
    "WRONGPASS": "accepts our password no more",
}
"""What the server says while it cannot do what it can do at other times, by the first word of its answer."""
_CLASSES: dict[type[exceptions.RedisError], str] = {
    exceptions.BusyLoadingError: "LOADING",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
    exceptions.AuthenticationError: "WRONGPASS",
}
"""The errors of which redis-py takes the first word away."""


class Server:
    """A Redis server at `address`. It connects when it is first asked."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.replicas = address.wait or 0
        self.client = _client(address)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def run(self, script: Script, keys: Sequence[str], *args: bytes, writes: bool) -> Any:
        """Run `script`; if it `writes`, until the replicas have confirmed it. Raises `Full` if nothing was done because
        the memory is full, and `Unavailable` if it is unknown what was done."""
        async with self._places:
            with self.translated():
                try:
                    return await self._evaluated(script, keys, args, writes=writes)
                except exceptions.NoScriptError:  # the server was started again, or is another one
                    await self.client.script_load(script.text)
                    return await self._evaluated(script, keys, args, writes=writes)

    async def _evaluated(self, script: Script, keys: Sequence[str], args: Sequence[bytes], *, writes: bool) -> Any:
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        if not (writes and self.replicas):
            return await self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        pipeline = self.client.pipeline(transaction=False)  # on one connection, as WAIT needs it
        pipeline.execute_command(*command)
        pipeline.execute_command("WAIT", self.replicas, int(CONFIRM_S * 1000))
        reply, confirmed = await pipeline.execute(raise_on_error=False)
        for answer in (reply, confirmed):
            if isinstance(answer, Exception):
                raise answer
        if confirmed < self.replicas:
            raise Unavailable(
                f"{self.address}: {confirmed} of {self.replicas} replicas have confirmed a write within"
                f" {CONFIRM_S:g} s; start the others, or have the address of the store end with ?wait={confirmed}"
            )
        return reply

    async def look_for_replicas(self) -> None:
        """Wait from now on for replicas that have come since."""
        if self.address.wait is None:
            with self.translated():
                self.meet(await self.client.info("replication"))

    def meet(self, about: Mapping[str, Any]) -> None:
        """Wait from now on for all replicas that `about`, the answer to INFO, has, unless the address has a number. One
        that goes away is waited for all the same: it may become the primary, and would lack what it did not get."""
        if self.address.wait is None:
            count = int(about.get("connected_slaves", 0))
            known = [about.get(f"slave{number}") for number in range(count)]
            online = [each for each in known if isinstance(each, dict) and each.get("state") == "online"]
            self.replicas = max(self.replicas, len(online))

    def listener(self) -> PubSub:
        return self.client.pubsub(ignore_subscribe_messages=True)

    async def aclose(self) -> None:
        await self.client.aclose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the errors of redis-py into those of the contract."""
        try:
            yield
        except exceptions.OutOfMemoryError as error:
            raise Full(
                f"{self.address}: the memory of the Redis server is full; give it more (maxmemory),"
                " or wait until what is queued is sent"
            ) from error
        except exceptions.NoScriptError:
            raise
        except (exceptions.ResponseError, exceptions.AuthenticationError, exceptions.BusyLoadingError) as error:
            code = _code(error)
            if code not in _PASSING:
                raise
            raise Unavailable(f"{self.address}: the Redis server {_PASSING[code]}") from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            raise Unavailable(f"{self.address}: {_silence(error)}") from error


def _client(address: Address) -> Redis:
    """A client of the server, or, with sentinels, of whichever they call the primary when it connects."""
    options: dict[str, Any] = {
        **address.login(),
        "socket_timeout": _ANSWER_S,
        "socket_connect_timeout": _CONNECT_S,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),  # whether to ask again is decided by who asks
        "protocol": 2,
        "client_name": "quackbridge",
    }
    if not address.sentinels:
        return Redis(**options)
    asking = {"socket_timeout": _CONNECT_S, "socket_connect_timeout": _CONNECT_S}
    sentinel: Any = Sentinel(list(address.sentinels), sentinel_kwargs=asking, **options)  # type: ignore[no-untyped-call]
    found: Redis = sentinel.master_for(address.service)
    return found


def _silence(error: BaseException) -> str:
    """Why the server does not answer, in words, as far as the error and its causes tell it."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"the certificate of the Redis server is not accepted ({found.verify_message})"
        if isinstance(found, ssl.SSLError):
            return f"the Redis server does not speak TLS there ({found.reason})"
        found = found.__cause__ or found.__context__
    return f"no answer of the Redis server ({type(error).__name__})"


def _code(error: exceptions.RedisError) -> str:
    """The first word of the server's answer."""
    for kind, code in _CLASSES.items():
        if isinstance(error, kind):
            return code
    return str(error).partition(" ")[0]
