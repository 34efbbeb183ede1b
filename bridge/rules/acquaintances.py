"""Which user was heard last under which nick on IRC, since we run: so that one can write to whom one has seen."""

from bridge.lib.lru import LruDict
from bridge.model.casemap import Casemapping
from bridge.model.people import Sender
from bridge.users import User

_MOST = 10_000


class Acquaintances:
    """It proves nothing: who has a nick when something is said to them is proved then."""

    def __init__(self) -> None:
        self._users: LruDict[tuple[str, str], str] = LruDict(_MOST)
        self._casemappings: dict[str, Casemapping] = {}

    def heard(self, sender: Sender, user: User | None) -> None:
        """`sender`, who is `user` (None: a guest), has said or done something."""
        if sender.casemapping is Casemapping.EXACT:
            return
        self._casemappings[sender.network] = sender.casemapping
        key = sender.network, sender.casemapping.fold(sender.address)
        if user is not None:
            self._users[key] = user.name
        else:
            self._users.pop(key)

    def fold(self, network: str, nick: str) -> str:
        """`nick` as the network compares it, as far as it is known."""
        return self._casemappings.get(network, Casemapping.RFC1459).fold(nick)

    def user(self, network: str, nick: str) -> str:
        """The user who was heard last under a folded nick; '' if nobody was, or a guest."""
        return self._users.peek((network, nick)) or ""
