"""Who has logged in by password, and through which connection: for networks that prove too little by themselves."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from bridge.model.people import Proof, Sender
from bridge.users.contract import User, Users, UsersError

_MOST = 10_000
"""Sessions: each was opened with a right password; the oldest gives way."""


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    password: str | None
    until: float


class Sessions:
    """In memory only: they end with our connections, and so with us. A session belongs to a connection (see
    `bridge.model.Sender`), or, where the network proves an id, to that id. It ends early when the user's password
    changes. `lasts` is in seconds."""

    def __init__(self, users: Users, clock: Callable[[], float], lasts: float) -> None:
        self.lasts = lasts
        self._users = users
        self._clock = clock
        self._sessions: OrderedDict[tuple[str, str], _Session] = OrderedDict()

    def open(self, sender: Sender, user: User) -> bool:
        """From now on `sender` is `user`. False where the network does not show when it would be somebody else."""
        key = _key(sender)
        if key is None:
            return False
        self._sessions[key] = _Session(user.name, user.password, self._clock() + self.lasts)
        self._sessions.move_to_end(key)
        if len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)
        return True

    def close(self, sender: Sender) -> bool:
        """Whether there was one."""
        key = _key(sender)
        return key is not None and self._sessions.pop(key, None) is not None

    def user(self, sender: Sender) -> User | None:
        """Who has logged in as this very sender, as the database knows them now."""
        key = _key(sender) if self._sessions else None
        session = self._sessions.get(key) if key else None
        if key is None or session is None:
            return None
        try:
            user = self._users.get(session.name)
        except UsersError:
            user = None
        if user is None or user.password != session.password or self._clock() >= session.until:
            del self._sessions[key]
            return None
        return user


def _key(sender: Sender) -> tuple[str, str] | None:
    if sender.connection:
        return sender.network, sender.connection
    return next((("", proof.value) for proof in sender.proofs if proof.kind is Proof.MATRIX), None)
