"""Our keys at the homeserver and the keys of others' devices: publishes, asks, claims, and sends to devices."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial

import structlog

from bridge.lib.bucket import SlidingWindow
from bridge.lib.lru import LruDict, LruSet
from bridge.matrix.account import Account
from bridge.matrix.crypto import withheld
from bridge.matrix.crypto.identity import Identity
from bridge.matrix.crypto.machine import Machine, Pair
from bridge.matrix.crypto.opened import NotOpened
from bridge.matrix.crypto.pins import Pins
from bridge.matrix.crypto.pruning import DAY_S
from bridge.matrix.crypto.rows import Rows
from bridge.matrix.crypto.trust import ONE_TIME, Device, devices, master_key
from bridge.matrix.crypto.withheld import Withheld
from bridge.matrix.dialect.fields import Json, table, word
from bridge.matrix.dialect.operations import compact
from bridge.matrix.dialect.sync import ForDevice
from bridge.matrix.dialect.verification import PREFIX
from bridge.matrix.http.homeserver import ApiError, Homeserver, Unreachable
from bridge.matrix.http.patience import Patience
from bridge.model.event import Room
from bridge.network import EncryptionState, NotSigned, Refused

log = structlog.get_logger()

_USERS = 50
"""People asked for at a time, so that nothing waits long for what is done with the answer."""
_DEVICES = 1000
"""Devices whose one-time keys are claimed with one request: a homeserver that does not answer for its people makes each
request wait `_CLAIM_MS`, and a person may have hundreds of devices."""
_AT_ONCE = 20
"""Events for our device, or signatures, that are read before others get a turn: about a third of a millisecond each."""
_AGAIN_S = 60.0
"""Seconds until a device without a one-time key, or a homeserver that did not tell its people's devices, is asked
again."""
_SIGNING_S = 30.0
"""Seconds until we go on without a signature of our device."""
_MOST = 10_000
"""Most people and devices for which that is remembered."""
_CLAIM_MS = 10_000
"""How long the homeserver may wait for others'."""
_LOST = (
    "the keys of this device are not here (was the store restored from a backup?): the bridge logs in as a new device."
    " Messages from before that it has not read cannot be read"
)
_CHANGED = "their clients say that it was reset: they have lost their recovery key, or somebody else has got in"
_AN_HOUR = 100
"""Most people with new identities that are named in the log in an hour."""
_NO_MORE = "There are too many of them: others are not named for an hour"
_STUCK = "encrypted rooms are not bridged: put the password, or the access token of a new login, into the configuration"


class Keys:
    """`identity` signs our device. `signed_only`: see `Machine`. `machine` is None until `begin` has returned, and
    afterwards if there can be no encryption."""

    def __init__(
        self,
        network: str,
        homeserver: Homeserver,
        account: Account,
        patience: Patience,
        rows: Rows,
        clock: Callable[[], float],
        identity: Identity | None = None,
        *,
        signed_only: bool = False,
    ) -> None:
        self.machine: Machine | None = None
        self.verification: Callable[[Json], None] = lambda _: None
        """Called with each event that another device sends us to compare emoji."""
        self._network = network
        self._homeserver = homeserver
        self._account = account
        self._patience = patience
        self._rows = rows
        self._clock = clock
        self._identity = identity
        self._fresh: set[str] = set()  # whose devices we know as they are now
        self._under_way: dict[str, asyncio.Future[None]] = {}  # done when the question for their devices is answered
        self._asked: LruDict[str, float] = LruDict(_MOST)  # when those were asked for who are not fresh
        self._left_out: LruDict[Pair, float] = LruDict(_MOST)  # when these devices had no one-time key
        self._number: int | None = None  # of our one-time keys at the homeserver
        self._needs_fallback = False
        self._is_in_doubt = False  # whether the homeserver has our keys
        self._is_face_in_doubt = False  # whether our device is signed by the account
        self.problem = "the bridge has not logged in yet"
        """Why there is no encryption; empty if there is."""
        self._stir = asyncio.Event()
        self.withheld = Withheld()
        self.pins = Pins(rows, clock)
        self._named = SlidingWindow(_AN_HOUR, 3600)
        self._signed_only = signed_only
        self._told_withheld: LruSet[tuple[Pair, str]] = LruSet(_MOST)  # devices, and of which key they were told

    async def begin(self) -> None:
        """Load our keys, or make new ones, and publish what the homeserver does not have."""
        if not self._account.device:
            reason = "the homeserver does not say which device the access token belongs to"
            self._unavailable(reason, _STUCK)
            return
        await self._rows.load()
        try:
            self.problem = ""
            self.machine = await self._of_this_device()
            await self._patience.ask(self._publish)
        except ApiError as error:
            self.machine = None
            hint = "encrypted rooms are not bridged; ask the homeserver's operator why it takes no keys"
            self._unavailable(str(error), hint)
        self._account.renewed = self._doubt
        await self._sign()

    async def hold(self) -> None:
        """Keep enough one-time keys at the homeserver, and mend sessions. Does not return."""
        while True:
            await self._stir.wait()
            self._stir.clear()
            try:
                if self._is_in_doubt:
                    await self._publish_again()
                if self._is_face_in_doubt:
                    await self._sign()
                await self._publish()
                await self._mend()
            except (ApiError, Unreachable, Refused) as error:
                log.warning("keys_not_published", network=self._network, reason=str(error), retry_in_s=_AGAIN_S)
                asyncio.get_running_loop().call_later(_AGAIN_S, self._stir.set)

    async def prune(self, period_s: Callable[[str], float]) -> None:
        """Forget keys that nothing can need any more, once a day; see `Machine.prune`. Does not return. Nothing goes
        within a day of the start: messages from while we were away may still need it."""
        while True:
            await asyncio.sleep(DAY_S)
            if self.machine is not None:
                for number, _ in enumerate(self.machine.prune(period_s), 1):
                    if number % _AT_ONCE == 0:
                        await asyncio.sleep(0)

    async def hear(self, news: ForDevice) -> set[Pair]:
        """Note what a sync tells our device. Returns rooms and sessions whose keys came."""
        if self.machine is None:
            return set()
        self._fresh.difference_update(news.changed)
        if self.machine.user in news.changed:  # somebody may have reset our account's keys
            self._is_face_in_doubt = True
            self._stir.set()
        found = set()
        for number, event in enumerate(news.events, 1):
            if word(event, "type").startswith(PREFIX):
                self.verification(event)
            elif word(event, "type") == withheld.KIND:
                if (refused := self.withheld.note(event)) is not None:
                    found.add(refused)
            elif (key := self.machine.hear(event)) is not None:
                found.add(key)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        self._number, self._needs_fallback = news.one_time_keys, news.needs_fallback
        if self.machine.needs_upload(self._number, fallback=self._needs_fallback) or self.machine.has_mail:
            self._stir.set()
        return found

    def ask_for(self, room_id: str, event: Json) -> None:
        """Ask the sender of a sealed event for its key, once."""
        if self.machine is not None and self.machine.ask_for(room_id, event):
            self._stir.set()

    def look(self, room_id: str, event: Json) -> Json | None:
        """What was said in an event, sealed or not; None if it cannot be opened now. Nothing is remembered of it."""
        if word(event, "type") != "m.room.encrypted":
            return event
        try:
            return self.machine.open(room_id, event, once=False) if self.machine is not None else None
        except NotOpened:
            return None

    async def know(self, users: Collection[str]) -> None:
        """Know the devices of these people as they are now, as far as their homeservers tell."""
        while True:
            now = self._clock()
            unknown = [user for user in users if not (user in self._fresh or _is_recent(self._asked.peek(user), now))]
            for start in range(0, len(unknown), _USERS):
                await self._ask(unknown[start : start + _USERS])
            others = {self._under_way[user] for user in users if user in self._under_way}
            if not others:
                return
            await asyncio.wait(others)  # somebody else has asked for them

    async def meet(self, pairs: Iterable[Pair]) -> None:
        """Begin sessions with these devices, as far as they have one-time keys."""
        assert self.machine is not None
        now = self._clock()
        wanted = [pair for pair in pairs if not _is_recent(self._left_out.peek(pair), now)]
        for start in range(0, len(wanted), _DEVICES):
            await self._claim(self.machine, wanted[start : start + _DEVICES])

    async def send(self, kind: str, body: Json) -> None:
        """Send to devices. What it depends on is stored before."""
        await self._rows.flush()
        text = compact(body)
        transaction = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]  # no two are sealed alike
        await self._homeserver.put("sendToDevice", kind, transaction, body=text)

    async def _of_this_device(self) -> Machine | None:
        """Our keys. If the homeserver has others of this device, which we have lost, it is replaced by a new one."""
        us, device = self._account.us.user, self._account.device
        there = await self._patience.ask(partial(self._own, us, device))
        machine = self.machine
        if machine is None or machine.device != device:
            machine = Machine(us, device, self._rows, signed_only=self._signed_only, clock=self._clock)
        if not there:
            machine.unpublish()
            return machine
        if word(table(there, "keys"), f"ed25519:{device}") == machine.ed25519:
            return machine
        if not await self._patience.ask(self._account.replace_device):
            self._unavailable("the keys of its device are missing", _STUCK)
            return None
        log.warning("new_device", network=self._network, device=self._account.device, hint=_LOST)
        return Machine(us, self._account.device, self._rows, signed_only=self._signed_only, clock=self._clock)

    async def _own(self, us: str, device: str) -> Json:
        answer = await self._homeserver.post("keys", "query", body={"device_keys": {us: [device]}})
        return table(answer, "device_keys", us, device)

    @property
    def unsigned(self) -> str:
        """Why our device is not signed by its account; empty if it is."""
        return self._identity.unsigned if self._identity is not None else ""

    def state(self, rooms: tuple[Room, ...]) -> EncryptionState:
        """How encryption is now; `rooms` are the encrypted ones of ours."""
        if self.problem or self.machine is None:
            return EncryptionState(self.problem, rooms=rooms)
        return EncryptionState("", self.machine.device, self.unsigned, self._number, rooms)

    def _unavailable(self, reason: str, hint: str) -> None:
        self.problem = f"{reason}: {hint}"
        log.error("encryption_unavailable", network=self._network, reason=reason, hint=hint)

    def _doubt(self) -> None:
        """We have logged in again: a homeserver forgets the keys of a device that was logged out."""
        self._is_in_doubt = True
        self._stir.set()

    async def _publish_again(self) -> None:
        if self.machine is not None and not await self._own(self._account.us.user, self.machine.device):
            self.machine.unpublish()
            self._number, self._needs_fallback = None, True
            await self._publish()
            await self._sign()
        self._is_in_doubt = False

    async def _sign(self) -> None:
        """See to it that our device is signed by the account. If the homeserver does not let us, everything else goes
        on, and it is tried again."""
        self._is_face_in_doubt = False
        if self.machine is None or self._identity is None:
            return
        try:
            async with asyncio.timeout(_SIGNING_S):
                await self._patience.ask(partial(self._identity.ensure, self.machine))
        except (ApiError, NotSigned, TimeoutError) as error:
            if not isinstance(error, NotSigned):
                error = NotSigned(str(error) or "the homeserver does not answer", "the bridge tries again")
                self._is_face_in_doubt = True
                asyncio.get_running_loop().call_later(_AGAIN_S, self._stir.set)
            if str(error) != self._identity.unsigned:
                log.warning("not_verified", network=self._network, reason=error.reason, hint=error.hint)
            self._identity.unsigned = str(error)

    async def _publish(self) -> None:
        if self.machine is None:
            return
        body = self.machine.upload(self._number, fallback=self._needs_fallback)
        if body is None:
            return
        await self._rows.flush()
        answer = await self._homeserver.post("keys", "upload", body=body)
        self.machine.uploaded()
        self._needs_fallback = False
        number = table(answer, "one_time_key_counts").get(ONE_TIME)
        self._number = number if isinstance(number, int) else None

    async def _mend(self) -> None:
        """Begin new sessions with devices whose messages we cannot open, and tell them."""
        if self.machine is None:
            return
        if wedged := self.machine.wedged():
            await self.meet(wedged)
            self.machine.give_up(wedged)
        for kind, body in self.machine.outgoing():
            try:
                await self.send(kind, body)
            except ApiError as error:
                if error.passes or error.logged_out:
                    raise  # else it is given up

    async def _ask(self, users: Collection[str]) -> None:
        self._fresh.update(users)  # first: whoever changes meanwhile is not
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.update(dict.fromkeys(users, answered))
        try:
            answer = await self._homeserver.post("keys", "query", body={"device_keys": {user: [] for user in users}})
            await self._learn(answer, users)
        except BaseException:
            self._fresh.difference_update(users)
            raise
        finally:
            for user in users:
                if self._under_way.get(user) is answered:
                    del self._under_way[user]
            answered.set_result(None)

    async def _learn(self, answer: Json, users: Collection[str]) -> None:
        assert self.machine is not None
        for user in users:
            if user not in table(answer, "device_keys"):
                self._fresh.discard(user)
                self._asked[user] = self._clock()
                continue
            self.machine.learn(user, await read(answer, user))
            if self.pins.note(user, master_key(answer, user)):
                self._name_changed(user)
            await asyncio.sleep(0)

    def _name_changed(self, user: str) -> None:
        """Name a person with a new identity in the log. A homeserver can change those of all its people at any time."""
        now = self._clock()
        if (left := self._named.left(now)) > 0:
            self._named.spend(now)
            hint = _CHANGED if left > 1 else f"{_CHANGED}. {_NO_MORE}"
            log.warning("identity_changed", network=self._network, user=user, hint=hint)

    async def _claim(self, machine: Machine, pairs: Collection[Pair]) -> None:
        wanted: dict[str, dict[str, str]] = {}
        for user, device in pairs:
            wanted.setdefault(user, {})[device] = ONE_TIME
        body: Json = {"one_time_keys": wanted, "timeout": _CLAIM_MS}
        answer = await self._homeserver.post("keys", "claim", body=body)
        without: list[Pair] = []
        for number, (user, device) in enumerate(pairs, 1):
            if machine.claimed(user, device, table(answer, "one_time_keys", user, device)):
                self._left_out.pop((user, device))
                self._told_withheld.discard(((user, device), ""))
            else:
                self._left_out[user, device] = self._clock()
                without.append((user, device))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._withhold(without, withheld.without_session(machine.curve25519), "")

    async def withhold(self, room_id: str, pairs: Collection[Pair]) -> None:
        """Tell these devices, once for each key of a room, that they do not get it, as their owners have not signed
        them."""
        if self.machine is not None and pairs:
            session = self.machine.session_of(room_id)
            content = withheld.of_session(room_id, session, self.machine.curve25519)
            await self._withhold(pairs, content, session)

    async def _withhold(self, pairs: Iterable[Pair], content: Json, session: str) -> None:
        for body in withheld.bodies([pair for pair in pairs if self._told_withheld.add((pair, session))], content):
            with suppress(ApiError):  # it is told, or not: nothing depends on it
                await self.send(withheld.KIND, body)


async def read(answer: Json, user: str) -> list[Device]:
    """The devices of `user` in an answer. Each takes two checks of a signature, and others have their turns between."""
    found = []
    for number, device in enumerate(devices(answer, user), 1):
        found.append(device)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return found


def _is_recent(at: float | None, now: float) -> bool:
    return at is not None and 0 <= now - at < _AGAIN_S
