"""Verification by comparing emoji: takes what others send, answers, asks admins, and gives up what takes too long."""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from bridge.lib.ids import digest
from bridge.lib.lru import LruSet
from bridge.lib.waiting import is_set_within
from bridge.matrix.account import Account
from bridge.matrix.crypto.keys import Keys
from bridge.matrix.crypto.signatures import Pair
from bridge.matrix.crypto.verification import requests, words
from bridge.matrix.crypto.verification.requests import Admission, Heard, Place
from bridge.matrix.crypto.verification.sas import REASONS, Code, Exchange, Message
from bridge.matrix.crypto.verification.vouching import Known, Vouching
from bridge.matrix.dialect.fields import Json
from bridge.matrix.dialect.verification import PREFIX
from bridge.matrix.http.homeserver import ApiError, Unreachable
from bridge.matrix.rooms.joined import JoinedRoom
from bridge.model.event import Room
from bridge.network import Comparison, News, NoComparison, Refused, SendError

log = structlog.get_logger()

_LASTS_S = 600.0
"""Seconds that a comparison may take (spec, "General key verification error handling")."""
_LOOK_S = 5.0
"""Seconds between two looks for those that take longer."""
_MOST = 5
"""Most comparisons at a time."""
_QUEUED = 100
"""Most messages that wait to be looked at; others are dropped."""
_ENDED = 100
"""How many that are over are remembered: what still comes of them is left alone, also if it comes again."""
_ANSWER_S = 5.0
"""Seconds that an admin's answer waits for the other side's last word."""
_LETTERS, _LENGTH = "abcdefghjkmnpqrstuvwxyz23456789", 4
"""What ids to be typed are made of: no two letters look alike."""
_STRANGER = "only members of this bridge can verify it: ask an admin"
_OFTEN = "you have asked often: try again in an hour"
_BUSY = "others verify the bridge now: try again in ten minutes"
_TWICE = "two verifications at once: begin again with one"
_OVER = "There is no such comparison any more: it is over, an admin has answered it, or the bridge was restarted."
_DROPPED = (ApiError, Unreachable, Refused, SendError)
"""Why something is not sent; it is not sent again."""

Say = Callable[[Room, str, Json, str, Pair], Awaitable[None]]
"""Says something in a room: a type of event, its content, an id that makes it one event if it is said again, and the
device for which it is, whose owner may not have signed it."""


@dataclass(slots=True)
class _Open:
    """A comparison that goes on. `asked`: admins were asked. `result`: how it ended, in words."""

    id: str
    heard: Heard
    known: Known
    exchange: Exchange
    until: float
    asked: bool = False
    result: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Verifying:
    """`say` is for rooms. `knows` tells whether a user may ask at all. `tell` takes what admins should know. Nothing is
    kept over a restart: people begin again."""

    def __init__(
        self,
        network: str,
        account: Account,
        keys: Keys,
        vouching: Vouching,
        say: Say,
        *,
        clock: Callable[[], float],
        knows: Callable[[str], bool],
        tell: Callable[[News], None],
    ) -> None:
        self._network = network
        self._account = account
        self._keys = keys
        self._vouching = vouching
        self._say = say
        self._clock = clock
        self._knows = knows
        self._tell = tell
        self._admission = Admission(clock)
        self._open: dict[Place, _Open] = {}
        self._ended: LruSet[Place] = LruSet(_ENDED)
        self._jobs: deque[Callable[[], Awaitable[None]]] = deque()
        self._stir = asyncio.Event()

    def hear_device(self, event: Json) -> None:
        """Take in what was sent to our device. Returns at once; what admins have to be asked follows at once, too."""
        self._take(requests.sent(event))

    def hear_room(self, joined: JoinedRoom, event: Json) -> None:
        """Take in what was said in a room. As `hear_device`."""
        self._take(requests.said(joined, event, self._account.us.user))

    def comparisons(self) -> Sequence[Comparison]:
        """Those that wait for an admin's answer, the oldest first."""
        return [_shown(each) for each in self._open.values() if each.exchange.waits and self._clock() < each.until]

    async def answer(self, id_: str, *, same: bool) -> str:
        """An admin says whether both show the same. Returns what came of it, in words. Raises NoComparison."""
        ids = [each.id for each in self.comparisons()]
        found = next((each for each in self._open.values() if each.id == id_ and id_ in ids), None)
        if found is None:
            raise NoComparison(_OVER)
        self._do(found, found.exchange.answer(same=same))
        if found.exchange.proven:
            await is_set_within(found.ended, _ANSWER_S)
        return found.result or words.waiting(self._who(found))

    async def hold(self) -> None:
        """Send our answers. Does not return."""
        while True:
            await (is_set_within(self._stir, _LOOK_S) if self._open else self._stir.wait())
            self._stir.clear()
            await self.work()

    async def work(self) -> None:
        """Send what is due, and end what has taken too long."""
        now = self._clock()
        for found in [each for each in self._open.values() if now >= each.until]:
            self._do(found, found.exchange.cancel(Code.TIMEOUT))
        while self._jobs:
            try:
                await self._jobs.popleft()()
            except _DROPPED as error:
                log.warning("verification_not_answered", network=self._network, reason=str(error))

    def _soon(self, job: Callable[[], Awaitable[None]]) -> None:
        self._jobs.append(job)
        self._stir.set()

    def _take(self, heard: Heard | None) -> None:
        if heard is None or self._keys.machine is None or len(self._jobs) >= _QUEUED or heard.place in self._ended:
            return
        is_known = heard.user == self._account.us.user or self._knows(heard.user)
        found = self._open.get(heard.place)
        if heard.kind == "request" and found is None and heard.is_of_now(self._clock()):
            if is_known:
                self._soon(partial(self._asked, heard))
            else:
                self._refuse(heard, Code.USER, _STRANGER)
        elif heard.kind != "request" and found is not None:
            self._do(found, found.exchange.hear(heard.kind, heard.content))
        elif is_known and heard.joined is None and heard.kind not in ("request", "cancel", "done"):
            self._refuse(heard, Code.UNKNOWN_TRANSACTION)

    async def _asked(self, heard: Heard) -> None:
        """Begin a comparison, or refuse it."""
        if heard.place in self._open:
            return  # it came twice
        others = [each for each in self._open.values() if each.heard.user == heard.user]
        for other in others:
            self._do(other, other.exchange.cancel(Code.UNEXPECTED))
        busy = _TWICE if others else _BUSY if len(self._open) >= _MOST else ""
        if busy or not self._admission.may_ask(heard.user):
            self._refuse(heard, Code.USER, busy or _OFTEN)
        elif (known := await self._vouching.theirs(heard.user, heard.device)) is None:
            self._refuse(heard, Code.KEY_MISMATCH)
        else:
            self._begin(heard, known)

    def _begin(self, heard: Heard, known: Known) -> None:
        exchange = Exchange(heard.transaction, self._vouching.ours(), known.side)
        id_ = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        found = self._open[heard.place] = _Open(id_, heard, known, exchange, self._clock() + _LASTS_S)
        log.info("verification_begun", network=self._network, id=id_, sender=heard.user, device=heard.device)
        self._do(found, exchange.ready(heard.content))

    def _do(self, found: _Open, messages: Sequence[Message]) -> None:
        """Have `messages` sent, and tell admins what follows from them."""
        for message in messages:
            self._soon(partial(self._send, found.heard, message))
        end = found.exchange.end
        if end is not None and self._open.pop(found.heard.place, None) is not None:
            self._ended.add(found.heard.place)
            if end.code:
                self._finish(found, signed=False)
            else:
                self._soon(partial(self._sign, found))
        elif found.exchange.waits and not found.asked:
            found.asked = True
            self._tell(News(_news_id(found, "asked"), words.question(_shown(found), self._account.us.user)))

    async def _sign(self, found: _Open) -> None:
        signed = False
        try:
            signed = await self._vouching.sign(found.known, found.exchange.proven)
        finally:
            self._finish(found, signed=signed)

    def _finish(self, found: _Open, *, signed: bool) -> None:
        end = found.exchange.end
        assert end is not None
        code = end.code or "done"
        log.info("verification_over", network=self._network, id=found.id, code=code, by_them=end.by_them, signed=signed)
        found.result = words.result(self._who(found), end, signed=signed)
        if found.asked:
            self._tell(News(_news_id(found, "over"), found.result))
        found.ended.set()

    def _refuse(self, heard: Heard, code: Code, reason: str = "") -> None:
        """Tell them why there is no comparison, unless others were told the like just now."""
        if self._admission.may_refuse():
            message = Message("cancel", {"code": code, "reason": reason or REASONS[code]})
            self._soon(partial(self._send, heard, message))

    async def _send(self, heard: Heard, message: Message) -> None:
        kind, content = f"{PREFIX}{message.kind}", message.content
        if heard.joined is None:
            content = {**content, "transaction_id": heard.transaction}
            await self._keys.mail.send(kind, {"messages": {heard.user: {heard.device or "*": content}}})
            return
        content = {**content, "m.relates_to": {"rel_type": "m.reference", "event_id": heard.transaction}}
        to = (heard.user, heard.device)
        await self._say(heard.joined.room, kind, content, digest(heard.transaction, message.kind), to)

    def _who(self, found: _Open) -> str:
        return words.who(found.heard.user, found.heard.device, self._account.us.user)


def _shown(found: _Open) -> Comparison:
    shown = found.exchange.shown
    assert shown is not None
    return Comparison(found.id, found.heard.user, found.heard.device, shown.emoji, shown.numbers, found.until)


def _news_id(found: _Open, what: str) -> str:
    return f"verification {digest(*found.heard.place, str(found.until))} {what}"
