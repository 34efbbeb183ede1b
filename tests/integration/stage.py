"""Plays the cases of `tests.cases` on real servers: one daemon, with a link for each case that runs side by side."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bridge.demo.people import IrcPerson, Line, MatrixPerson
from bridge.demo.servers import Process, Synapse
from bridge.demo.servers.process import HOST, free_port
from bridge.model.people import Identity, Proof
from bridge.users import User
from bridge.users.tinydb import TinyUsers
from tests.cases.case import RE, START, STOP, Case, Seen, Step
from tests.cases.readable import readable, shown
from tests.integration.daemon import Daemon, write_config
from tests.integration.pond import PASSWORD, TAGS
from tests.integration.servers import Anope, NgIrcd

_PATIENCE = 16.0  # seconds: more than reactions wait on IRC
_SIDE_BY_SIDE = 8
"""Links with the same settings on one IRC server."""
_MEMBERS = ("alice", "bob", "carol", "dora")
_NICKS = {"bob": "bob", "carol": "caz"}
"""The nicks of members on IRC."""
_ECHOED = frozenset({"JOIN", "PART", "KICK", "NICK", "TOPIC"})
"""What every server shows to who did it."""
_COMINGS = (
    "JOIN",
    "PART",
    "KICK",
    "NICK",
    "QUIT",
    *(f'{{"type": "{kind}"' for kind in ("join", "leave", "kick", "rename")),
)
_STEP = re.compile(r"\$[0-9](?![\w-])")
_SPOKEN = frozenset({"PRIVMSG", "NOTICE", "TAGMSG", "TOPIC", "REDACT"})


@dataclass
class _Lane:
    """One link: a room, and a channel on the IRC server `net`."""

    net: str
    name: str
    room: str
    place: str = ""

    @property
    def channel(self) -> str:
        return f"#{self.name}"


@dataclass
class _Interval:
    """Cases that need the daemon stopped meet here: it is stopped, or started, once all of them have come."""

    daemon: Daemon
    cases: int
    waiting: int = 0
    stir: asyncio.Condition = field(default_factory=asyncio.Condition)
    done: set[str] = field(default_factory=set)

    async def meet(self, what: str) -> None:
        async with self.stir:
            self.waiting += 1
            if self.waiting == self.cases:
                self.waiting = 0
                await (self.daemon.stop() if what == STOP else self.daemon.start())
                if what == START:
                    await self.daemon.ready()
                self.done.add(what)
                self.stir.notify_all()
            await self.stir.wait_for(lambda: what in self.done)

    async def is_over(self) -> None:
        """Return once the daemon was stopped and started again."""
        async with self.stir:
            await self.stir.wait_for(lambda: START in self.done)


class Stage:
    """The people, and what they see. Members have the same nicks on both IRC servers; others come when a case needs
    them."""

    def __init__(self, synapse: Synapse, services: Anope, plain: NgIrcd, stack: AsyncExitStack) -> None:
        self.synapse = synapse
        self.servers: Mapping[str, Process] = {"irc": services.irc, "plain": plain}
        self.stack = stack
        self.people: dict[str, MatrixPerson] = {}
        self._irc: dict[tuple[str, str], IrcPerson] = {}
        self.joined: set[tuple[str, str, str]] = set()
        self._coming = asyncio.Lock()
        self.timeline: dict[str, list[dict[str, Any]]] = {}
        self.watching = asyncio.Event()

    async def matrix(self, name: str, lane: _Lane, *, joins: bool = True) -> MatrixPerson:
        async with self._coming:
            if name not in self.people:
                self.people[name] = await self.stack.enter_async_context(MatrixPerson(self.synapse.url, name))
        person = self.people[name]
        if joins and ("home", name, lane.name) not in self.joined:
            self.joined.add(("home", name, lane.name))
            await person.join(lane.room)
        return person

    async def irc(self, name: str, lane: _Lane, *, joins: bool = True) -> IrcPerson:
        nick, key = _NICKS.get(name, name), (lane.net, name)
        async with self._coming:
            if key not in self._irc:
                caps = TAGS if lane.net == "irc" else ()
                sasl = (nick, PASSWORD) if lane.net == "irc" and name in _NICKS else None
                person = IrcPerson(HOST, self.servers[lane.net].port, nick, caps=caps, sasl=sasl)
                self._irc[key] = await self.stack.enter_async_context(person)
        is_new = (lane.net, nick, lane.name) not in self.joined
        self.joined.add((lane.net, nick, lane.name))
        if joins and is_new:
            await self._irc[key].join(lane.channel)
        return self._irc[key]

    async def watch(self) -> None:
        """Keep all events of alice's rooms, in order, until cancelled."""
        alice, since = self.people["alice"], ""
        while True:
            query = {"since": since, "timeout": "30000"} if since else {"timeout": "0"}
            limits = json.dumps({"room": {"timeline": {"limit": 1000}}, "presence": {"types": []}})
            answer = await alice.call("GET", "sync", filter=limits, **query)
            since = answer["next_batch"]
            for room, news in answer.get("rooms", {}).get("join", {}).items():
                self.timeline.setdefault(room, []).extend(news["timeline"]["events"])
            self.watching.set()


@dataclass
class _Played:
    """A case on its way through a lane."""

    case: Case
    lane: _Lane
    stage: Stage
    bob: IrcPerson
    lines_before: int
    events_before: int
    on_irc: dict[str, str] = field(default_factory=dict)
    on_matrix: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        """What the bridge has said in the channel, in this case."""
        return [
            line
            for line in self.bob.lines[self.lines_before :]
            if line.source == "duck" and line.command in _SPOKEN and line.params[0] == self.lane.channel
        ]

    def events(self) -> list[dict[str, Any]]:
        """What the bridge has done in the room, in this case."""
        timeline = self.stage.timeline.get(self.lane.place, [])
        return [event for event in timeline[self.events_before :] if event["sender"].startswith("@duck:")]

    def seen(self) -> tuple[list[Seen], list[Seen]]:
        """All of it on IRC and on Matrix, as cases write it."""
        lines = [self._line(line) for line in self.lines()]
        events = [
            shown(event["type"], event["content"], lambda id_: self.on_matrix.get(id_, "?")) for event in self.events()
        ]
        return [line for line in lines if not _is_end(line)], [each for each in events if not _is_end(each)]

    def _line(self, line: Line) -> str:
        answered = line.tags.get("+draft/reply", "")
        tag = f"{RE} {self.on_irc.get(answered, '?')}" if answered else ""
        match line.command:
            case "PRIVMSG":
                return readable(line.params[-1]) + tag
            case "NOTICE":
                return f"-notice- {readable(line.params[-1])}{tag}"
            case "TAGMSG":
                added, removed = line.tags.get("+draft/react"), line.tags.get("+draft/unreact")
                return f"+draft/{'react' if added else 'unreact'}={added or removed}{tag}"
            case command:
                return f"{command} {readable(line.params[-1])}"

    async def step(self, number: int, step: Step, interval: _Interval) -> None:
        name, counts = f"${number}", (len(self.lines()), len(self.events()))
        if not step.who:
            await interval.meet(str(step.does))
        elif isinstance(step.does, str):
            await self._do_on_irc(name, step.who, step.does)
        else:
            await self._do_on_matrix(name, step.who, step.does)
        lines = counts[0] + sum(isinstance(each, str) for each in step.seen)
        events = counts[1] + sum(not isinstance(each, str) for each in step.seen)
        await self._until(lambda: len(self.lines()) >= lines and len(self.events()) >= events)
        await asyncio.sleep(step.pause)
        for line in self.lines()[counts[0] :]:
            self.on_irc.setdefault(line.tags.get("msgid", ""), name)
        for event in self.events()[counts[1] :]:
            self.on_matrix.setdefault(event["event_id"], name)

    async def end(self) -> None:
        """Nothing of the case comes any more."""
        alice = await self.stage.matrix("alice", self.lane)
        await alice.send(self.lane.place, "the end")
        await self._until(lambda: any(_is_end(self._line(line)) for line in self.lines()))
        await self.bob.say(self.lane.channel, "the end")
        await self._until(lambda: any(_is_end(each["content"]) for each in self.events()))

    async def _do_on_irc(self, name: str, who: str, said: str) -> None:
        person = await self.stage.irc(who, self.lane, joins=not said.startswith("JOIN"))
        said = self._with_ids(said.replace("{channel}", self.lane.channel), self.on_irc)
        for line in said.split("\n"):
            command = line.split(" ")[1] if line.startswith("@") else line.partition(" ")[0]
            if command == "NICK":
                await person.rename(line.partition(" ")[2])
            elif command in _ECHOED or (command in _SPOKEN and "echo-message" in person.active):
                channel = None if command == "QUIT" else self.lane.channel
                echo = await person.ask(line, _echo(person.nick, command, channel))
                self.on_irc.setdefault(echo.tags.get("msgid", name), name)
            else:
                await person.raw(line)

    async def _do_on_matrix(self, name: str, who: str, does: Mapping[str, Any]) -> None:
        person = await self.stage.matrix(who, self.lane, joins=does["type"] != "join")
        does = json.loads(self._with_ids(json.dumps(does), self.on_matrix))
        where = f"rooms/{quote(self.lane.place, safe='')}"
        match does["type"]:
            case "join":
                await person.join(self.lane.place)
            case "leave":
                await person.leave(self.lane.place)
            case "rename":
                await person.rename(does["name"])
            case "kick":
                user = self.stage.synapse.user_id(does["who"])
                await person.call("POST", f"{where}/kick", {"user_id": user, "reason": does.get("reason", "")})
            case "redact":
                reason = {"reason": does["reason"]} if does["reason"] else {}
                path = f"{where}/redact/{quote(does['target'], safe='')}/{uuid.uuid4().hex}"
                event = (await person.call("PUT", path, reason))["event_id"]
                self.on_matrix[event] = name
            case "m.room.topic":
                await person.call("PUT", f"{where}/state/m.room.topic", does["content"])
            case kind:
                self.on_matrix[await person.send_event(self.lane.place, kind, does["content"])] = name

    @staticmethod
    def _with_ids(text: str, known: Mapping[str, str]) -> str:
        """`text` with the id of each step that it names: the last one, if it has several."""
        ids = {name: id_ for id_, name in known.items()}
        return _STEP.sub(lambda step: ids.get(step[0], step[0]), text)

    async def _until(self, done: Any) -> None:
        """Wait until it is `done`, or too late: what is missing then is seen by what was expected."""
        for _ in range(int(_PATIENCE / 0.05)):
            if done():
                return
            await asyncio.sleep(0.05)


def expected(case: Case, net: str) -> tuple[list[Seen], list[Seen]]:
    """What is seen on IRC and on Matrix in all."""
    seen = [each for step in case.steps for each in step.seen]
    lines = [each if net == "irc" else each.partition(RE)[0] for each in seen if isinstance(each, str)]
    return [*lines], [dict(each) for each in seen if not isinstance(each, str)]


def _is_end(seen: object) -> bool:
    text = seen.get("body", "") if isinstance(seen, Mapping) else seen
    return isinstance(text, str) and text.endswith("> the end")


def _echo(nick: str, command: str, channel: str | None) -> Callable[[Line], bool]:
    """Tells the echo of that command: the same person says something in other channels at the same time."""
    return lambda line: (
        line.source == nick and line.command == command and (channel is None or line.params[0] == channel)
    )


Outcome = tuple[list[Seen], list[Seen]]


async def play(
    folder: Path, cases: Sequence[Case], synapse: Synapse, services: Anope, plain: NgIrcd
) -> dict[str, Outcome]:
    """Play all cases; what was seen on IRC and on Matrix, by the title of the case and the server (`irc`, `plain`)."""
    async with AsyncExitStack() as stack:
        stage = Stage(synapse, services, plain, stack)
        lanes = _lanes(cases)
        await _set_up(folder, stage, lanes, services)
        daemon = await stack.enter_async_context(Daemon(folder))
        await daemon.ready()
        watching = asyncio.create_task(stage.watch())
        try:
            await stage.watching.wait()
            return await _play_all(stage, lanes, cases, daemon)
        finally:
            watching.cancel()


async def _play_all(
    stage: Stage, lanes: Mapping[tuple[str, str], list[_Lane]], cases: Sequence[Case], daemon: Daemon
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    todo = [(net, case) for case in cases for net in _nets(case)]
    stopping = [each for each in todo if _stops(each[1])]
    interval = _Interval(daemon, len(stopping))
    free = {key: asyncio.Queue[_Lane]() for key in lanes}
    for key, each in lanes.items():
        for lane in each:
            free[key].put_nowait(lane)

    async def run(net: str, case: Case) -> None:
        key = net, json.dumps(case.settings)
        lane = await free[key].get()
        outcomes[name_of(case, net)] = await _play(stage, lane, case, interval)
        free[key].put_nowait(lane)

    async with asyncio.TaskGroup() as group:
        for net, case in stopping:
            group.create_task(run(net, case))
        await interval.is_over()
        for net, case in sorted((each for each in todo if not _stops(each[1])), key=lambda each: -_wait(each[1])):
            group.create_task(run(net, case))
    return outcomes


async def _play(stage: Stage, lane: _Lane, case: Case, interval: _Interval) -> Outcome:
    bob = await stage.irc("bob", lane)
    played = _Played(case, lane, stage, bob, len(bob.lines), len(stage.timeline.get(lane.place, [])))
    for number, step in enumerate(case.steps, 1):
        await played.step(number, step, interval)
    await played.end()
    return played.seen()


def name_of(case: Case, net: str) -> str:
    return f"{case.direction}: {case.title} ({net})"


def _nets(case: Case) -> tuple[str, ...]:
    return ("irc",) if case.tags else ("irc", "plain")


def _stops(case: Case) -> bool:
    return any(not step.who for step in case.steps)


def _wait(case: Case) -> int:
    """How many seconds a case waits, about: those that wait for long begin first."""
    done = [step.does if isinstance(step.does, str) else json.dumps(step.does) for step in case.steps]
    if any("m.annotation" in each for each in done):
        return 9
    if any(each.startswith(_COMINGS) for each in done):
        return 5
    return 3 if any("m.replace" in each for each in done) else 0


def _lanes(cases: Sequence[Case]) -> dict[tuple[str, str], list[_Lane]]:
    """Lanes by IRC server and settings: as many as are of use, and one for each case that stops the daemon."""
    counts: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        for net in _nets(case):
            counts.setdefault((net, json.dumps(case.settings)), []).append(case)
    lanes: dict[tuple[str, str], list[_Lane]] = {}
    for number, (key, some) in enumerate(counts.items()):
        many = max(sum(map(_stops, some)), min(len(some), _SIDE_BY_SIDE))
        names = [f"lane-{number}-{each}" for each in range(many)]
        lanes[key] = [_Lane(key[0], name, f"#{name}:localhost") for name in names]
    return lanes


def _nested(settings: Mapping[str, str]) -> dict[str, Any]:
    """`settings` as in the config: those with a dot in their names are of a section."""
    nested: dict[str, Any] = {}
    for name, value in settings.items():
        section, dot, key = name.partition(".")
        if dot:
            nested.setdefault(section, {})[key] = value
        else:
            nested[name] = value
    return nested


async def _set_up(folder: Path, stage: Stage, lanes: Mapping[tuple[str, str], list[_Lane]], services: Anope) -> None:
    """Accounts, rooms, channels, configuration and users."""
    await asyncio.gather(*(services.register(nick, PASSWORD) for nick in _NICKS.values()))
    await stage.synapse.register("duck", PASSWORD)
    every = [lane for some in lanes.values() for lane in some]
    alice = await stage.stack.enter_async_context(MatrixPerson(stage.synapse.url, "alice"))
    stage.people["alice"] = alice
    levels = {"events": {"m.room.topic": 0}}
    for lane in every:
        stage.joined.add(("home", "alice", lane.name))
        lane.place = await alice.create_room(lane.name, power_level_content_override=levels)
        for name in ("bob", "carol"):
            person = await stage.irc(name, lane)
            if name == "bob":
                await person.raw(f"MODE {lane.channel} -t")
    links = {
        lane.name: {
            "rooms": [f"home/{lane.room}", f"{lane.net}/{lane.channel}"],
            "guests": "relay",
            **_nested({"media.links": "off", **json.loads(settings)}),
        }
        for (_, settings), some in lanes.items()
        for lane in some
    }
    flood = {"burst": 1000, "per_second": 1000}
    networks: dict[str, Any] = {
        net: {
            "type": "irc",
            "server": f"{HOST}:{server.port}",
            "tls": False,
            "nick": "duck",
            "flood": flood,
            "trust_hostmasks": net == "plain",
        }
        for net, server in stage.servers.items()
    }
    networks["home"] = {
        "type": "matrix",
        "homeserver": stage.synapse.url,
        "user": stage.synapse.user_id("duck"),
        "password_file": "secrets/home",
    }
    config = {
        "networks": networks,
        "links": links,
        "http": {"listen": f"{HOST}:{free_port()}", "public_url": "https://pond.social"},
        "users": {"database": "data/users.json"},
        "store": {"path": "data/quackbridge.sqlite"},
    }
    write_config(folder, config, {"home": PASSWORD})
    users = TinyUsers.create(folder / "data" / "users.json")
    for name in _MEMBERS:
        proofs = [Identity(Proof.MATRIX, "", stage.synapse.user_id(name))]
        if nick := _NICKS.get(name):
            proofs += [Identity(Proof.IRC, "irc", nick), Identity(Proof.IRC_MASK, "plain", f"{nick}!*@{HOST}")]
        users.add(User(name, identities=tuple(proofs)))
