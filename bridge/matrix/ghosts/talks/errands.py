"""Does what ghosts have to do in rooms of two: answers invitations, and leaves."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from bridge.lib.backoff import Backoff
from bridge.lib.bucket import SlidingWindow
from bridge.lib.ids import digest
from bridge.lib.lru import LruDict
from bridge.lib.waiting import Flag, is_set_within
from bridge.matrix.dialect import convert
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.dialect.render import notice
from bridge.matrix.ghosts.faces import Faces
from bridge.matrix.ghosts.records import Ghost
from bridge.matrix.ghosts.service import Service
from bridge.matrix.ghosts.talks.inbox import Inbox
from bridge.matrix.ghosts.talks.rooms import ERRAND, KEY, MOST, Do, Errand, TalkRoom, TalkRooms
from bridge.matrix.ghosts.talks.words import CROWD, FULL, GROUP, NOBODY, Words, sealed
from bridge.matrix.http import look
from bridge.matrix.http.homeserver import ApiError, ClientApi, Unreachable, chunk
from bridge.model.event import Event
from bridge.model.people import Identity, Proof, Sender
from bridge.network import Memory, NotNow, Refused

log = structlog.get_logger()

_MOST = 1_000
"""Most errands that wait: anybody may invite ghosts."""
_AT_ONCE = 4
_TRIES = 8
"""Tries of what the homeserver refuses for now. If it is away, that is waited for."""
_BACKOFF = Backoff(first_s=1.0, longest_s=60.0)
_SENTENCES, _PERIOD_S, _PEOPLE = 5, 3600.0, 1_000
"""Most sentences in which one person is told in that time why a ghost does not come, and people of whom that is known.
What is more is refused without a word."""
_BEFORE = 100
"""Most events that are searched for the invitation, and heard if they were said since."""

MayTalk = Callable[[Sender, Sender], str]
"""Why a person on Matrix may not talk in private with one on IRC, in a sentence; '' if they may."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    errand: Errand
    failures: int = 0


class Errands:
    """`us`: the Matrix id of the bridge's own account. Errands are kept in `memory`, by who starts them, until they are
    done."""

    def __init__(
        self,
        network: str,
        us: str,
        faces: Faces,
        service: Service,
        talks: TalkRooms,
        words: Words,
        inbox: Inbox,
        memory: Memory,
        may_talk: MayTalk,
    ) -> None:
        self._network = network
        self._us = us
        self._faces = faces
        self._service = service
        self._talks = talks
        self._words = words
        self._inbox = inbox
        self._memory = memory
        self._may_talk = may_talk
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._open: dict[str, tuple[Errand, Flag]] = {}
        self._told: LruDict[str, SlidingWindow] = LruDict(_PEOPLE)

    def recall(self, kept: Mapping[str, str]) -> None:
        """Start what an earlier run has not done."""
        for key, text in kept.items():
            if key.startswith(ERRAND) and (errand := Errand.parse(key.removeprefix(ERRAND), text)) is not None:
                self.start(errand)

    def has_place(self) -> bool:
        """Whether one more may be started."""
        return len(self._open) < _MOST

    def start(self, errand: Errand) -> None:
        """Do it soon. It is stored already."""
        before = self._open.get(errand.room)
        self._open[errand.room] = errand, Flag() if before is None else before[1]
        if before is None:  # else it comes instead of the other
            self._queue.put_nowait(_Waiting(errand))

    def is_answering(self, room_id: str) -> bool:
        """Whether an invitation to that room is not answered yet."""
        found = self._open.get(room_id)
        return found is not None and found[0].do is Do.ANSWER

    async def is_answered(self, room_id: str, seconds: float) -> bool:
        """Whether it is answered within so many seconds."""
        found = self._open.get(room_id)
        return found is None or await is_set_within(found[1], seconds)

    async def hold(self) -> None:
        """Do them, some at a time. Does not return."""
        await self._faces.confirmed()
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                group.create_task(self._work(), name=f"errands of ghosts {self._network} {number}")

    async def _work(self) -> None:
        while True:
            waiting = await self._queue.get()
            pause = await self._try(waiting)
            if pause is None:
                self._finish(waiting.errand)
            else:
                later = _Waiting(waiting.errand, waiting.failures + 1)
                asyncio.get_running_loop().call_later(pause, self._queue.put_nowait, later)

    def _finish(self, errand: Errand) -> None:
        following, done = self._open[errand.room]
        if following is errand:
            del self._open[errand.room]
            done.set()
        else:
            self._queue.put_nowait(_Waiting(following))

    async def _forget(self, errand: Errand) -> None:
        if self._open[errand.room][0] is errand:
            await self._memory.remember({errand.key: None})

    async def _try(self, waiting: _Waiting) -> float | None:
        """Try once; the seconds until the next try, or None if it is done, or can never be."""
        errand = waiting.errand
        if self._open[errand.room][0] is not errand:
            return None  # who is invited again is not there any more
        try:
            if not await self._do(errand):
                await self._forget(errand)
        except (Unreachable, Refused, NotNow):  # the homeserver, or the store, is away
            return _BACKOFF.plain(waiting.failures)
        except ApiError as error:
            if error.passes and waiting.failures + 1 < _TRIES:
                return error.retry_after or _BACKOFF.plain(waiting.failures)
            log.info("ghost_errand_failed", network=self._network, room=errand.room, reason=str(error))
            await self._forget(errand)
        return None

    async def _do(self, errand: Errand) -> bool:
        """Whether that it is done is stored already."""
        if errand.do is Do.LEAVE:
            await self._leave(errand, errand.text)
            return False
        ghost = self._faces.by_id(errand.ghost)
        reason = self._refusal(errand, ghost)
        if reason or ghost is None:
            await self._refuse(errand, reason or NOBODY)
            return False
        api = self._service.as_ghost(ghost.user)
        await api.post("join", errand.room)
        if trouble := await self._trouble(api, errand, ghost):
            await self._leave(errand, trouble)
            return False
        await self._begin(api, errand, ghost)
        return True

    def _refusal(self, errand: Errand, ghost: Ghost | None) -> str:
        """Why the ghost does not come, in a sentence; '' if it does."""
        member = convert.sender(self._network, errand.member, "")
        if ghost is None or not ghost.nick:
            return self._may_talk(member, Sender("", "", "")) or NOBODY
        if reason := self._may_talk(member, _person(ghost)):
            return reason
        if not errand.direct:
            return GROUP
        return FULL if len(self._talks) >= MOST else ""

    async def _trouble(self, api: ClientApi, errand: Errand, ghost: Ghost) -> str:
        """Why the ghost, which has just come, leaves again; '' if it stays."""
        if errand.encrypted or await look.encryption(api, errand.room) is not None:
            return sealed(ghost, self._us)
        alone = await look.members(api, errand.room) == {errand.member, errand.ghost}
        return "" if alone else CROWD

    async def _begin(self, api: ClientApi, errand: Errand, ghost: Ghost) -> None:
        """Have the room from now on, and what was said there since the invitation: most clients send the first words
        with it."""
        room = TalkRoom(errand.room, errand.member, errand.ghost, checked=True, is_sure=True)
        said = await self._said_before(api, room, ghost)
        if said:
            room.last, room.at = said[-1].id, round(said[-1].time * 1000)
        older = self._talks.of(room.member, room.ghost)
        changes: dict[str, str | None] = {errand.key: None}
        leaving: Errand | None = None
        if older is not None and older.id != room.id:
            leaving = Errand(older.id, older.ghost, Do.LEAVE)
            changes |= {KEY + older.id: None, leaving.key: leaving.dump()}
        await self._inbox.store(said, changes | {KEY + room.id: room.dump()})
        for event in said:
            self._talks.heard.add(event.id)
        if older is not None:
            self._talks.drop(older)
        self._talks.add(room)
        if leaving is not None:
            self.start(leaving)
        log.info("ghost_talk", network=self._network, room=room.id, ghost=room.ghost, sender=room.member)

    async def _said_before(self, api: ClientApi, room: TalkRoom, ghost: Ghost) -> Sequence[Event]:
        found = chunk(await api.get("rooms", room.id, "messages", query={"dir": "b", "limit": str(_BEFORE)}))
        theirs = (each for each in _since_invitation(found, ghost.user) if word(each, "sender") == room.member)
        heard = [await self._words.event(each, room, ghost) for each in theirs]
        return [event for event in heard if event is not None]

    async def _refuse(self, errand: Errand, reason: str) -> None:
        """Decline the invitation: people see the reason."""
        who = {"ghost": errand.ghost, "sender": errand.member}
        log.info("ghost_talk_refused", network=self._network, room=errand.room, reason=reason, **who)
        body = {"reason": reason} if self._may_be_told(errand.member) else {}
        await self._service.as_ghost(errand.ghost).post("rooms", errand.room, "leave", body=body)

    def _may_be_told(self, member: str) -> bool:
        now = asyncio.get_running_loop().time()
        window = self._told.get(member) or SlidingWindow(_SENTENCES, _PERIOD_S)
        self._told[member] = window
        if window.left(now) <= 0:
            return False
        window.spend(now)
        return True

    async def _leave(self, errand: Errand, text: str) -> None:
        """Leave the room, having said why. Safe to repeat: the sentence is one event."""
        api = self._service.as_ghost(errand.ghost)
        if text:
            transaction = digest("farewell", errand.room, errand.ghost, text)
            try:
                await api.put("rooms", errand.room, "send", "m.room.message", transaction, body=notice(text))
            except ApiError as error:
                if error.passes:
                    raise  # else it may not speak there
        await api.post("rooms", errand.room, "leave", body={"reason": text} if text else {})
        await api.post("rooms", errand.room, "forget")


def _person(ghost: Ghost) -> Sender:
    """The ghost's person, as far as is known since they spoke."""
    account = (Identity(Proof.IRC, ghost.network, ghost.account),) if ghost.account else ()
    return Sender(ghost.network, ghost.nick, ghost.nick, account, user=ghost.member or None)


def _since_invitation(found: Sequence[Json], ghost: str) -> list[Json]:
    """Of the latest events, the newest first: those since `ghost` was invited, the oldest first."""
    since: list[Json] = []
    for event in found:
        content = table(event, "content")
        if word(event, "state_key") == ghost and word(content, "membership") == "invite":
            break
        since.append(event)
    return since[::-1]
