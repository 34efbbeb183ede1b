"""Login sessions: who has logged in by password, for networks that do not prove who a sender is."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.lib.lru import LruDict
from bridge.model.people import Proof, Sender
from bridge.users.contract import User, Users, UsersError

_MOST = 10_000
"""Sessions at most; each needed a correct password. The least recently used one is dropped."""


@dataclass(frozen=True, slots=True)
class _Session:
    name: str
    password: str | None
    until: float


class Sessions:
    """Login sessions, in memory only: they end with our connections, or with the daemon. A session belongs to the
    person's connection (see `bridge.model.people.Sender`), or to their Matrix id. It lasts `lasts` seconds, or until
    the user's password changes."""

    def __init__(self, users: Users, clock: Callable[[], float], lasts: float) -> None:
        self.lasts = lasts
        self._users = users
        self._clock = clock
        self._sessions: LruDict[tuple[str, str], _Session] = LruDict(_MOST)

    def open(self, sender: Sender, user: User) -> bool:
        """Log `sender` in as `user`. False if the network would not show when somebody else takes their place."""
        key = _key(sender)
        if key is None:
            return False
        self._sessions[key] = _Session(user.name, user.password, self._clock() + self.lasts)
        return True

    def close(self, sender: Sender) -> bool:
        """End the session of `sender`. False if there was none."""
        key = _key(sender)
        return key is not None and self._sessions.pop(key) is not None

    def user(self, sender: Sender) -> User | None:
        """The user whom `sender` has logged in as, in their current state; None if there is no session."""
        key = _key(sender) if self._sessions else None
        session = self._sessions.get(key) if key else None
        if key is None or session is None:
            return None
        try:
            user = self._users.get(session.name)
        except UsersError:
            user = None
        if user is None or user.password != session.password or self._clock() >= session.until:
            self._sessions.pop(key)
            return None
        return user


def _key(sender: Sender) -> tuple[str, str] | None:
    if sender.connection:
        return sender.network, sender.connection
    return next((("", proof.value) for proof in sender.proofs if proof.kind is Proof.MATRIX), None)
