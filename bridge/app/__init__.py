"""The composition root: from the config to running objects, and from a signal to a clean end. Only wiring."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import structlog

from bots.host import BotHost, Hosted
from bots.load import load_bot
from bridge import health, links
from bridge.config import Config, IrcNetwork, MatrixNetwork
from bridge.irc import IrcNetwork as Irc
from bridge.irc import IrcSettings
from bridge.links import Link, Links
from bridge.matrix import MatrixNetwork as Matrix
from bridge.matrix import MatrixSettings
from bridge.model import BOTS, Room
from bridge.network import Network, Refused
from bridge.relay import Relay
from bridge.store import Lease, StoreError, Unusable
from bridge.store.sqlite import SqliteStore
from bridge.users import Users, UsersError
from bridge.users.tinydb import TinyUsers

log = structlog.get_logger()

_DRAIN = 3.0  # seconds in which what is on its way may arrive after SIGTERM; with _LEAVE under the 5 s of the contract
_LEAVE = 1.0  # seconds to say goodbye to the networks
_TYPING = 1.0  # seconds that showing it may hold up an answer
_USERS_LOOK = 1.0  # seconds between looks at the user database: a change counts within 2
_REMEMBER = 30 * 86400.0  # seconds for which the message map and the ids of what was done are kept
_EXPIRE_EVERY = 3600.0  # seconds


async def run(config: Config) -> None:
    """The daemon, until SIGTERM or SIGINT. Raises what else ended it: `Refused`, `Unusable`, `UsersError`, or a bug."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, _not_reloaded)
    users = TinyUsers(config.users.database)
    async with contextlib.aclosing(SqliteStore.open(config.store.path, time.time)) as store:
        try:
            await _serve(config, users, store, stopping)
        except BaseExceptionGroup as group:
            raise _first(group) from group
    log.info("stopped")


async def _serve(config: Config, users: Users, store: SqliteStore, stopping: asyncio.Event) -> None:
    rng = random.Random()  # noqa: S311  (jitter, no secret)
    routes = Links(_links(config))
    leases = {name: await _lease(store, name) for name in (*config.networks, BOTS)}
    networks: dict[str, Network] = {name: _network(config, name, routes, leases[name], rng) for name in config.networks}
    networks[BOTS] = BotHost(_bots(config), clock=time.time, typing=lambda ear: _typing(networks, routes.hearers(ear)))
    relay = Relay(users, routes, clock=time.time, rng=rng)
    async with asyncio.TaskGroup() as group:
        accepting = [
            group.create_task(relay.accept(network, leases[name]), name=f"accept {name}")
            for name, network in networks.items()
        ]
        delivering = [
            group.create_task(relay.deliver(network, leases[name], stopping), name=f"deliver {name}")
            for name, network in networks.items()
        ]
        chores = [
            group.create_task(_announce(networks), name="announce"),
            group.create_task(_watch(users), name="watch users"),
            group.create_task(_expire(store), name="expire"),
        ]
        if config.http is not None:
            serving = health.serve(config.http.host, config.http.port, chores[0].done)
            chores.append(group.create_task(serving, name="health"))
        await stopping.wait()
        log.info("stopping")
        await _end(delivering, _DRAIN)
        await _end([*accepting, *chores], 0, _LEAVE)


async def _end(tasks: list[asyncio.Task[None]], by_themselves: float, cancelled: float = _LEAVE) -> None:
    """Wait `by_themselves` seconds for `tasks` to end, then cancel what is left and wait `cancelled` seconds more."""
    _, left = await asyncio.wait(tasks, timeout=by_themselves)
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=cancelled)


async def _lease(store: SqliteStore, network: str) -> Lease:
    lease = await store.acquire(network, f"{os.uname().nodename}:{os.getpid()}")
    if lease is None:
        raise Unusable(f"another worker is running the network {network!r}")
    return lease


def _network(config: Config, name: str, routes: Links, lease: Lease, rng: random.Random) -> Network:
    rooms = routes.rooms(name)
    match config.networks[name]:
        case MatrixNetwork() as account:
            return Matrix(
                MatrixSettings(
                    name=name,
                    homeserver=account.homeserver,
                    user=account.user,
                    password=account.password,
                    access_token=account.access_token,
                ),
                rooms,
                lease,
                clock=time.time,
                rng=rng,
            )
        case IrcNetwork() as account:
            return Irc(
                IrcSettings(
                    name=name,
                    host=account.host,
                    port=account.port,
                    tls=account.tls,
                    tls_ca_file=account.tls_ca_file,
                    nick=account.nick,
                    username=account.username,
                    realname=account.realname,
                    server_password=account.password,
                    sasl_account=account.sasl.account if account.sasl else None,
                    sasl_password=account.sasl.password if account.sasl else None,
                    burst=account.flood.burst,
                    per_second=account.flood.per_second,
                    trust_hostmasks=account.trust_hostmasks,
                ),
                rooms,
                clock=time.time,
                rng=rng,
            )


def _links(config: Config) -> list[Link]:
    bots = {key: links.Bot(key, (key, bot.name), bot.answers) for key, bot in config.bots.items()}
    return [
        Link(
            name,
            link.rooms,
            link.guests,
            tuple(bots[key] for key in link.bots),
            link.welcome.member,
            link.welcome.guest,
        )
        for name, link in config.links.items()
    ]


def _bots(config: Config) -> Mapping[str, Hosted]:
    hosted = {}
    for key, bot in config.bots.items():
        try:
            hosted[key] = Hosted(load_bot(bot.use, bot.name, bot.brain, bot.delay), (key, bot.name))
        except (ValueError, TypeError) as error:
            raise Refused(f"bots.{key}: {error}") from error
    return hosted


@asynccontextmanager
async def _typing(networks: Mapping[str, Network], rooms: tuple[Room, ...]) -> AsyncGenerator[None, None]:
    """Show that somebody is typing in those of `rooms` whose network can."""
    shown = [(network, room) for room in rooms if isinstance(network := networks.get(room.network), Matrix)]

    async def show(*, active: bool) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TYPING):
                await asyncio.gather(*(network.typing(room, active) for network, room in shown))

    await show(active=True)
    try:
        yield
    finally:
        await show(active=False)


async def _announce(networks: Mapping[str, Network]) -> None:
    await asyncio.gather(*(network.ready() for network in networks.values()))
    log.info("ready", networks=[name for name in networks if name != BOTS])


async def _watch(users: Users) -> None:
    """Take over what the command line changes. A database that cannot be read is said once, and the old state stays."""
    said = ""
    while True:
        await asyncio.sleep(_USERS_LOOK)
        try:
            if await asyncio.to_thread(users.refresh):
                log.info("users changed")
            said = ""
        except UsersError as error:
            if str(error) != said:
                said = str(error)
                log.error("users unreadable", reason=said, hint="the members known before stay members")


async def _expire(store: SqliteStore) -> None:
    """Forget what was done long ago. A store that cannot right now can an hour later."""
    while True:
        try:
            await store.expire(time.time() - _REMEMBER)
        except StoreError as error:
            log.warning("not expired", reason=str(error))
        await asyncio.sleep(_EXPIRE_EVERY)


def _not_reloaded() -> None:
    """A terminal that closes, or an operator who hopes for a reload, must not end the daemon."""
    log.warning("not reloaded", hint="a changed configuration counts from the next start: restart the daemon")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception that ended the daemon: the first that is not a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
