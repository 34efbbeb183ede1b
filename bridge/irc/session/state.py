"""The state of one connection: the parts that its lines change. The parts do not know each other."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.irc.dialect.convert import EventIds
from bridge.irc.hearing.cursor import Cursor
from bridge.irc.hearing.history import History
from bridge.irc.hearing.people import People
from bridge.irc.hearing.speakers import Speakers
from bridge.irc.hearing.who import WhoQueue
from bridge.irc.puppets.faces import Faces
from bridge.irc.sasl.choice import Trust
from bridge.irc.session.automata import Automata
from bridge.irc.session.channels import Channels
from bridge.irc.session.ctcp import Ctcp
from bridge.irc.session.hush import Hush
from bridge.irc.session.liveness import Liveness
from bridge.irc.session.login import Login
from bridge.irc.session.netsplit import Netsplits
from bridge.irc.session.nickserv import NickServ
from bridge.irc.session.ourselves import Ourselves
from bridge.irc.session.proof import Proofs
from bridge.irc.session.relaying import Relaying
from bridge.irc.settings import IrcSettings
from bridge.irc.wire.batches import Batches
from bridge.irc.wire.isupport import Isupport
from bridge.irc.wire.multiline import Assembly
from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.event import Room
from bridge.model.people import Sender
from bridge.network import TransientError

_RETRY_AFTER_S = 60.0
_TYPISTS = 1000
"""More people than type at once in all our channels."""
_TOPICS = 1000
"""Most channels whose topics are remembered."""


@dataclass(frozen=True, slots=True)
class Typist:
    """`who` types in `room`, as they said last `at` that time; None if they have stopped since."""

    room: Room
    who: Sender | None
    at: float


Greets = Callable[[Room], Callable[[Sender], bool] | None]
"""Of whom it is told that they are in a channel that we have joined; None: of nobody there."""


def greets_nobody(_room: Room) -> None:
    """Nobody is told of anywhere."""


class State:
    """All that one connection knows. Sans I/O. `now` (seconds of a clock that does not go back) and `wall` (seconds
    since the epoch) are those of the current line. `cursor` gives our position when we join a channel."""

    def __init__(
        self,
        settings: IrcSettings,
        rooms: Sequence[Room],
        *,
        origin: str,
        now: float,
        rng: random.Random,
        cursor: Callable[[], Cursor],
        trust: Trust,
        netid: str = "",
        knocked: LruDict[str, float] | None = None,
        faces: Faces | None = None,
        greets: Greets = greets_nobody,
    ) -> None:
        self.settings = settings
        self.now, self.wall = now, 0.0
        self.cursor = cursor
        self.welcomed_at: float | None = None
        self.server = ""
        """The name of our server, as it welcomed us."""
        self.online_since: float | None = None  # by the server's clock; 0.0 if it tells no time
        self.joining = False
        self.join_at = 0.0
        self.isupport = Isupport()
        self.channels = Channels(rooms, settings.keys, knocked)
        self.hush = Hush()
        self.hush.has_account = settings.sasl is not None or settings.nickserv is not None
        self.login = Login(settings, rng, trust)
        self.login.networks.netid = self.login.networks.netid or netid
        self.enabled = self.login.capabilities.enabled
        self.us = Ourselves(settings.nick)
        self.nickserv = NickServ(settings.nickserv, settings.nick)
        self.relaying = Relaying(self.login.capabilities, on=settings.relaymsg)
        self.proofs = Proofs()
        self.liveness = Liveness(now)
        self.who_queue = WhoQueue()
        self.people = People(origin)
        self.automata = Automata(self.people, self.isupport)
        self.speakers = Speakers()
        self.history = History(self.isupport, self.enabled, origin)
        self.batches = Batches()
        self.netsplits = Netsplits()
        self.assembly = Assembly()
        self.lines_only = False
        """Whether the server has refused a message of several lines."""
        self.references = itertools.count(1)
        self.ids = EventIds(origin)
        self.faces = faces or Faces()
        """Our puppets, as they are seen in our channels."""
        self.greets = greets
        self.typing: LruDict[tuple[Room, str], Typist] = LruDict(_TYPISTS)
        """Who types where, by folded nick."""
        self.topics: LruDict[str, str] = LruDict(_TOPICS)
        """The topics of channels, by folded names, as far as they are known."""
        self.playing: dict[Room, tuple[float, dict[tuple[str, ...], int]]] = {}
        """The channels in which a bouncer plays back in plain lines: since when, and how often it played which line."""
        self.ctcp = Ctcp()
        self.told_at = now

    @property
    def online(self) -> bool:
        return self.welcomed_at is not None

    @property
    def may_join(self) -> bool:
        return self.joining and self.now >= self.join_at

    def compare_by(self, casemapping: Casemapping) -> None:
        """The server compares names by `casemapping`, which it may say at any time."""
        if casemapping is self.people.casemapping:
            return
        for part in (self.people, self.speakers, self.proofs, self.us, self.channels, self.hush, self.faces):
            part.compare_by(casemapping)
        self.relaying.casemapping = casemapping
        typists = [self.typing.pop(key) for key in self.typing]
        for each in typists:
            if each is not None and each.who is not None:
                self.typing[each.room, casemapping.fold(each.who.address)] = each
        for channel in self.topics:
            self.topics.pop(channel)  # how the server wrote the channel's name is not known any more

    def absence(self, target: str) -> TransientError | None:
        """Why we are not in a configured channel, and when to try again; None if unknown, or if we are in it."""
        reason, due = self.channels.trouble(target, self.now)
        if not reason or self.channels.joined(target):
            return None
        return TransientError(f"not in {target}: {reason}", min(max(due, 1.0), _RETRY_AFTER_S))
