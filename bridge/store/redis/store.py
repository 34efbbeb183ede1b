"""The store on a Redis server, which several daemons share: each network is run by the one that has its lease."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import structlog
from redis import exceptions

from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.model.accounting import Ledger
from bridge.model.event import VOICES, Room
from bridge.model.outbox import Entry, Revoked
from bridge.model.people import Sender
from bridge.store.contract import LEASE_S, Lease, LeaseLost, Rewound, Store, StoreError, Unavailable, Unusable
from bridge.store.core import EXCERPT
from bridge.store.redis import pages, settings
from bridge.store.redis.address import Address
from bridge.store.redis.keys import Keys
from bridge.store.redis.leases import Beliefs
from bridge.store.redis.scripts import Mode, script
from bridge.store.redis.server import Server
from bridge.store.redis.verbs import Request, Verbs
from bridge.store.steps import since_boot
from bridge.store.tables.bodies import load_sender
from bridge.store.tables.leases import FORGOTTEN_S

log = structlog.get_logger()

_LOOK_S = 1.0  # seconds between looks for a doorbell that was lost
_AGAIN_S = 1.0  # seconds until the doorbells are listened to again
_LISTEN_S = 30.0  # seconds of silence at a time
_UNANSWERED = 1000  # calls of unknown outcome that are remembered: far more than are repeated at once
_ONCE = frozenset(
    {"append", "begin_run", "commit", "count_traffic", "drop", "expire", "retry", "revoke", "revoke_of"}
    | {"revoke_these", "sent", "settle", "thaw", "trim"}
)
"""Verbs that do something else when they are repeated, or have another answer: the server remembers what it answered.
The others can be repeated as they are."""


class _Moved(Unavailable):
    """The store is moved, or renamed, just now, or that was cut short."""


def _random_token() -> str:
    return secrets.token_hex(16)


class RedisStore(Store):
    """The Store contract on a Redis server. The same for the daemon and for the command line.

    A call that raises `Unavailable` may have been carried out. When it is repeated, by the same process and with the
    same arguments, it is not carried out twice, and has the answer that was lost.
    """

    shared = True
    in_order = False

    def __init__(
        self,
        server: Server,
        clock: Callable[[], float],
        token: Callable[[], str] = _random_token,
        steady: Callable[[], float] = since_boot,
        excerpt: int = EXCERPT,
    ) -> None:
        super().__init__(self)
        self.clock = clock
        self.server = server
        self.keys = Keys(server.address.prefix)
        self._token = token
        self._excerpt = excerpt
        self._process = _random_token()  # names of workers may be the same by mistake
        self._beliefs = Beliefs(steady)
        self._asked: dict[str, str] = {}
        self._unanswered: LruDict[tuple[str, bytes], str] = LruDict(_UNANSWERED)
        self._running: set[asyncio.Task[Any]] = set()
        self._bells: dict[str, asyncio.Event] = {}
        self._rung: dict[str, int] = {}
        self._listening: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(
        cls,
        url: str,
        clock: Callable[[], float],
        token: Callable[[], str] = _random_token,
        steady: Callable[[], float] = since_boot,
        excerpt: int = EXCERPT,
    ) -> Self:
        """Open the store at `url` (see `Address.parse`). Raises `Unusable` if the server is unfit, and `Unavailable` if
        it does not answer.

        `token` makes unique names for leases. `steady` is a clock that is never set, by which leases run out.
        `excerpt` is how many characters of each carried message are kept.
        """
        store = cls(Server(Address.parse(url)), clock, token, steady, excerpt)
        try:
            await settings.check(store.server)
            await store.write("try_to_write")
        except exceptions.NoPermissionError as error:
            await store.aclose()
            raise Unusable(
                f"{store.server.address}: our user may not do on the Redis server what we need:"
                " give it ~qb:* &qb:* +@all -@admin (ACL)"
            ) from error
        except _Moved as error:
            await store.aclose()
            raise Unusable(str(error)) from error
        except BaseException:
            await store.aclose()
            raise
        return store

    async def acquire(self, network: str, worker: str) -> Lease | None:
        """None while a lease lasts, also one of the same worker: it may be of a process that still runs."""
        token = self._asked.setdefault(network, self._token())  # kept until an answer comes: it may have been granted
        asked = self._beliefs.steady()
        args = {"network": network, "token": token, "seconds": LEASE_S, "worker": worker, "process": self._process}
        args |= {"voices": VOICES, "forgotten": FORGOTTEN_S}
        granted = await self._kept(self._run("acquire", Mode.DRAIN, Request(args)))
        self._asked.pop(network, None)
        if not granted:
            return None
        self._beliefs.gain(network, token, asked)
        return Lease(self, network, token)

    async def revoke_said(self, said: Callable[[Sender], bool], rooms: Collection[Room] | None = None) -> Revoked:
        """In two steps, because the server cannot ask `said`: links that were made in between stay."""
        found = await self.read("links_said", rooms)
        theirs = [link for sender, links in found if said(load_sender(sender)) for link in links]
        revoked: Revoked = await self.write("revoke_these", theirs)
        return revoked

    async def outbox(self) -> Sequence[Entry]:
        return await pages.outbox(self.read)

    async def ledger(self, since: float) -> Ledger:
        return await pages.ledger(self.read, since)

    async def aclose(self) -> None:
        """Finish the calls that have begun, then close the connections."""
        self._closed = True
        self._beliefs.clear()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._stop_listening()
        await asyncio.gather(*self._listening, return_exceptions=True)
        await self.server.aclose()

    # The engine

    async def read(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self._run(verb, Mode.READ, self._request(verb, args, named))

    async def write(self, verb: str, *args: Any, **named: Any) -> Any:
        if verb == "keep":
            return await self._keep(*args)
        return await self._kept(self._run(verb, Mode.DRAIN, self._request(verb, args, named)))

    async def take_in(self, verb: str, *args: Any, **named: Any) -> Any:
        return await self._kept(self._run(verb, Mode.INTAKE, self._request(verb, args, named)))

    async def note(self, verb: str, *args: Any, **named: Any) -> Any:
        """Nothing is gained by waiting: see `Engine.note`."""
        return await self.write(verb.removeprefix("note_"), *args, **named)

    def holds(self, network: str, token: str) -> bool:
        return self._beliefs.holds(network, token)

    def let_go(self, network: str, token: str) -> None:
        self._beliefs.lose(network, token)

    async def wait(self, network: str, until: float) -> None:
        if network not in self._bells:
            self._bells[network] = asyncio.Event()
            self._listen()
        bell = self._bells[network]
        while not await is_set_within(bell, min(_LOOK_S, until - self.clock())):
            if self.clock() >= until:
                return
            await self._look(network)
        bell.clear()

    # Calls

    def _request(self, verb: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Request:
        request: Request = getattr(Verbs(self.clock(), self._excerpt), verb)(*args, **named)
        return request

    async def _keep(self, network: str, token: str) -> None:
        asked = self._beliefs.steady()
        await self.server.look_for_replicas()
        await self._kept(self._run("keep", Mode.DRAIN, self._request("keep", (network, token), {})))
        self._beliefs.renew(network, token, asked)

    async def _kept(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Await `call`, which goes on if who called it is cancelled: it may have begun."""
        task = asyncio.create_task(call, name="store")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(self, verb: str, mode: Mode, request: Request) -> Any:
        if self._closed:
            raise StoreError("the store is closed")
        args = json.dumps(request.args, ensure_ascii=False).encode()
        same = (verb, hashlib.blake2b(repr(request.lease).encode() + args).digest())
        once = (self._unanswered.pop(same) or secrets.token_hex(8)) if verb in _ONCE and mode is not Mode.READ else None
        header = self._header(request, once, confirm=mode is not Mode.READ and self.server.replicas > 0)
        keys = self.keys.of(request)
        try:
            reply = await self.server.run(script(verb, mode), keys, header, args, writes=mode is not Mode.READ)
        except Unavailable:
            if once is not None:
                self._unanswered[same] = once
            raise
        return self._answer(request, json.loads(reply))

    def _header(self, request: Request, once: str | None, *, confirm: bool) -> bytes:
        network, token = request.lease or ("", None)
        header = {"now": repr(float(self.clock())), "network": network, "token": token, "id": once, "confirm": confirm}
        return json.dumps({name: value for name, value in header.items() if value is not None}).encode()

    def _answer(self, request: Request, reply: Any) -> Any:
        if isinstance(reply, dict):
            network, token = request.lease or ("", "")
            if reply["refused"] == "moved":
                raise _Moved(f"{self.server.address}: the store {reply['stored']}")
            if reply["refused"] == "lost":
                self.let_go(network, token)
                raise LeaseLost(f"another worker runs the network {network!r}")
            wanted = request.args.get("expect", request.args.get("cursor"))
            raise Rewound(f"{network}: the stored cursor is {reply['stored']!r}, not {wanted!r}")
        result, rung = reply
        for network, number in rung:
            self._ring(network, number)
        return request.read(result)

    # Doorbells

    def _ring(self, network: str, number: int) -> None:
        """The bell of `network` was rung that often, by whomever: the answer to a call, a message of the server, or our
        look may tell us of each time."""
        if self._rung.get(network) != number:
            self._rung[network] = number
            self._bells.get(network, asyncio.Event()).set()

    async def _look(self, network: str) -> None:
        with suppress(StoreError):  # whoever waits will ask for more, and find that out
            with self.server.translated():
                number = await self.server.client.hget(self.keys.name("bells"), network)
            self._ring(network, int(number or 0))

    def _listen(self) -> None:
        """Begin to listen to all bells, as there is one more."""
        self._stop_listening()
        task = asyncio.create_task(self._hear([*self._bells]), name="store doorbells")
        self._listening.add(task)
        task.add_done_callback(self._listening.discard)

    def _stop_listening(self) -> None:
        for task in self._listening:
            task.cancel()

    async def _hear(self, networks: Collection[str]) -> None:
        channels = {self.keys.name("ready", network).encode(): network for network in networks}
        while not _is_cancelled():
            with suppress(exceptions.RedisError, OSError):  # a look every second goes on
                async with self.server.listener() as listener:
                    await listener.subscribe(*channels)
                    while not _is_cancelled():
                        message = await listener.get_message(timeout=_LISTEN_S)
                        if message is not None:
                            self._ring(channels[message["channel"]], int(message["data"]))
            if not _is_cancelled():
                await asyncio.sleep(_AGAIN_S)


def _is_cancelled() -> bool:
    """Whether our task was: redis-py swallows that while it connects."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
