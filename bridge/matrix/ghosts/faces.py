"""Decides by whom each message is said: by the ghost of its speaker, or by the bridge's own account with a mark."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

import structlog

from bridge.lib.bucket import TokenBucket
from bridge.lib.files import stamp
from bridge.lib.lru import LruDict
from bridge.lib.waiting import is_set_within
from bridge.matrix.acting import Voice
from bridge.matrix.dialect.face import Face
from bridge.matrix.dialect.fields import table, word
from bridge.matrix.dialect.ghost_ids import may_be_ghost
from bridge.matrix.dialect.operations import Move
from bridge.matrix.dialect.sync import Membership
from bridge.matrix.ghosts.making import Making, removal
from bridge.matrix.ghosts.records import MOST, Ghost, Ghosts, Place
from bridge.matrix.ghosts.service import NotRegistered, Service, is_unknown
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.people import Sender
from bridge.network import FaceRemoved, GhostState, Memory, Refused

log = structlog.get_logger()

_FLAG = "ghosts"
_KNOWN = "known"
_WITHIN_S = 3.0
"""Most seconds that somebody's words wait for their ghost."""
_AT_ONCE, _PER_SECOND = 5, 2.0
"""How many ghosts come into rooms at once, and then each second: a homeserver has other things to do, too."""
_MOST = 50
"""Most ghosts that are being made, or wait for it; others are tried at their next words."""
_RARELY_S = 3600.0
"""Seconds until what did not work is tried again: a registration that the homeserver does not know, a room that does
not let a ghost in."""
_SOON_S = 30.0
"""The same after trouble that passes."""
_MUTED_S = 60.0
"""The same where a ghost may not speak, as in a moderated room."""
_LOOK_S = 1.0
_LOOKS = 5
"""Looks in which each ghost was looked at once."""
_LATE_MS = 60_000
_DAY_S = 86_400.0
_BARRED = 5_000


MayStay = Callable[[Sender, str], bool]
"""Whether somebody, who has a ghost in the room of that id, may have one there still."""


class Faces:
    """`us`: the Matrix id of the bridge's own account; `online` is set while the homeserver answers; `clock` gives
    seconds since the epoch; a ghost that has said nothing for `idle_s` seconds leaves."""

    def __init__(
        self,
        network: str,
        us: str,
        service: Service,
        homeserver: Homeserver,
        memory: Memory,
        online: asyncio.Event,
        clock: Callable[[], float] = time.time,
        idle_s: float = 30 * _DAY_S,
        may_stay: MayStay = lambda *_: True,
    ) -> None:
        self._network = network
        self._us = us
        self._server = us.partition(":")[2]
        self._service = service
        self._memory = memory
        self._online = online
        self._clock = clock
        self._idle_s = idle_s
        self._may_stay = may_stay
        self._looking: Iterator[Ghost] = iter(())
        self._making = Making(network, service, homeserver, memory)
        self._ghosts = Ghosts(self._server)
        self._known: bool | None = None  # whether the homeserver knows our registration; None: not asked yet
        self._reason = ""
        self._checked = asyncio.Event()
        self._asked_at: float | None = None  # since when words wait for that, by the loop's clock
        self._wanted = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._bucket = TokenBucket(_AT_ONCE, _PER_SECOND)
        self._under_way: dict[tuple[str, str, str, str], asyncio.Task[bool]] = {}
        self._words_wait: dict[tuple[str, str, str, str], float] = {}  # for ghosts under way: since when, by the loop
        self._later: dict[tuple[str, str, str, str], tuple[JoinedRoom, Face]] = {}  # of a crowd that came at once
        self._turned_back = dict[tuple[str, str, str, str], str]()  # under way, though their people have left: why
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._barred = LruDict[tuple[str, str, str, str], float](_BARRED)  # until when, by the loop's clock
        self._changed: set[str] = set()  # ghosts of which something was heard that is not kept yet

    # What others ask

    def is_ours(self, user: str) -> bool:
        """Whether `user` is a ghost of ours, or one that we have forgotten: nobody else can have such an id."""
        return self._ghosts.by_id(user) is not None or (self._known is True and may_be_ghost(user, self._server))

    def senders(self, face: Face) -> tuple[str, ...]:
        """The ghost that may have said something for who has that face."""
        ghost = self._ghosts.of(face)
        return () if ghost is None else (ghost.user,)

    def voice_of(self, user: str) -> Voice | None:
        """The voice of the ghost `user`; None if it is none of ours."""
        return self._service.voice(user) if self.is_ours(user) else None

    def voice(self, ghost: Ghost, face: Face) -> Voice:
        """The voice in which the ghost says what it said at its time: late words stand at their own time."""
        late = face.late or self._clock() * 1000 - face.at > _LATE_MS
        return self._service.voice(ghost.user, face.at if late and face.at else None)

    def state(self) -> GhostState | None:
        """See `bridge.network.HasGhosts`."""
        number = sum(ghost.made for ghost in self._ghosts)
        if not number and not self._wanted.is_set():
            return None
        return GhostState(number, self._reason if self._known is False else "")

    async def recall(self) -> None:
        """Load what earlier runs have kept."""
        kept = await self._memory.recall()
        self._ghosts.recall(kept)
        if kept.get(_FLAG) == _KNOWN:
            self._known = True

    def hear(self, joined: JoinedRoom, member: Membership) -> None:
        """Somebody has changed where a ghost may be."""
        ghost = self._ghosts.by_id(member.user)
        if ghost is not None and member.sender == ghost.user and member.membership == "join":
            if ghost.removed(joined.id):  # it came at the moment in which it was removed
                ghost.enter(joined.id)
                self._changed.add(ghost.user)
            return
        if ghost is None or member.sender in (member.user, self._us):
            return
        before = word(table(member.event, "unsigned", "prev_content"), "membership")
        if member.membership == "ban" or (member.membership == "leave" and before != "ban"):
            how = Place.BANNED if member.membership == "ban" else Place.KICKED
            ghost.remove(joined.id, how, removal(how, member.sender, member.reason))
            log.warning(
                "ghost_removed",
                network=self._network,
                room=str(joined.room),
                ghost=ghost.user,
                reason=ghost.removed(joined.id),
                hint="it stays out until somebody there invites it; see `banned` in the configuration",
            )
        elif member.membership in ("leave", "invite"):  # the ban is lifted, or somebody wants it back
            ghost.free(joined.id)
        self._changed.add(ghost.user)

    # Who speaks

    async def speaker(self, joined: JoinedRoom, face: Face, *, again: bool = False) -> Ghost | None:
        """The ghost of who has that face, in the room and by its name; None if the bridge's own account has to speak.
        `again`: an earlier run may have spoken: by a ghost only if that was in the room. Raises FaceRemoved if the
        ghost was removed from there and nobody else may speak for it."""
        if joined.private or joined.encrypted or not await self._is_known():
            return None
        ghost = self._ghosts.of(face)
        is_ready = ghost is not None and ghost.inside(joined.id)
        if ghost is not None and ghost.removed(joined.id):
            await self._stays_out(ghost, joined, face)
            return None
        if self._is_barred(face, joined) or (again and not is_ready):
            return None
        if ghost is None or not is_ready or ghost.shown != face.shown:
            if not await self._is_prepared(joined, face):
                return None
            ghost = self._ghosts.of(face)
            if ghost is not None and ghost.removed(joined.id):
                await self._stays_out(ghost, joined, face)
            if ghost is None or not ghost.inside(joined.id):
                return None
        self._learn(ghost, face)
        await self._note_spoke(ghost)
        return ghost

    async def present(self, face: Face) -> Ghost | None:
        """The ghost of who has that face, by its name, for a room of its own; None if they can have none now. Raises
        ApiError, Unreachable."""
        if not await self._is_known():
            return None
        ghost = self._ghosts.of(face) or self._ghosts.add(face, self._today())
        if ghost is None:
            return None
        if not ghost.made:
            await self._turn()
        try:
            async with self._locks.setdefault(ghost.user, asyncio.Lock()):
                await self._making.present(ghost, face)
        except ApiError as error:
            if is_unknown(error):
                await self._lost(f"the homeserver does not know the registration ({error})")
                return None
            raise
        self._learn(ghost, face)
        await self._note_spoke(ghost)
        return ghost

    def _learn(self, ghost: Ghost, face: Face) -> None:
        if ghost.learn(face):
            self._changed.add(ghost.user)

    def by_id(self, user: str) -> Ghost | None:
        """The ghost with that Matrix id, which the homeserver has; None if there is none."""
        ghost = self._ghosts.by_id(user)
        return ghost if ghost is not None and ghost.made else None

    def by_nick(self, network: str, nick: str) -> Ghost | None:
        """See `Ghosts.by_nick`."""
        return self._ghosts.by_nick(network, nick)

    async def confirmed(self) -> None:
        """Return once the homeserver has said in this run that it knows our registration."""
        while not (self._checked.is_set() and self._known):  # noqa: ASYNC110  (it may be lost again)
            await asyncio.sleep(_LOOK_S)

    def want(self) -> None:
        """Find out whether the homeserver knows us, though nobody has a ghost yet."""
        self._wanted.set()

    @property
    def is_known(self) -> bool:
        """Whether the homeserver knows our registration, as far as we know."""
        return self._known is True

    async def gives_way(self, ghost: Ghost, joined: JoinedRoom, face: Face, error: ApiError) -> bool:
        """Whether the bridge's own account speaks instead of the ghost, which the homeserver did not let speak. Raises
        FaceRemoved if it was removed from the room and nobody else may speak for it."""
        if error.passes:
            return False
        if is_unknown(error):
            await self._lost(f"the homeserver does not know the registration any more ({error})")
            return True
        if error.status != 403:
            return False
        await self._making.look(ghost, joined)
        await self._making.keep(ghost)
        if ghost.removed(joined.id):
            await self._stays_out(ghost, joined, face)
        elif ghost.inside(joined.id):
            self._bar(face, joined, _MUTED_S)
        return True

    async def move(self, joined: JoinedRoom, moves: Sequence[Move]) -> Sequence[Move]:
        """Let ghosts do in the room what their people have done. Returns what no ghost has shown. Safe to repeat."""
        if joined.private or not await self._is_known():
            return moves
        return [move for move in moves if not (move.face and await self._is_shown(joined, move, move.face))]

    async def _is_shown(self, joined: JoinedRoom, move: Move, face: Face) -> bool:
        ghost = self._moved(move, face)
        place = ghost.rooms.get(joined.id) if ghost is not None else None
        if move.change in ("joined", "came"):
            return self._comes(joined, move, face, place)
        key = _key(face, joined)
        self._later.pop(key, None)
        if move.change != "renamed" and place is not Place.IN and key in self._under_way:
            self._turned_back[key] = move.reason
            return move.change == "left"
        if ghost is None or place not in (Place.IN, Place.GONE):
            return False
        if place is Place.GONE:
            return move.change == "left"  # it has done so already
        try:
            if move.change == "renamed":
                ghost.nick = move.nick or ghost.nick
                await self._making.rename(ghost, move.shown)
                return True
            await self._making.leave(ghost, joined.id, move.reason)
        except ApiError as error:
            if error.passes:
                raise
            return False
        return move.change == "left"  # whom people see next under another nick is to be said

    def _moved(self, move: Move, face: Face) -> Ghost | None:
        """The ghost of who has moved."""
        if move.change == "replaced" and move.nick:
            return self._ghosts.replaced(face, move.nick)
        return self._ghosts.left(face) if move.change == "left" else self._ghosts.of(face)

    def _comes(self, joined: JoinedRoom, move: Move, face: Face, place: Place | None) -> bool:
        """Whether the ghost of who has joined comes, too: back, or for the first time where all have ghosts."""
        if move.change == "came" and place is Place.IN:
            return True
        may_come = place is Place.GONE or (move.change == "came" and place is None)
        if not may_come or joined.encrypted or self._is_barred(face, joined):
            return False
        if len(self._under_way) < _MOST // 2:
            return self._start(joined, face) is not None
        if len(self._later) < MOST:  # half of the places are for those who say something
            self._later.setdefault(_key(face, joined), (joined, face))
            return True
        return False

    def _next(self, key: tuple[str, str, str, str]) -> None:
        """A ghost has come, or not: the next one of a crowd may."""
        self._under_way.pop(key, None)
        self._words_wait.pop(key, None)
        self._turned_back.pop(key, None)
        self._later.pop(key, None)
        while self._later and self._group is not None and len(self._under_way) < _MOST // 2:
            joined, face = self._later.pop(next(iter(self._later)))
            if not self._is_barred(face, joined):
                self._start(joined, face)

    async def _stays_out(self, ghost: Ghost, joined: JoinedRoom, face: Face) -> None:
        removed = ghost.removed(joined.id)  # which may change meanwhile
        await self._flush()
        if not face.or_mark:
            raise FaceRemoved(f"{ghost.user}, who speaks for {face.shown} there, was {removed}")

    async def _is_known(self) -> bool:
        """Whether the homeserver knows our registration. The first words wait for the answer, and no later ones."""
        self._wanted.set()
        if self._known is None and self._group is not None:
            now = asyncio.get_running_loop().time()
            self._asked_at = now if self._asked_at is None else self._asked_at
            await is_set_within(self._checked, self._asked_at + _WITHIN_S - now)
        return self._known is True

    async def _note_spoke(self, ghost: Ghost) -> None:
        """Keep the day of its last words, and what was seen of its person: once a day, as each time would take another
        transaction."""
        today = self._today()
        if ghost.day != today or ghost.user in self._changed:
            ghost.day = today
            self._changed.discard(ghost.user)
            await self._making.keep(ghost)

    # How ghosts come

    async def _is_prepared(self, joined: JoinedRoom, face: Face) -> bool:
        """Whether the ghost is in the room by now. If it takes too long it goes on coming, and no later words wait."""
        task = self._start(joined, face)
        if task is None:
            return False
        now = asyncio.get_running_loop().time()
        since = self._words_wait.setdefault(_key(face, joined), now)
        done, _ = await asyncio.wait({task}, timeout=max(0.0, since + _WITHIN_S - now))
        return bool(done) and not task.cancelled() and task.result()

    def _start(self, joined: JoinedRoom, face: Face) -> asyncio.Task[bool] | None:
        """Let the ghost come. None if too many are coming already."""
        key = _key(face, joined)
        self._turned_back.pop(key, None)
        task = self._under_way.get(key)
        if task is None:
            if self._group is None or len(self._under_way) >= _MOST:
                return None
            task = self._under_way[key] = self._group.create_task(self._prepare(joined, face), name=f"ghost {key}")
            task.add_done_callback(lambda _: self._next(key))
        return task

    async def _prepare(self, joined: JoinedRoom, face: Face) -> bool:
        known = self._ghosts.of(face)
        is_somewhere = known is not None and Place.IN in known.rooms.values()
        ghost = self._ghosts.add(face, self._today()) if is_somewhere or not self._ghosts.is_full() else None
        if ghost is None:
            self._bar(face, joined, _RARELY_S)
            return False
        if not (ghost.made and ghost.inside(joined.id)):
            await self._turn()
        key = _key(face, joined)
        if key in self._turned_back:
            return False
        try:
            async with self._locks.setdefault(ghost.user, asyncio.Lock()):
                await self._making.present(ghost, face)
                await self._making.bring(ghost, joined)
                if key in self._turned_back and ghost.inside(joined.id):
                    await self._making.leave(ghost, joined.id, self._turned_back[key])
        except ApiError as error:
            if is_unknown(error):
                await self._lost(f"the homeserver does not know the registration ({error})")
                return False
            self._not_come(ghost, joined, face, error)
            return False
        except (Unreachable, Refused):
            self._bar(face, joined, _SOON_S)
            return False
        return True

    def _not_come(self, ghost: Ghost, joined: JoinedRoom, face: Face, error: ApiError) -> None:
        self._bar(face, joined, _SOON_S if error.passes else _RARELY_S)
        log.warning(
            "ghost_not_let_in",
            network=self._network,
            room=str(joined.room),
            ghost=ghost.user,
            reason=str(error),
            hint=f"let {self._us} invite people there; until then it says their words, with their names",
        )

    async def _turn(self) -> None:
        """Wait until another ghost may come."""
        now = asyncio.get_running_loop().time()
        wait = self._bucket.wait_s(now)
        self._bucket.spend(now, debt=_MOST)
        await asyncio.sleep(wait)

    def _bar(self, face: Face, joined: JoinedRoom, seconds: float) -> None:
        """Let the bridge's own account speak there for a while."""
        self._barred[_key(face, joined)] = asyncio.get_running_loop().time() + seconds

    def _is_barred(self, face: Face, joined: JoinedRoom) -> bool:
        until = self._barred.peek(_key(face, joined))
        return until is not None and asyncio.get_running_loop().time() < until

    # What goes on meanwhile

    async def hold(self) -> None:
        """Find out whether the homeserver knows us, once somebody may have a ghost. Does not return."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                if not len(self._ghosts):
                    await self._wanted.wait()
                while True:
                    await self._online.wait()
                    seen = stamp(self._service.path)
                    await self._check()
                    if self._known:
                        await self._leave_idle()
                    await self._wait(seen)
            finally:
                self._group = None

    async def _wait(self, seen: object) -> None:
        """Return when it is time to check again: rarely, but soon if the homeserver was away meanwhile, or there is
        another registration."""
        loop = asyncio.get_running_loop()
        until = loop.time() + (_RARELY_S if self._known is not None else _SOON_S)
        while loop.time() < until and self._online.is_set() and stamp(self._service.path) == seen:
            await asyncio.sleep(_LOOK_S)
            await self._flush()
            if self._known:
                await self._leave_unwanted()

    async def _check(self) -> None:
        try:
            await self._service.check()
        except NotRegistered as error:
            await self._lost(str(error), error.hint)
        except (ApiError, Unreachable):
            pass  # the homeserver is away: what we believe stays
        else:
            if self._known is not True:
                log.info("ghosts_available", network=self._network)
                await self._memory.remember({_FLAG: _KNOWN})
            self._known, self._reason = True, ""
            self._checked.set()

    async def _lost(self, reason: str, hint: str = "give it what `quackbridge registration` prints") -> None:
        """The homeserver does not know us: from now on the bridge's own account speaks. It is kept before it does."""
        if self._known is not False:
            more = f"{hint}; until then the bridge's own account speaks, with names"
            log.warning("ghosts_unavailable", network=self._network, reason=reason, hint=more)
            await self._memory.remember({_FLAG: None})
        self._known, self._reason = False, reason
        self._checked.set()

    async def _leave_idle(self) -> None:
        """Let ghosts leave that have been silent for long."""
        last = self._today() - self._idle_s / _DAY_S
        for ghost in self._ghosts:
            rooms = [room for room, place in ghost.rooms.items() if place is Place.IN]
            if not rooms or ghost.day >= last:
                continue
            try:
                for room in rooms:
                    await self._making.leave(ghost, room, "silent for long")
            except (ApiError, Unreachable):
                return

    async def _leave_unwanted(self) -> None:
        """Let ghosts leave whose people are not carried there any more: some at each look, all within five seconds."""
        for _ in range(max(1, len(self._ghosts) // _LOOKS)):
            ghost = next(self._looking, None)
            if ghost is None:
                self._looking = iter(self._ghosts)
                return
            person = ghost.person()
            inside = [room for room, place in ghost.rooms.items() if place is Place.IN]
            for room in inside if ghost.mask else ():
                if person is not None and not self._may_stay(person, room):
                    with suppress(ApiError, Unreachable):  # it is tried again in some seconds
                        await self._making.leave(ghost, room, "what they say is not carried there any more")

    async def _flush(self) -> None:
        """Keep what was heard of ghosts."""
        for user in [*self._changed]:
            self._changed.discard(user)
            if (ghost := self._ghosts.by_id(user)) is not None:
                await self._making.keep(ghost)

    def _today(self) -> int:
        return int(self._clock() // _DAY_S)


def _key(face: Face, joined: JoinedRoom) -> tuple[str, str, str, str]:
    return face.network, face.name, face.owner, joined.id
