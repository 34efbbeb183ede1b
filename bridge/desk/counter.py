"""What everybody may ask of the desk for themselves: to log in and out, who they are, and to join their identities."""

import asyncio
import shlex
from collections.abc import Callable, Collection, Sequence

from bridge.desk.codes import LASTS, Codes
from bridge.desk.guesses import By, Guesses, Key
from bridge.durations import spelled
from bridge.gate import Gate
from bridge.model import Identity, Proof, Sender
from bridge.users import User, Users
from bridge.users.audit import Audit
from bridge.users.identities import same_name
from bridge.users.passwords import hash_password, is_outdated, verify
from bridge.users.sessions import Sessions

_WRONG = "Wrong name or password."
_REMEMBER = "--remember"
_SHORTEST = 8
"""Characters of a password that somebody chooses here."""
_STRANGER = "You are no user here: ask an admin of this bridge to add you."


class Counter:
    """Each verb takes who asks and the rest of the line, and gives what they are told. `private` are the networks over
    which a password may come."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        gate: Gate,
        audit: Audit,
        private: Collection[str],
        *,
        clock: Callable[[], float],
        codes: Codes | None = None,
    ) -> None:
        self.private = private
        self._users = users
        self._sessions = sessions
        self._gate = gate
        self._audit = audit
        self._clock = clock
        self._codes = codes or Codes()
        self._guesses = Guesses()

    async def login(self, asker: Sender, rest: str) -> str:
        """login [--remember] NAME PASSWORD: be that user, until you leave; with --remember for good."""
        remember, name, password = _credentials(rest)
        if not password:
            return "Say: login NAME PASSWORD"
        if asker.network not in self.private:
            return _unsafe(asker)
        keys = _keys(asker, name)
        if wait := self._guesses.wait(keys, self._clock()):
            return f"Too many wrong tries: again in {spelled(wait + 1)}."
        user = self._users.find(name)
        right = await asyncio.to_thread(verify, user.password if user else None, password)
        if user is None or not right:
            self._guesses.wrong(keys, self._clock())
            whom = f"as {user.name}" if user else "under a name that nobody has"  # it may be the password, mistyped
            await asyncio.to_thread(self._audit.record, _shown(asker), "login refused", whom)
            return _WRONG
        self._guesses.right(keys)
        if user.password and is_outdated(user.password):
            await self._set_password(asker, user, password)
            user = self._users.get(user.name)
        proven = self._users.identify(asker)
        if proven is not None and proven.name != user.name:
            return f"{asker.network} proves that you are {proven.name}; that counts more than a password."
        return await self._remember(asker, user) if remember else await self._open(asker, user)

    async def logout(self, asker: Sender, _rest: str) -> str:
        """logout: end what `login` began."""
        was = self._sessions.close(asker)
        user = self._users.identify(asker)
        if user is not None:
            held = ", ".join(map(str, asker.proofs))
            return f"You are {user.name} by {held}, which {asker.network} proves: that does not end by a logout here."
        return "You are logged out." if was else "You were not logged in."

    async def whoami(self, asker: Sender, _rest: str) -> str:
        """whoami: who you are to this bridge, and by what."""
        user, proven = self._gate.who(asker), self._users.identify(asker)
        proofs = ", ".join(map(str, asker.proofs))
        if user is None:
            return f"You are a guest. {f'You are proven to be {proofs}' if proofs else _unproven(asker)}."
        how = f"as {asker.network} proves that you are {proofs}" if proven else "by the password that you gave"
        return f"You are {user.name}, {user.role}, {how}."

    async def passwd(self, asker: Sender, rest: str) -> str:
        """passwd OLD NEW: change your password; where you have none yet, passwd NEW."""
        user = self._gate.who(asker)
        if user is None:
            return "Log in first: login NAME PASSWORD"
        if asker.network not in self.private:
            return _unsafe(asker)
        words = _words(rest)
        if len(words) != (2 if user.password else 1):
            return f"Say: passwd {'OLD NEW' if user.password else 'NEW'}; a password with blanks goes in quotes."
        if user.password and (refused := await self._check(asker, user, words[0])):
            return refused
        if len(words[-1]) < _SHORTEST:
            return f"A password has at least {_SHORTEST} characters: choose a longer one."
        held = self._sessions.user(asker) is not None
        await self._set_password(asker, user, words[-1])
        if held:
            self._sessions.open(asker, self._users.get(user.name))
        return "Your password is changed; whoever else was logged in with the old one is not any more."

    async def prove(self, asker: Sender, rest: str) -> str:
        """prove: get a code, and say `link-identity CODE` where you are known already (or the other way round)."""
        if rest:
            return await self.link_identity(asker, rest)
        user = self._gate.who(asker)
        if user is None and _lasting(asker) is None:
            return f"{_unproven(asker)}: there is nothing here by which you could be known for good."
        code = self._codes.issue(asker, user, self._clock())
        return (
            f"{code} is good for {spelled(LASTS)}, once. Say to me on the other network: link-identity {code}"
            " (give it to nobody: whoever says it becomes the same person as you)"
        )

    async def link_identity(self, asker: Sender, rest: str) -> str:
        """link-identity CODE: be the same person as who said `prove` on the other network."""
        now, guesser = self._clock(), _keys(asker)
        if wait := self._guesses.wait(guesser, now):
            return f"Too many wrong codes: again in {spelled(wait + 1)}."
        claim = self._codes.redeem(rest, now)
        if claim is None:
            self._guesses.wrong(guesser, now)
            return "There is no such code (any more): say `prove` on the other network for a new one."
        claimed = self._gate.who(claim.sender) if claim.user else None
        here = self._gate.who(asker)
        if claimed is None and here is None:
            return _STRANGER
        if claimed is not None and here is not None:
            same = claimed.name == here.name
            return (
                "That is you already." if same else f"You are two users, {claimed.name} and {here.name}: ask an admin."
            )
        user, joined = (claimed, asker) if claimed else (here, claim.sender)
        assert user is not None
        identity = _lasting(joined)
        if identity is None:
            return f"{_unproven(joined)}: there is nothing there by which you could be known for good."
        await self._link(asker, user, identity)
        return f"{identity} is {user.name} from now on. If that is not you, say: unlink-identity {identity}"

    async def unlink_identity(self, asker: Sender, rest: str) -> str:
        """unlink-identity IDENTITY: not be known by one of your identities any more."""
        user = self._gate.who(asker)
        if user is None:
            return _STRANGER
        identity = next((one for one in user.identities if str(one) == rest.strip()), None)
        if identity is None:
            return f"You are known as: {', '.join(map(str, user.identities)) or 'nothing'}"
        acting = self._users.acting(by(user, asker))
        await asyncio.to_thread(acting.unlink_identity, user.name, identity)
        await asyncio.to_thread(self._users.refresh)
        return f"{identity} is not you any more."

    async def _check(self, asker: Sender, user: User, password: str) -> str:
        """Why `password` does not count as the user's, '' where it does."""
        keys = _keys(asker, user.name)
        if wait := self._guesses.wait(keys, self._clock()):
            return f"Too many wrong tries: again in {spelled(wait + 1)}."
        if await asyncio.to_thread(verify, user.password, password):
            self._guesses.right(keys)
            return ""
        self._guesses.wrong(keys, self._clock())
        await asyncio.to_thread(self._audit.record, _shown(asker), "password refused", f"as {user.name}")
        return "That is not your password."

    async def _set_password(self, asker: Sender, user: User, password: str) -> None:
        kept = await asyncio.to_thread(hash_password, password)
        await asyncio.to_thread(self._users.acting(by(user, asker)).set_password, user.name, kept)
        await asyncio.to_thread(self._users.refresh)

    async def _open(self, asker: Sender, user: User) -> str:
        if not self._sessions.open(asker, user):
            return f"Join a channel that I am in first, {user.name}: else I could not tell when you leave."
        await asyncio.to_thread(self._audit.record, _shown(asker), "login", f"as {user.name}")
        ends = "you leave" if asker.connection else "you log out"
        return f"Welcome, {user.name}. You are logged in until {ends}, for {spelled(self._sessions.lasts)} at most."

    async def _remember(self, asker: Sender, user: User) -> str:
        identity = _lasting(asker)
        if identity is None:
            opened = await self._open(asker, user)
            return f"{opened} I cannot remember you for longer: {_unproven(asker).lower()}."
        await self._link(asker, user, identity)
        return f"Welcome, {user.name}. From now on {identity} is you: you need no password there."

    async def _link(self, asker: Sender, user: User, identity: Identity) -> None:
        await asyncio.to_thread(self._users.acting(by(user, asker)).link_identity, user.name, identity)
        await asyncio.to_thread(self._users.refresh)


def by(user: User, asker: Sender) -> str:
    """Who does something, for the audit log."""
    return f"{user.name} ({_shown(asker)})"


def _shown(asker: Sender) -> str:
    return f"{asker.network}/{asker.mask or asker.address}"


def _credentials(rest: str) -> tuple[bool, str, str]:
    """Whether to remember, the name, and the password, which may have blanks in it."""
    remember = False
    first, _, left = rest.strip().partition(" ")
    if first.lower() == _REMEMBER:
        remember = True
        first, _, left = left.strip().partition(" ")
    return remember, first, left.strip()


def _words(rest: str) -> list[str]:
    """As in a shell; where the quotes are part of a password, as they stand."""
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def _keys(asker: Sender, name: str = "") -> Sequence[Key]:
    """What a guess counts against: a new nick does not begin anew, nor does a new connection from the same host."""
    keys = [(By.SENDER, f"{asker.network} {asker.connection or asker.address}")]
    if asker.mask:
        keys.append((By.HOST, f"{asker.network} {asker.mask.rpartition('@')[2]}"))
    return [*keys, (By.USER, same_name(name))] if name else keys


def _lasting(asker: Sender) -> Identity | None:
    """What proves who somebody is for good: the best that the network says of them."""
    for kind in Proof:
        for proof in asker.proofs:
            if proof.kind is kind:
                return proof if kind is not Proof.IRC_MASK else _any_nick(proof)
    return None


def _any_nick(proof: Identity) -> Identity:
    """The mask of one user at one host, whatever their nick."""
    return Identity(proof.kind, proof.network, f"*!{proof.value.partition('!')[2]}")


def _unproven(asker: Sender) -> str:
    return f"{asker.network} proves nothing of you; where it has services, log in to them and try again"


def _unsafe(asker: Sender) -> str:
    return (
        f"Our connection to {asker.network} is not encrypted, so I take no password here: others may have read it."
        " Change it, and log in over another network."
    )
