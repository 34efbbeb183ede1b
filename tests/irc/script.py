"""Plays a scripted exchange with a server on a session, line by line.

A script is a text file in `scripts/`. What follows the first word of a line:

    #       a comment
    @       settings: now=TIME nick=NICK sasl=ACCOUNT:PASSWORD network=BOUNCER_NETWORK rooms=#a,#b
    was     what an earlier run has heard last: `#pond TIME MSGID` (`-` for none)
    <-      a line from the server
    ->      a line from us; each has to be in the script, in order; `*` at the end stands for anything
    grant   the server grants all capabilities that we ask for (CAP REQ)
    ==      what the bridge learns, in order: `#pond bob: hi`, with `then` before what is from a history;
            `#pond caught up`, `#pond caught up, gap`; `sent POST`, `not sent POST: reason`; `over: reason`
    say     `POST #pond text`: we send a post
    wait    so many seconds pass
    again   the connection is over, and another begins

Events are told once, by their ids, as the store does it.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from bridge.irc.dialect.operations import Say
from bridge.irc.effects import Broken, CaughtUp, Effect, Failed, Heard, NetworkFound, Proved, Rejected, Write
from bridge.irc.hearing.cursor import Cursor, Position
from bridge.irc.inbox import Inbox
from bridge.irc.session.session import Session
from bridge.model.event import Event, Membership, Message, Origin, Reaction, Redaction, Room, Topic
from bridge.model.text import plain
from tests.settings import irc_settings

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass
class Player:
    """Plays one script. Raises AssertionError, with the number of the line, where something else happens."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    written: deque[str] = field(default_factory=deque)
    learnt: deque[str] = field(default_factory=deque)
    now: float = 0.0
    netid: str = ""
    _session: Session | None = None
    _inbox: Inbox | None = None
    _seen: set[str] = field(default_factory=set)
    _connections: int = 0

    def play(self) -> None:
        lines = (SCRIPTS / self.name).read_text().splitlines()
        for number, line in enumerate(lines, 1):
            verb, _, rest = line.strip().partition(" ")
            try:
                self._step(verb, rest.strip())
            except AssertionError as error:
                raise AssertionError(f"{self.name}:{number}: {line}\n{error}") from None
        assert not self.written, f"{self.name}: written, and not in the script: {[*self.written]}"
        assert not self.learnt, f"{self.name}: learnt, and not in the script: {[*self.learnt]}"

    def _step(self, verb: str, rest: str) -> None:
        steps: dict[str, Callable[[str], None]] = {
            "": lambda _: None,
            "#": lambda _: None,
            "@": lambda rest: self.settings.update(
                {word.partition("=")[0]: word.partition("=")[2] for word in rest.split()}
            ),
            "was": self._was,
            "<-": self._hears,
            "->": lambda rest: self._expect(self.written or self._begun(), rest, "written"),
            "==": lambda rest: self._expect(self.learnt, rest, "learnt"),
            "grant": lambda _: self._grant(),
            "say": self._says,
            "wait": self._waits,
            "again": lambda _: self._ends(),
        }
        assert verb in steps, f"{verb!r} is no verb of a script"
        steps[verb](rest)

    def _was(self, rest: str) -> None:
        room, time, msgid = rest.split()
        self.positions[room] = Position(_time(time), msgid.strip("-"), _time(time) + 1)

    def _hears(self, line: str) -> None:
        assert not self.written, f"written, and not in the script: {[*self.written]}"
        self._take(self.session.feed(line, self.now, self.wall))

    def _grant(self) -> None:
        requests = [self.written.popleft() for _ in range(len(self.written))]
        assert requests, "nothing is asked for"
        for request in requests:
            assert request.startswith("CAP REQ "), f"written is instead: {request}"
            self._hears(f":irc CAP * ACK :{request.removeprefix('CAP REQ ').removeprefix(':')}")

    def _says(self, rest: str) -> None:
        post, target, text = rest.split(" ", 2)
        self._take(self.session.perform(post, Say("PRIVMSG", target, text)))

    def _waits(self, rest: str) -> None:
        for _ in range(int(rest)):
            self.now += 1
            self._take(self.session.tick(self.now))

    def _ends(self) -> None:
        self._take(self.session.lost())
        self._session = None

    def _expect(self, queue: deque[str], wanted: str, what: str) -> None:
        assert queue, f"nothing more is {what}"
        found = queue.popleft()
        literal = wanted.removesuffix("*").replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        pattern = literal + "*" if wanted.endswith("*") else literal
        assert fnmatchcase(found, pattern), f"{what} is instead: {found}"

    @property
    def wall(self) -> float:
        return _time(self.settings["now"]) + self.now

    @property
    def session(self) -> Session:
        if self._session is None:
            self._begun()
        assert self._session is not None
        return self._session

    def _begun(self) -> deque[str]:
        """Begin a connection, if there is none."""
        if self._session is not None:
            return self.written
        account, _, password = self.settings.get("sasl", "").partition(":")
        rooms = [Room("net", name) for name in self.settings.get("rooms", "#pond").split(",")]
        inbox = self._inbox = self._inbox or Inbox(Cursor(self.positions))
        inbox.until = self.wall
        self._connections += 1
        self._session = Session(
            irc_settings(
                nick=self.settings.get("nick", "duck"),
                sasl_account=account or None,
                sasl_password=password or None,
                bouncer_network=self.settings.get("network"),
            ),
            rooms,
            origin=f"{self.name} {self._connections}",
            now=self.now,
            rng=random.Random(1),
            cursor=lambda: inbox.heard,
            netid=self.netid,
        )
        self._take(self._session.start())
        return self.written

    def _take(self, effects: list[Effect]) -> None:
        assert self._inbox is not None
        self._inbox.until = self.wall
        for effect in effects:
            if isinstance(effect, Heard | CaughtUp):
                self._inbox.put(effect)
            if isinstance(effect, NetworkFound):
                self.netid = effect.netid
            match effect:
                case Write(data):
                    self.written.append(data.decode().rstrip("\r\n"))
                case Heard(event) if event.id not in self._seen:
                    self._seen.add(event.id)
                    self.learnt.append(_told(event))
                case CaughtUp(room, _, since):
                    self.learnt.append(f"{room.id} caught up{', gap' if since is not None else ''}")
                case Proved(post):
                    self.learnt.append(f"sent {post}")
                case Failed(post, _, error):
                    self.learnt.append(f"not sent {post}: {error}")
                case Broken(reason) | Rejected(reason):
                    self.learnt.append(f"over: {reason}")


def _told(event: Event) -> str:
    who = f"{event.room.id} {'then ' if event.origin is Origin.REPLAYED else ''}{event.sender.address}"
    match event.body:
        case Message(text):
            return f"{who}: {plain(text)}"
        case Topic(text):
            return f"{who} sets the topic: {text}"
        case Reaction(target, key):
            return f"{who} reacts to {target.id}: {key}"
        case Redaction(target):
            return f"{who} removes {target.id}"
        case Membership(person, change, detail):
            return f"{event.room.id} {person.address} {change.value} {detail}".rstrip()
        case other:
            return f"{who} {other}"


def _time(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
