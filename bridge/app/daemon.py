"""The daemon: builds and runs what the config says, reloads it, and ends cleanly. Only wiring."""

import asyncio
import contextlib
import gc
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from bots.hosting.host import About, BotHost, Hosted
from bots.hosting.parts import Ears, Voice
from bridge import __version__
from bridge.admin import comparing
from bridge.admin.answers import Answers
from bridge.admin.databases import slips_of, users_of
from bridge.admin.desk import Desk
from bridge.admin.desk.counter import Counter
from bridge.admin.desk.words import is_command
from bridge.admin.live import Json, LocalLive
from bridge.admin.misfits import orphans, unknown_users
from bridge.app import admin_socket, watchers, wiring
from bridge.app.claims import Claims
from bridge.app.health import HealthWatch
from bridge.app.homes import Homes
from bridge.app.recorded import record_commands
from bridge.app.reload import Watch
from bridge.app.running import LEAVE, Running, changed, end
from bridge.app.serving import Serving
from bridge.app.systemd import Systemd
from bridge.config import Config, ConfigError, doors_of, editable_networks, links_of, load, private_networks, remember
from bridge.http import health as http_health
from bridge.http import server
from bridge.http.peers import Proxies
from bridge.irc.puppets.identd import Identd
from bridge.lib.files import Stamp
from bridge.model.event import BOTS, DESK, Event, Room
from bridge.model.health_told import in_full
from bridge.network import Refused
from bridge.relay.admins import Admins
from bridge.relay.intake import Relay
from bridge.relay.notices import Notices
from bridge.relay.requests import RequestNews
from bridge.relay.shared import Shared
from bridge.relay.watch import Lookout
from bridge.rules.gate import Gate
from bridge.rules.link import Guests
from bridge.rules.routing import ear
from bridge.store import Lease, Store, StoreError, Unusable, stored
from bridge.store.opening import opened
from bridge.store.steps import since_boot
from bridge.users import User, Users, UsersError
from bridge.users.passwords import warm_up
from bridge.users.sessions import Sessions
from bridge.users.tinydb import TinyUsers

log = structlog.get_logger()

_UNCHANGED = "correct the file; until then the daemon goes on with its previous configuration"
_USERS_LOOK = 1.0  # seconds between looks at the user database: a change counts within 2
_REQUESTS_LOOK = 2.0  # seconds between looks at the requests to become a member
_EXPIRE_EVERY = 3600.0  # seconds
_FIXED = ("users.database", "store.path", "http")  # what a running daemon cannot replace


async def run(config: Config, path: Path, seen: Stamp | None) -> None:
    """Run the daemon until SIGTERM or SIGINT. `path` is the file of `config`, `seen` its stamp before it was read; it
    is reloaded when it changes. Raises what else ended it: `Refused`, `Unusable`, `UsersError`, or a bug."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    watch = Watch(path, seen)
    loop.add_signal_handler(signal.SIGHUP, watch.now)
    users = users_of(config)
    systemd = Systemd(os.environ)
    systemd.opening()
    settings = config.store
    async with opened(settings.path, settings.url, time.time, steady=since_boot, excerpt=settings.excerpt) as store:
        try:
            async with asyncio.TaskGroup() as group:
                await _Daemon(config, watch, users, store, group, systemd).serve(stopping)
        except BaseExceptionGroup as error:
            raise _first(error) from error
    log.info("stopped")


class _Daemon:
    """Everything that is running, and how to reload it."""

    def __init__(
        self,
        config: Config,
        watch: Watch,
        users: TinyUsers,
        store: Store,
        group: asyncio.TaskGroup,
        systemd: Systemd,
    ) -> None:
        self._config = config
        self._systemd = systemd
        self._watch = watch
        self._path = path = watch.path
        self._was_ready = False
        self._ready: asyncio.Task[None] | None = None
        self._users = users
        self._store = store
        self._group = group
        self._identd = Identd()
        self._rng = random.Random()  # noqa: S311  (jitter, no secret)
        self._sessions = Sessions(users, time.time, config.users.session)
        doors = doors_of(config)
        self._gate = Gate(
            users,
            self._sessions,
            links_of(config),
            clock=time.time,
            commands=self._is_command,
            doors=doors,
            listens=self._listens,
            editable=editable_networks(config),
        )
        self._counter = Counter(
            users,
            self._sessions,
            self._gate,
            users.audit,
            private_networks(config),
            clock=time.time,
            slips=slips_of(config),
        )
        more = {"health": self._answer_health, "reload": self._answer_reload}
        self._answers = Answers(lambda: self._running.networks, more)
        self._desk = Desk(
            config,
            users,
            self._gate,
            self._counter,
            clock=time.time,
            live=LocalLive(asyncio.get_running_loop(), self._answers.answer),
            comparisons=lambda: len([*comparing.waiting(self._running.networks)]),
        )
        self._homes = Homes(self._gate)
        self._hosted = wiring.bots(config, {}, self._homes, path.parent)
        self._host = self._homes.host = BotHost(
            self._ears(),
            clock=time.time,
            typing=lambda heard: wiring.typing(self._running.networks, self._gate.links.hearers(heard)),
            about=self._about,
            places=self._homes.places,
            grows=self._grows,
        )
        notices = Notices(time.time)
        self._admins = Admins(users, notices)
        self._requests = RequestNews(users, notices, self._admins, time.time)
        wiring.reach(self._admins, self._requests, config)
        terms = wiring.terms(config)
        self._shared = Shared(
            time.time,
            self._rng,
            notices,
            terms=terms,
            requests=self._requests,
            admins=self._admins,
            previews=wiring.previews(store),
        )
        self._shared.on_change = self._host.changed
        self._shared.record = users.audit.record
        self._relay = Relay(self._gate, self._shared, self._whisper)
        self._lookout = Lookout(self._gate, self._shared)
        self._running = Running(group, self._relay, self._lookout, shared=store.shared)
        self._claims = Claims(
            store,
            _worker() if store.shared else os.uname().nodename,
            self._running,
            lambda: (*self._config.networks, BOTS),
            self._begin,
            self._leave,
            self._shared.heartbeats,
            self._rng,
        )
        self._hosting: list[asyncio.Task[None]] = []
        """What is done by the worker that has the bots."""
        self._health = HealthWatch(
            store,
            config.store.path,
            self._gate,
            self._shared,
            lambda: self._running.networks,
            lambda: {name: network.type for name, network in self._config.networks.items()},
            self._claims,
        )
        self._health.board.ready_max_age = wiring.ready_max_age(config)
        self._serving = Serving(lambda: self._config, store, lambda: self._running.networks)
        self._shared.counters.count_config_loaded(time.time())

    async def serve(self, stopping: asyncio.Event) -> None:
        chores = []
        await self._remember()
        await self._serving.open()
        await stored(self._store.begin_run, self._version())
        await self._health.begin()
        if (http := self._config.http) is not None:
            routes = await self._serving.routes(http, self._shared, self._health)
            bound = asyncio.Event()
            serving = server.serve(http.host, http.port, routes, Proxies(http.proxies), bound)
            chores.append(self._group.create_task(serving, name="http"))
            await bound.wait()
        await self._shared.previews.recall_uploads()
        claiming = await self._begin_all()
        if self._store.shared:
            chores.append(self._group.create_task(self._claims.keep(), name="keep leases"))
        await self._warn()
        self._announce()
        self._systemd.ready()
        watching = self._group.create_task(self._watch.each(self._reload), name="watch config")
        chores += [
            self._group.create_task(self._host.listen(), name="whispers"),
            self._group.create_task(_watch_users(self._users), name="watch users"),
            self._group.create_task(self._expire(), name="expire"),
            self._group.create_task(warm_up(), name="passwords"),
            self._group.create_task(self._running.look_out(), name="outages"),
            self._group.create_task(self._health.keep(), name="health"),
            self._group.create_task(self._systemd.keep(self._health.latest, self._health.wedged), name="systemd"),
            self._group.create_task(self._serving.keep_counts(), name="counts"),
            self._group.create_task(
                admin_socket.serve(
                    self._config.store.path,
                    self._path,
                    self._answers.answer,
                    os.environ,
                    [*http_health.routes(self._health.wedged, self._health.now), *watchers.routes(self._shared.tail)],
                ),
                name="admin socket",
            ),
        ]
        await stopping.wait()
        log.info("stopping")
        self._systemd.stopping()
        await end([watching, *claiming, *self._hosting], 0)  # nothing new begins; bots store what they still remember
        await self._running.stop_all()
        await end([*chores, *filter(None, [self._ready])], 0, LEAVE)
        await self._homes.close()
        await self._serving.write_counts()
        with contextlib.suppress(StoreError):  # it looks as if we had been killed
            await self._store.end_run(self._version())

    async def _begin_all(self) -> Sequence[asyncio.Task[None]]:
        """Run all networks, or, of a store that several workers share, those that nobody runs; returns the tasks that
        take more of them later."""
        if not self._store.shared:
            for name in (BOTS, *self._config.networks):
                await self._begin(name, await _lease(self._store, name), needed=True)
            return ()
        await self._begin(self._claims.voice, await self._claims.speak())
        await self._claims.begin()
        return [self._group.create_task(self._claims.run(), name="claim networks")]

    async def _begin(self, name: str, lease: Lease, *, needed: bool = False) -> None:
        if name == self._claims.voice:
            await self._running.start(Voice(self._host, name), lease, needed=False)
        elif name == BOTS:
            await self._begin_bots(lease)
        else:
            await self._begin_network(name, lease, needed=needed)

    async def _begin_bots(self, lease: Lease) -> None:
        self._homes.memory.lease = lease
        await self._requests.resume(lease)
        await self._running.start(Ears(self._host) if self._store.shared else self._host, lease, needed=False)
        self._hosting = [
            self._group.create_task(self._tell_of_requests(lease), name="requests"),
            self._group.create_task(self._host.work(), name="what bots do by themselves"),
        ]

    async def _leave(self, name: str) -> None:
        """Stop what another worker runs now."""
        if name == BOTS:
            await end(self._hosting, 0)
            self._homes.memory.lease = None
        await self._running.stop([name])

    def _version(self) -> str:
        """What the history calls this run."""
        return f"{__version__} on {self._claims.worker}" if self._store.shared else __version__

    async def _begin_network(self, name: str, lease: Lease, *, needed: bool) -> None:
        await record_commands(self._config, name, self._users.audit)
        rooms = self._gate.links.rooms(name)
        network = wiring.network(
            *(self._config, name, rooms, lease, self._rng, self._gate, self._users, self._identd),
            is_away=self._running.is_away,
        )
        await self._running.start(network, lease, needed=needed)

    async def _reload(self) -> Json:
        """Apply the config file as it is now, or, if it has a problem, nothing of it. Returns what came of it."""
        with self._systemd.reloading():
            return await self._reloaded()

    async def _reloaded(self) -> Json:
        try:
            config = await asyncio.to_thread(load, self._path)
            bots = wiring.bots(config, self._hosted, self._homes, self._path.parent)
        except (ConfigError, Refused) as error:
            problems = str(error).splitlines()
            log.error("not_reloaded", problems=problems, hint=_UNCHANGED)
            self._shared.counters.count_config_refused()
            return {"reloaded": False, "problems": problems}
        return await self._apply(config, bots)

    async def _apply(self, config: Config, bots: Mapping[str, wiring.Kept]) -> Json:
        for warning in config.warnings:
            log.warning("config", text=warning)
        config = self._with_what_stays(config)
        before, self._config = self._config, config
        await self._remember()
        stop, start = changed(before.networks, config.networks, again=self._running.refused)
        await self._running.stop(stop)
        self._gate.set_links(links_of(config))
        self._gate.doors = doors_of(config)
        self._gate.editable = editable_networks(config)
        wiring.reach(self._admins, self._requests, config)
        self._hosted = bots
        self._host.exchange(self._ears())
        self._desk.config, self._counter.private = config, private_networks(config)
        self._sessions.lasts = config.users.session
        self._shared.terms = wiring.terms(config)
        self._health.board.ready_max_age = wiring.ready_max_age(config)
        await self._serving.reloaded()
        for name, network in self._running.networks.items():
            network.use(self._gate.links.rooms(name))
        for name in [] if self._store.shared else start:  # else it is claimed, by this worker or by another
            await self._begin_network(name, await _lease(self._store, name), needed=False)
        await self._warn()
        self._announce()
        self._health.look()
        self._shared.counters.count_config_loaded(time.time())
        log.info("reloaded", stopped=stop, started=start, links=[*config.links])
        done = {"stopped": stop, "started": start, "links": [*config.links]}
        return {"reloaded": True, "problems": [], "warnings": [*config.warnings], **done}

    async def _answer_health(self, _about: Json) -> Json:
        return in_full(self._health.now())

    async def _answer_reload(self, _about: Json) -> Json:
        return await self._watch.outcome()

    async def _remember(self) -> None:
        """Keep the settings for the command line, which uses them while the config file is broken."""
        try:
            await asyncio.to_thread(remember, self._path, self._config)
        except OSError as error:
            log.info("settings_not_kept", reason=str(error), hint="while the config is broken, commands will not work")

    async def _warn(self) -> None:
        """Log which networks the config does not know, and which users the database does not know."""
        stored_networks = await stored(self._store.networks)
        for orphan in orphans(self._config.networks, stored_networks, self._users.list(), self._users.sanctions()):
            log.warning(
                "network_unknown",
                network=orphan.network,
                waiting=orphan.waiting,
                identities=orphan.identities,
                hint=orphan.words,
            )
        for warning in unknown_users(self._config, self._users.list()):
            log.warning("config", text=warning)

    def _with_what_stays(self, config: Config) -> Config:
        """`config`, but with the current values of what a running daemon cannot replace."""
        now = self._config
        http = now.http
        if http is not None and config.http is not None:
            http = http.model_copy(update={"ready_max_age": config.http.ready_max_age})
        before = (now.users.database, now.store.path, http)
        after = (config.users.database, config.store.path, config.http)
        for key, one, other in zip(_FIXED, before, after, strict=True):
            if one != other:
                log.warning("not_reloaded", key=key, hint="restart the daemon: this change takes effect only then")
        users = config.users.model_copy(update={"database": now.users.database})
        store = config.store.model_copy(update={"path": now.store.path})
        return config.model_copy(update={"users": users, "store": store, "http": http})

    def _announce(self) -> None:
        """Log, once, that all rooms are joined; `/readyz` says it of the current rooms."""
        if self._ready is not None:
            self._ready.cancel()
        self._ready = self._group.create_task(self._when_ready(), name="ready")

    async def _when_ready(self) -> None:
        await self._running.ready()
        gc.collect()
        gc.freeze()  # current objects stay: looking through them for garbage costs CPU and pauses
        self._health.look()  # who reads "ready" and asks is told the same
        if not self._was_ready:
            self._was_ready = True
            log.info("ready", networks=[name for name in self._running.networks if name != BOTS])

    async def _expire(self) -> None:
        """Remove what was done long ago from the store and the cache, every hour. An error is logged."""
        while True:
            try:
                await self._store.expire(time.time() - self._config.store.remember)
            except StoreError as error:
                log.warning(
                    "not_expired", reason=str(error), hint="old entries stay in the store; tried again in an hour"
                )
            await self._serving.sweep()
            await asyncio.sleep(_EXPIRE_EVERY)

    async def _tell_of_requests(self, lease: Lease) -> None:
        """Tell admins and the people who asked what is new about requests to become a member, for ever."""
        while True:
            await self._requests.look(lease)
            await asyncio.sleep(_REQUESTS_LOOK)

    def _ears(self) -> dict[str, Hosted]:
        bots = {key: kept.hosted for key, kept in self._hosted.items()}
        names = tuple(name for hosted in bots.values() for name in hosted.names)
        return {**bots, DESK: Hosted(self._desk, names)}

    def _about(self, event: Event) -> About:
        """What a bot may know of the person who asks it, and of the room."""
        user = self._users.find(event.sender.user) if event.sender.user is not None else None
        link = self._gate.links.of(event.room)
        carried = link is not None and (link.rules.is_member(user) or link.rules.guests is Guests.RELAY)
        is_member = link is not None and link.rules.is_member(user)
        role = user.role if user is not None else None
        return About(role, link.name if link is not None else "", carried, is_member)

    def _grows(self, heard: Room) -> bool:
        """Whether some of those who hear an answer can see it grow."""
        return any(room.network in self._gate.editable for room in self._gate.links.hearers(heard))

    def _listens(self, key: str, event: Event) -> bool:
        """Whether the bot `key` is in a talk with who said `event`. If another worker hosts the bots, it decides on
        what members say; guests, for whom each question counts, have to call the bot."""
        if self._homes.memory.lease is None:
            bot = self._config.bots.get(key)
            return bot is not None and bot.stay > 0 and event.sender.user is not None
        return self._host.listens(key, event)

    def _is_command(self, line: str, user: User | None) -> bool:
        return is_command(line, user) or self._desk.expects(line, user)

    def _whisper(self, event: Event) -> bool:
        return self._host.whisper(ear(DESK, str(event.room)), event)


def _worker() -> str:
    """What this daemon is called where several share a store."""
    return f"{os.uname().nodename}:{os.getpid()}"


async def _lease(store: Store, network: str) -> Lease:
    lease = await stored(store.acquire, network, _worker())
    if lease is None:
        raise Unusable(f"another process is running the network {network!r} on this store; stop it first")
    return lease


async def _watch_users(users: Users) -> None:
    """Reload the user database when it changes. If it cannot be read, log that once and keep the old state."""
    said = ""
    while True:
        await asyncio.sleep(_USERS_LOOK)
        try:
            if await asyncio.to_thread(users.refresh):
                log.info("users_changed")
            said = ""
        except UsersError as error:
            if str(error) != said:
                said = str(error)
                log.error(
                    "users_unreadable",
                    reason=said,
                    hint="repair the file, or restore a backup; until then the members known before stay members",
                )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one exception that ended the daemon: the first that is not a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
