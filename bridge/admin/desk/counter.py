"""The desk's commands for everybody: log in and out, ask who they are, change the password, join identities."""

import asyncio
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import assert_never

import structlog
from argon2 import PasswordHasher

from bridge.admin.desk.guesses import By, Guesses, Key, OwnGuesses, SharedGuesses
from bridge.lib.durations import spelled
from bridge.lib.lru import LruSet
from bridge.model.event import Room
from bridge.model.people import Identity, Proof, Sender
from bridge.rules.budget import Allowance, Budget
from bridge.rules.gate import Gate
from bridge.rules.talks import COMMAND, HOW
from bridge.users import MembershipRequest, Standing, User, Users, UsersError
from bridge.users.audit import Audit
from bridge.users.codes import LASTS, Codes, OwnCodes, SharedCodes
from bridge.users.identities import lasting, same_name
from bridge.users.passwords import HASHER, choose_password, hash_password, is_outdated, verify
from bridge.users.requests import LASTS_S, Requests
from bridge.users.sanctions import in_force
from bridge.users.sessions import Sessions
from bridge.users.shared import Slips

log = structlog.get_logger()

_WRONG = "Wrong name or password."
_REMEMBER = "--remember"
_FAMILIAR = 10_000
"""How many pairs of a user and the place they logged in from are remembered."""
_RECORDED = Allowance(100, 100 / 60)
"""Failed logins that the audit log records: 100 at once, then 100 an hour."""
_STRANGER = "You are not a member here."
_ASKED_BY = Allowance(5, 5 / (24 * 60))
"""New requests from one homeserver or IRC host: five at once, then five a day."""
_ASKED = Allowance(60, 1)
"""New requests from all: each is written into the user database, and too many would push out the others' requests."""
_MANY = "Too many people ask to become members right now. Try again tomorrow."
_WELL_MEANT = frozenset({"", "please", "pls", "membership"})
"""What may follow `request`; anything else asks for something else."""

_NO_CODES = "I cannot keep codes right now. Try again in some minutes."


class Counter:
    """Each command takes the asker and the rest of the line, and returns the answer; its docstring is its help text.
    `private` are the networks over which passwords are taken."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        gate: Gate,
        audit: Audit,
        private: Collection[str],
        *,
        clock: Callable[[], float],
        slips: Slips | None = None,
        hasher: PasswordHasher = HASHER,
    ) -> None:
        self._hasher = hasher
        self.private = private
        self._users = users
        self._sessions = sessions
        self._gate = gate
        self._audit = audit
        self._clock = clock
        self._codes: Codes = OwnCodes() if slips is None else SharedCodes(slips)
        self._guesses: Guesses = OwnGuesses() if slips is None else SharedGuesses(slips)
        self._familiar: LruSet[tuple[object, ...]] = LruSet(_FAMILIAR)
        self._refusals = Budget(_RECORDED)
        self._askers, self._asking = Budget(_ASKED_BY), Budget(_ASKED)

    async def login(self, asker: Sender, rest: str) -> str:
        """login [--remember] NAME PASSWORD: log in until you leave; with --remember, for good."""
        remember, name, password = _credentials(rest)
        if not password:
            return "Say: login NAME PASSWORD"
        if asker.network not in self.private:
            return unsafe(asker)
        keys = self._keys(asker, name)
        if wait := await self._guesses.wait(keys, self._clock()):
            return f"Too many wrong tries: again in {spelled(wait + 1)}."
        user = self._users.find(name)
        right = await asyncio.to_thread(verify, user.password if user else None, password, self._hasher)
        if user is None or not right:
            await self._guesses.wrong(keys, self._clock())
            whom = f"as {user.name}" if user else "under an unknown name"  # what was typed may be a password
            await self._record_refusal(asker, "login refused", whom)
            return _WRONG
        await self._guesses.right(keys)
        self._familiar.add((same_name(user.name), *_keys(asker)[-1]))
        if user.password and is_outdated(user.password, self._hasher):
            await self._keep(asker, user, await asyncio.to_thread(hash_password, password, self._hasher))
            user = self._users.get(user.name)
        proven = self._users.identify(asker)
        if proven is not None and proven.name != user.name:
            return f"I know you here as {proven.name} already, without a password: you can't log in as somebody else."
        return await self._remember(asker, user) if remember else await self._open(asker, user)

    async def msg(self, asker: Sender, rest: str) -> str:
        """msg [NETWORK/]NICK WORDS: say something in private to a member on IRC, by your own nick there."""
        found = self._gate.begins_talk(asker, f"{COMMAND} {rest}")
        return found if isinstance(found, str) else f"Say: {HOW}"

    async def logout(self, asker: Sender, _rest: str) -> str:
        """logout: end your login."""
        was = self._sessions.close(asker)
        user = self._users.identify(asker)
        if user is not None and was:
            return f"You are logged out, and still {user.name} here: {self._known_by(asker)}."
        if user is not None:
            return f"You didn't log in with a password: {self._known_by(asker)}, so there is nothing to log out of."
        return "You are logged out." if was else "You were not logged in."

    async def whoami(self, asker: Sender, _rest: str) -> str:
        """whoami: show who you are to this bridge, and how it knows."""
        user, proven = self._gate.who(asker), self._users.identify(asker)
        proofs = ", ".join(map(str, asker.proofs))
        if user is None:
            return f"You are a guest. {f'I know you as {proofs}' if proofs else _unproven(asker)}."
        how = f"I know you as {proofs}" if proven else "you logged in with a password"
        return f"You are {user.name}, {user.role}: {how}."

    async def passwd(self, asker: Sender, rest: str) -> str:
        """passwd OLD NEW: change your password; if you have none yet, passwd NEW."""
        user = self._gate.who(asker)
        if user is None:
            return "Log in first: login NAME PASSWORD"
        if asker.network not in self.private:
            return unsafe(asker)
        words = _words(rest)
        if len(words) != (2 if user.password else 1):
            return f"Say: passwd {'OLD NEW' if user.password else 'NEW'}; a password with blanks goes in quotes."
        if user.password and (refused := await self._check(asker, user, words[0])):
            return refused
        held = self._sessions.user(asker) is not None
        try:
            await self._keep(asker, user, await asyncio.to_thread(choose_password, words[-1], self._hasher))
        except UsersError as error:
            return f"{str(error)[0].upper()}{str(error)[1:]}."
        if held:
            self._sessions.open(asker, self._users.get(user.name))
        return "Your password is changed. Anybody else who was logged in with the old one is logged out."

    async def puppet(self, asker: Sender, rest: str) -> str:
        """puppet on|off: whether you have a nick of your own on IRC, where a link has puppets."""
        user, wanted = self._gate.who(asker), rest.strip(" .!").lower()
        if user is None:
            return "That is for users; you are a guest here. Say `help`"
        if wanted not in ("on", "off"):
            return f"You have {'a' if user.puppet else 'no'} nick of your own on IRC. Say: puppet on, or: puppet off"
        acting = self._users.acting(by(user, asker))
        try:
            await asyncio.to_thread(acting.set_puppet, user.name, on=wanted == "on")
            await asyncio.to_thread(self._users.refresh)
        except UsersError as error:
            return f"{str(error)[0].upper()}{str(error)[1:]}."
        if wanted == "off":
            return "I say your words on IRC from now on, with your name before them."
        return "You have a nick of your own on IRC from your next words on, where a link has puppets."

    async def request(self, asker: Sender, rest: str) -> str:
        """request: ask to become a member; an admin decides, and you are told."""
        user, identity, now = self._gate.who(asker), lasting(asker), self._clock()
        if rest.strip(" .!?").lower() not in _WELL_MEANT:
            return "To ask an admin to make you a member, say only: request"
        if user is not None:
            return f"You are {user.name} here already, {user.role}. If a room is closed to you, ask an admin."
        if identity is None:
            return self._gate.next_step(asker)
        if any(self._users.sanctioned(asker, None, link, now) for link in (None, *self._gate.links.names)):
            return "Not while you are muted or banned."
        if (before := Requests(self._users.requests()).about(identity, now)) is not None:
            if before.standing is Standing.OPEN:
                return f"You have asked already, as {identity}: an admin decides, and I tell you."
            if before.standing is Standing.DENIED and before.decided is not None:
                return f"An admin has declined. You may ask again in {spelled(before.decided + LASTS_S - now)}."
        if not self._may_ask(asker, identity, now):
            return _MANY
        if not await self._ask(MembershipRequest(identity, Room(asker.network, asker.address), now), asker):
            return "I cannot store that right now. Try again in some minutes."
        return f"I let the admins know that {identity} asks to become a member. I tell you what they decide."

    async def prove(self, asker: Sender, _rest: str) -> str:
        """prove: get a code here, then say `link-identity CODE` to me on the network where I already know you."""
        user = self._gate.who(asker)
        if user is not None:
            return f"You are {user.name} here. Say `prove` to me on the other network, then here: link-identity CODE"
        if lasting(asker) is None:
            return f"{_unproven(asker)}. Until then I cannot remember you."
        try:
            code = await self._codes.issue(asker, self._clock())
        except OSError:
            return _NO_CODES
        return f"{code} can be used once, within {spelled(LASTS)}. Where I know you, say to me: link-identity {code}"

    async def link_identity(self, asker: Sender, rest: str) -> str:
        """link-identity CODE: be known on the other network too; say `prove` to me there to get CODE."""
        now, guesser = self._clock(), _keys(asker)
        user = self._gate.who(asker)
        if user is None:
            return f"{_STRANGER} {self._gate.next_step(asker)}"
        if wait := await self._guesses.wait(guesser, now):
            return f"Too many wrong codes: again in {spelled(wait + 1)}."
        code, _, sure = rest.partition(" ")
        if not code:
            return "Say: link-identity CODE. You get a code when you say `prove` to me on the other network."
        try:
            claim = await self._codes.claim(code, now)
        except OSError:
            return _NO_CODES
        if claim is None:
            await self._guesses.wrong(guesser, now)
            return "That code is wrong or too old. Say `prove` on the other network to get a new one."
        identity = lasting(claim.sender)
        assert identity is not None  # `prove` has checked that
        if sure.strip().lower() != "yes":  # confirmed, so that a slip lets no stranger in
            return (
                f"That makes {identity} you, {user.name}: they may do all that you may."
                f" If it is you, say: link-identity {code} yes"
            )
        try:
            await self._codes.redeem(code)
        except OSError:
            return _NO_CODES
        await self._link(asker, user, identity)
        return f"{identity} is {user.name} from now on. To take it back, say: unlink-identity {identity}"

    async def unlink_identity(self, asker: Sender, rest: str) -> str:
        """unlink-identity IDENTITY: forget one of your identities; `unlink-identity` alone lists them."""
        user = self._gate.who(asker)
        if user is None:
            return f"{_STRANGER} {self._gate.next_step(asker)}"
        if any(each.target == user.name for each in self._users.sanctions() if in_force(each, self._clock())):
            return "Not while you are muted or banned."
        identity = next((one for one in user.identities if str(one) == rest.strip()), None)
        if identity is None:
            return f"Your identities: {', '.join(map(str, user.identities)) or 'none'}"
        acting = self._users.acting(by(user, asker))
        await asyncio.to_thread(acting.unlink_identity, user.name, identity)
        await asyncio.to_thread(self._users.refresh)
        return f"{identity} is not you any more."

    def _may_ask(self, asker: Sender, identity: Identity, now: float) -> bool:
        """Whether another new request is taken; charges it to the asker's homeserver or host, and to all."""
        host = identity.value.partition(":")[2] if identity.kind is Proof.MATRIX else asker.mask.rpartition("@")[2]
        spender = (identity.network, host or identity.value)
        if not self._askers.has(spender, now) or not self._asking.has("all", now):
            return False
        self._askers.spend(spender, now)
        self._asking.spend("all", now)
        return True

    async def _ask(self, request: MembershipRequest, asker: Sender) -> bool:
        """Store `request`. False if that failed: why is for the operator, since it may name files."""
        try:
            made = await asyncio.to_thread(self._users.acting(_shown(asker)).ask, request)
            await asyncio.to_thread(self._users.refresh)
        except UsersError as error:
            hint = "a guest asked to become a member and was told to try again; mend the cause"
            log.warning("request_not_stored", identity=str(request.identity), reason=str(error), hint=hint)
            return False
        hint = f"quackbridge approve {made.handle}, or quackbridge deny {made.handle}"
        log.info("membership_requested", identity=str(made.identity), room=str(made.room), hint=hint)
        return True

    async def _check(self, asker: Sender, user: User, password: str) -> str:
        """Why `password` is refused as the user's; '' if it is right."""
        keys = self._keys(asker, user.name)
        if wait := await self._guesses.wait(keys, self._clock()):
            return f"Too many wrong tries: again in {spelled(wait + 1)}."
        if await asyncio.to_thread(verify, user.password, password, self._hasher):
            await self._guesses.right(keys)
            return ""
        await self._guesses.wrong(keys, self._clock())
        await self._record_refusal(asker, "password refused", f"as {user.name}")
        return "That is not your password."

    def _known_by(self, asker: Sender) -> str:
        """Says by which proof the network shows `asker` to be a user."""
        proofs = (proof for proof in asker.proofs if self._users.identify(replace(asker, proofs=(proof,))) is not None)
        match next(proofs).kind:
            case Proof.MATRIX:
                return f"I know you by your Matrix id, {asker.address}"
            case Proof.IRC:
                return f"I know you by your account on {asker.network}"
            case Proof.IRC_MASK:
                return "I know you by your host mask"
            case _ as never:
                assert_never(never)

    def _keys(self, asker: Sender, name: str) -> Sequence[Key]:
        """What a wrong password counts against. Others' guesses do not count where the user has logged in before."""
        own = _keys(asker)
        familiar = (same_name(name), *own[-1]) in self._familiar
        return own if familiar else [*own, (By.USER, same_name(name))]

    async def _record_refusal(self, asker: Sender, what: str, details: str) -> None:
        """Record a failed login; some hundred an hour, so that nobody can flood the audit log."""
        now = self._clock()
        if self._refusals.has("all", now):
            self._refusals.spend("all", now)
            await asyncio.to_thread(self._audit.record, _shown(asker), what, details)
        elif self._refusals.news("all", now):
            await asyncio.to_thread(self._audit.record, _shown(asker), what, "and more, which are not recorded")

    async def _keep(self, asker: Sender, user: User, kept: str) -> None:
        """Set the hash of the user's password."""
        await asyncio.to_thread(self._users.acting(by(user, asker)).set_password, user.name, kept)
        await asyncio.to_thread(self._users.refresh)

    async def _open(self, asker: Sender, user: User) -> str:
        if not self._sessions.open(asker, user):
            return f"Join a channel that I am in first, {user.name}: otherwise I could not see when you leave."
        await asyncio.to_thread(self._audit.record, _shown(asker), "login", f"as {user.name}")
        ends = "you leave" if asker.connection else "you log out"
        return f"Welcome, {user.name}. You are logged in until {ends}, for {spelled(self._sessions.lasts)} at most."

    async def _remember(self, asker: Sender, user: User) -> str:
        identity = lasting(asker)
        if identity is None:
            opened = await self._open(asker, user)
            return f"{opened} I cannot remember you for longer: {_unproven(asker)}."
        await self._link(asker, user, identity)
        return f"Welcome, {user.name}. From now on {identity} is you: you need no password there."

    async def _link(self, asker: Sender, user: User, identity: Identity) -> None:
        await asyncio.to_thread(self._users.acting(by(user, asker)).link_identity, user.name, identity)
        await asyncio.to_thread(self._users.refresh)


def by(user: User, asker: Sender) -> str:
    """The actor's name in the audit log."""
    return f"{user.name} ({_shown(asker)})"


def _shown(asker: Sender) -> str:
    return f"{asker.network}/{asker.mask or asker.address}"


def _credentials(rest: str) -> tuple[bool, str, str]:
    """Whether to remember, the name, and the password, which may have blanks in it."""
    words = rest.split(maxsplit=1)
    remember = bool(words) and words[0].lower() == _REMEMBER
    if remember:
        words = " ".join(words[1:]).split(maxsplit=1)
    name, password = (*words, "", "")[:2]
    return remember, name, password.strip()


def _words(rest: str) -> list[str]:
    """Split as in a shell, or at blanks if the quotes do not close (they may be part of a password)."""
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def _keys(asker: Sender) -> Sequence[Key]:
    """What a guess counts against: sender and host. Neither a new nick nor a new connection resets the count."""
    keys = [(By.SENDER, f"{asker.network} {asker.connection or asker.address}")]
    if asker.mask:
        keys.append((By.HOST, f"{asker.network} {asker.mask.rpartition('@')[2]}"))
    return keys


def _unproven(asker: Sender) -> str:
    return f"{asker.network} doesn't tell me who you are; if it has services (NickServ), log in to them and try again"


def unsafe(asker: Sender) -> str:
    return (
        f"Our connection to {asker.network} is not encrypted, so I take no password here: others may have read it."
        " Change it, and log in over another network."
    )
